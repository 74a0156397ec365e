"""One run as one page: report.html, which needs nothing but itself.

It holds no script and fetches nothing, and says so to the browser in a content policy. Every text of the run is escaped
by jinja2; words that run right to left are kept from turning the page around them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from likeness.evaluation.statistics import Estimate
from likeness.files.atomic import write_bytes
from likeness.report.blended import blended_section
from likeness.report.embedding import data_uris
from likeness.report.facts import commands_of, facts_of, hashes_of, made_elsewhere
from likeness.report.plots import loss_curve, score_plot
from likeness.report.points import front_plot, score_curves, scores_of, spots_of
from likeness.report.reading import Run, read_run
from likeness.report.rows import MOST_COPIES, MOST_PHOTOS, MOST_PROMPTS, copies_of, last_checkpoint, preview_steps, prompt_rows, step_rows
from likeness.report.sheets import write_sheets
from likeness.report.verdict import sentence

TEMPLATES = Path(__file__).parent / "templates"
PICTURE_BYTES = 2_400_000  # of the page's 3 MB
MOST_STEP_ROWS = 6

METRICS = {
    "dino": "Likeness to the subject (DINO)",
    "dino_max": "Likeness to the likest photo (DINO)",
    "dinov2": "Likeness to the subject (DINOv2)",
    "clip_i": "Likeness to the subject (CLIP-I)",
    "clip_i_max": "Likeness to the likest photo (CLIP-I)",
    "clip_t": "Follows the prompt (CLIP-T, as typed)",
    "clip_t_class": "Follows the prompt (CLIP-T, class noun)",
    "diversity": "Sameness within a prompt (DINO, lower is more varied)",
    "diversity_clip": "Sameness within a prompt (CLIP, lower is more varied)",
    "lpips": "Variety within a prompt (LPIPS)",
    "perceptual": "Variety within a prompt (stand-in for LPIPS)",
    "entanglement": "Looks change with the scene (DINO, lower is steadier)",
    "dino_sd": "Deviation of DINO over prompts and seeds",
    "dino_sd_prompts": "Deviation of DINO over prompts",
    "dino_sd_seeds": "Deviation of DINO over seeds",
    "clip_t_class_sd": "Deviation of CLIP-T over prompts and seeds",
    "clip_t_class_sd_prompts": "Deviation of CLIP-T over prompts",
    "clip_t_class_sd_seeds": "Deviation of CLIP-T over seeds",
    "dino_base": "Likeness to the base's picture (DINO)",
    "clip_i_base": "Likeness to the base's picture (CLIP-I)",
    "clip_t_change": "Change of CLIP-T against the base (share)",
    "named": "Named among ten others of the same words (share)",
    "both": "Both subjects there, each named among ten others (share)",
    "first": "First subject there (share)",
    "second": "Second subject there (share)",
    "placed": "In the asked place (share)",
    "drift": "Drift from the base (DINO, lower is closer)",
    "drift_clip": "Drift from the base (CLIP, lower is closer)",
    "pres": "The class looks like the subject (PRES, lower is better)",
    "realism": "Near a true picture of the class (DINO)",
    "aesthetic": "Looks, 1 to 10 (judge of looks)",
}


def write_report(run_folder: Path) -> Path:
    """Write report.html into the run folder from the files that lie there, sheets of its pictures beside it, and return its path."""
    run = read_run(Path(run_folder))
    write_sheets(run)
    report = run.folder / "report.html"
    write_bytes(report, _page(run).encode("utf-8", errors="replace"))  # a JSON file can hold half a surrogate pair, which no UTF-8 file can
    return report


def _page(run: Run) -> str:
    photos, prompts, previews = run.photos[:MOST_PHOTOS], prompt_rows(run.drawn), preview_steps(run.previews)
    steps, over_steps = step_rows(run.drawn, MOST_STEP_ROWS)
    copies, scores, choice = copies_of(run), run.scores, run.scores.choice
    bounds = [row for row in scores.rows.items() if row[0].lower().startswith(("floor", "ceiling"))]
    plots = score_plots([row for row in scores.rows.items() if row not in bounds], bounds)
    scored = max((line["step"] for line in scores.each), default=None)
    shown = [*photos, *(preview.path for step in previews.values() for preview in step)]
    shown += [drawn.path for row in prompts[:MOST_PROMPTS] for drawn in (*row.base, *row.personalized)]
    shown += [drawn.path for row in over_steps for drawn in row.pictures if drawn] + [path for one, photo in copies[:MOST_COPIES] for path in (one.path, photo)]
    firsts = [drawn for drawn in run.drawn if drawn.path.name in scores.first_of.values()] if choice else []
    uris = data_uris([*shown, *(drawn.path for drawn in firsts)], PICTURE_BYTES)
    thumbs = {drawn.checkpoint: uri for drawn in firsts if (uri := uris.get(drawn.path))}
    return (
        environment()
        .get_template("run.html")
        .render(
            title=run.folder.resolve().name,
            about=run.about,
            verdict=sentence(scores),
            facts=facts_of(run),
            hashes=hashes_of(run),
            photos=photos,
            prompts=prompts[:MOST_PROMPTS],
            few=all(len(side) <= 2 for row in prompts for side in (row.base, row.personalized)),
            prompts_left_out=len(prompts[MOST_PROMPTS:]),
            checkpoint=last_checkpoint(run.drawn),
            scored=scored,
            copies=copies[:MOST_COPIES],
            copies_left_out=max(0, len(copies) - MOST_COPIES),
            previews=previews,
            loss_curve=loss_curve(run.losses),
            loss_names=list(run.losses),
            rate_curve=loss_curve(run.rates, "learning rate", dots=False),
            rate_names=list(run.rates),
            noted={name: loss_curve({name: points}, name) for name, points in run.noted.items()},
            broken_losses=run.broken_losses,
            scores=scores,
            metric_names={metric: METRICS.get(metric, metric) for metric in plots},
            plots=plots,
            uris=uris,
            blended=blended_section(environment(), run.folder),
            choice=choice,
            steps=steps,
            step_rows=over_steps,
            point_curves=score_curves(scores_of(choice.points)) if choice else None,
            front=front_plot(spots_of(choice, thumbs), f"likeness against obedience of {len(choice.points)} checkpoints; {choice.reason}")
            if choice
            else None,
            recipe=run.recipe,
            commands=commands_of(run),
            made_elsewhere=made_elsewhere(run),
        )
    )


def environment() -> Environment:
    """Templates in which every text is escaped and a forgotten one is an error."""
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


Row = tuple[str, Mapping[str, Estimate]]  # by metric


def score_plots(rows: Sequence[Row], bounds: Sequence[Row], colours: Sequence[int] | None = None) -> dict[str, Markup]:
    """A plot for each metric: the rows with whiskers, of the bounds the first floor and the first ceiling that have it as bands.

    colours  of the rows; default 0, 1, …
    """
    numbers = colours or range(len(rows))
    plots = {}
    for metric in dict.fromkeys(metric for _, row in (*rows, *bounds) for metric in row):
        known = [(number, name, row[metric]) for number, (name, row) in zip(numbers, rows) if metric in row]
        shown = {name: estimate for _, name, estimate in known}
        floor, ceiling = (next((row[metric] for name, row in bounds if name.lower().startswith(bound) and metric in row), None) for bound in ("floor", "ceiling"))
        plots[metric] = score_plot(metric, shown, floor, ceiling, [number for number, _, _ in known])
    return plots
