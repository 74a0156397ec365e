"""One run as one page: report.html, which needs nothing but itself.

It holds no script and fetches nothing, and says so to the browser in a content policy. Every text of the run is escaped
by jinja2; words that run right to left are kept from turning the page around them.
"""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from likeness.report.blended import blended_section
from likeness.report.embedding import data_uris
from likeness.report.plots import loss_curve, score_plot
from likeness.report.points import front_plot, score_curves
from likeness.report.reading import Drawn, Preview, Run, number, read_run
from likeness.report.verdict import sentence

TEMPLATES = Path(__file__).parent / "templates"
PICTURE_BYTES = 2_400_000  # of the page's 3 MB
MOST_PHOTOS, MOST_PROMPTS, MOST_SEEDS, MOST_PREVIEWS = 12, 30, 4, 12

METRICS = {
    "dino": "Likeness to the subject (DINO)",
    "dino_max": "Likeness to the likest photo (DINO)",
    "dinov2": "Likeness to the subject (DINOv2)",
    "clip_i": "Likeness to the subject (CLIP-I)",
    "clip_t": "Follows the prompt (CLIP-T)",
    "clip_t_class": "Follows the prompt (CLIP-T, class noun)",
    "diversity": "Sameness within a prompt (lower is more varied)",
    "named": "Named among ten others of the same words (share)",
    "both": "Both subjects there, each named among ten others (share)",
    "first": "First subject there (share)",
    "second": "Second subject there (share)",
    "placed": "In the asked place (share)",
    "drift": "Drift from the base (lower is closer)",
    "f1": "F1 of likeness and prompt",
}


@dataclass(frozen=True)
class PromptRow:
    """The pictures of one prompt, of the base and of the personalized model, by seed."""

    prompt: str
    base_prompt: str
    base: list[Drawn]
    personalized: list[Drawn]


def write_report(run_folder: Path) -> Path:
    """Write report.html into the run folder from the files that lie there, and return its path."""
    run = read_run(Path(run_folder))
    report = run.folder / "report.html"
    unfinished = run.folder / "report.html.part"
    # "replace": a JSON file can hold half a surrogate pair, which no UTF-8 file can
    unfinished.write_bytes(_page(run).encode("utf-8", errors="replace"))
    os.replace(unfinished, report)
    return report


def _page(run: Run) -> str:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    photos, prompts, previews = run.photos[:MOST_PHOTOS], _prompt_rows(run.drawn), _preview_steps(run.previews)
    shown = [*photos, *(preview.path for step in previews.values() for preview in step)]
    shown += [drawn.path for row in prompts[:MOST_PROMPTS] for drawn in (*row.base, *row.personalized)]
    scores = run.scores
    points = [drawn for drawn in run.drawn if drawn.path.name in scores.first_of.values()] if scores.choice else []
    shown += [drawn.path for drawn in points]
    floor_name, floor = scores.row("floor")
    ceiling_name, ceiling = scores.row("ceiling")
    judged = {name: row for name, row in scores.rows.items() if name not in (floor_name, ceiling_name)}
    uris = data_uris(shown, PICTURE_BYTES)
    thumbs = {drawn.checkpoint: uri for drawn in points if (uri := uris.get(drawn.path))}
    return environment.get_template("run.html").render(
        title=run.folder.resolve().name,
        about=run.about,
        verdict=sentence(scores),
        facts=_facts(run),
        photos=photos,
        prompts=prompts[:MOST_PROMPTS],
        prompts_left_out=len(prompts[MOST_PROMPTS:]),
        checkpoint=max((drawn.checkpoint for drawn in run.drawn if drawn.personalized), default=0),
        previews=previews,
        loss_curve=loss_curve(run.losses),
        loss_names=list(run.losses),
        noted={name: loss_curve({name: points}, name) for name, points in run.noted.items()},
        broken_losses=run.broken_losses,
        scores=scores,
        metric_names=METRICS,
        plots={metric: _plot(metric, judged, floor, ceiling) for metric in scores.metrics()},
        uris=uris,
        blended=blended_section(environment, run.folder),
        choice=scores.choice,
        points=sorted(points, key=lambda drawn: drawn.checkpoint),
        point_curves=score_curves(scores.choice.points) if scores.choice else None,
        front=front_plot(scores.choice, thumbs) if scores.choice else None,
        recipe=run.recipe,
        commands=_commands(run),
    )


def _plot(metric: str, judged: dict[str, dict[str, Any]], floor: dict[str, Any], ceiling: dict[str, Any]) -> Markup:
    rows = {name: row[metric] for name, row in judged.items() if metric in row}
    return score_plot(metric, rows, floor.get(metric), ceiling.get(metric))


def _prompt_rows(drawn: list[Drawn]) -> list[PromptRow]:
    """Base and personalized pictures side by side where they share the class prompt; the last checkpoint speaks."""
    last = max((picture.checkpoint for picture in drawn if picture.personalized), default=0)
    rows = []
    for class_prompt in dict.fromkeys(picture.class_prompt for picture in drawn):
        same = [picture for picture in drawn if picture.class_prompt == class_prompt]
        personalized = [picture for picture in same if picture.personalized and picture.checkpoint == last]
        base = [picture for picture in same if not picture.personalized]
        if base or personalized:
            prompt = (personalized or base)[0].prompt
            rows.append(PromptRow(prompt, base[0].prompt if base else prompt, _by_seed(base), _by_seed(personalized)))
    return rows


def _by_seed(drawn: list[Drawn]) -> list[Drawn]:
    return sorted(drawn, key=lambda picture: picture.seed)[:MOST_SEEDS]


def _preview_steps(previews: list[Preview]) -> dict[int, list[Preview]]:
    """Up to MOST_PREVIEWS steps, evenly over the run with both ends, each with its first pictures."""
    steps = sorted({preview.step for preview in previews})
    if len(steps) > MOST_PREVIEWS:
        steps = [steps[round(i * (len(steps) - 1) / (MOST_PREVIEWS - 1))] for i in range(MOST_PREVIEWS)]
    of_step = {step: [preview for preview in previews if preview.step == step] for step in steps}
    return {step: sorted(found, key=lambda preview: preview.index)[:MOST_SEEDS] for step, found in of_step.items()}


def _facts(run: Run) -> list[tuple[str, str]]:
    about = run.about
    seconds, peak, seed = number(about.get("seconds")), number(about.get("peak_bytes")), number(about.get("seed"))
    last_step = max((step for points in run.losses.values() for step, _ in points), default=None)
    versions = about.get("versions")
    facts = {
        "Status": str(about.get("status", "")),
        "Base": Path(str(about["base"])).name if Path(str(about.get("base", ""))).is_absolute() else str(about.get("base", "")),
        "Started": str(about.get("created", "")),
        "Steps": f"{last_step:.0f}" if last_step is not None else "",
        "Time": _duration(seconds) if seconds is not None else "",
        "Time per step": f"{sorted(run.step_seconds)[len(run.step_seconds) // 2]:.3g} s (median)" if run.step_seconds else "",
        "Peak memory": f"{peak / 2**30:.2f} GiB" if peak is not None else "",
        "Seed": f"{seed:.0f}" if seed is not None else "",
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else "",
    }
    return [(name, value) for name, value in facts.items() if value]


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = int(seconds) // 3600, int(seconds) % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {int(seconds) % 60} s"


def _commands(run: Run) -> dict[str, str]:
    """The command that makes each part. Folder names only: a page is sent to others, whom no home directory concerns."""
    folder = run.folder.resolve()
    name = shlex.quote(f"{folder.parent.name}/{folder.name}")
    again = f"likeness train --recipe {shlex.quote(f'{folder.parent.name}/{folder.name}/recipe.toml')}" if run.recipe else ""
    return {
        "train": str(run.about.get("command") or again or "likeness train --help"),
        "generate": f"likeness generate {name}",
        "evaluate": f"likeness evaluate {name}",
        "report": f"likeness report {name}",
    }
