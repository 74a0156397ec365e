"""Several runs as one page: verdict, pictures of the same prompts and noise, differences, curves, costs, how to repeat them.

Needs no script; the one that it has enlarges a picture that is clicked, and the page's policy lets no other run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from markupsafe import Markup

from likeness.evaluation.statistics import Estimate
from likeness.files.atomic import write_bytes
from likeness.files.errors import UserError
from likeness.report.comparison import MEASURES, Contender, Group, contenders_of, groups_of, settings_apart
from likeness.report.embedding import data_uris
from likeness.report.facts import commands_of, cost_of, facts_of, hashes_of
from likeness.report.page import METRICS, PICTURE_BYTES, TEMPLATES, Row, environment, score_plots
from likeness.report.plots import COLOURS, loss_curve
from likeness.report.points import SCORES, Spot, front_plot, score_curves
from likeness.report.reading import Drawn, read_run
from likeness.report.rows import MOST_COPIES, MOST_PHOTOS, copies_of, last_checkpoint, runs_rows
from likeness.report.sheets import write_runs_sheet

MOST_PROMPTS, MOST_SEEDS = 12, 2
ENCODER_OF = {"dinov2": "dinov2", "lpips": "perceptual", "perceptual": "perceptual", "aesthetic": "aesthetic"}  # of scores by others than the two that runs are compared by


def write_comparison(folders: Sequence[Path], out: Path) -> Path:
    """Write out/report.html, and a sheet of each subject's pictures beside it. Raises UserError for fewer than two runs, or more than there are colours."""
    if not 2 <= len({folder.resolve() for folder in folders}) == len(folders) <= COLOURS:
        raise UserError(f"report --compare: takes two to {COLOURS} different runs, and got {len(folders)}. Give each one's folder once.")
    if (out / "run.json").exists():
        raise UserError(f"{out}: is a run, whose page would be lost. Choose another folder with --out.")
    contenders = contenders_of([read_run(folder) for folder in folders])
    groups, remarks = groups_of(contenders)
    for number, group in enumerate(groups):
        if rows := _rows(group):
            write_runs_sheet(out / f"grid{f'-{number + 1}' if len(groups) > 1 else ''}.png", rows, group.photos, [c.name for c in group.contenders])
    write_bytes(out / "report.html", _page(contenders, groups, remarks).encode("utf-8", errors="replace"))
    return out / "report.html"


def _page(contenders: list[Contender], groups: list[Group], remarks: list[str]) -> str:
    rows = [_rows(group) for group in groups]
    copies = {c.number: copies_of(c.run) for c in contenders}
    firsts = {c.number: _firsts(c) for c in contenders}
    shown = [path for group in groups for path in group.photos[:MOST_PHOTOS]]
    shown += [drawn.path for of_group in rows for row in of_group for drawn in (row.base, *row.pictures) if drawn]
    shown += [drawn.path for of_run in firsts.values() for drawn in of_run.values()] + [path for found in copies.values() for one, photo in found[:MOST_COPIES] for path in (one.path, photo)]
    uris = data_uris(shown, PICTURE_BYTES)
    script = (TEMPLATES / "enlarge.js").read_text("utf-8")
    return environment().get_template("comparison.html").render(
        contenders=contenders,
        groups=list(zip(groups, rows)),
        with_base=[any(row.base for row in of_group) for of_group in rows],
        remarks=remarks,
        measures=MEASURES,
        metric_names=METRICS,
        uris=uris,
        copies=copies,
        most_copies=MOST_COPIES,
        firsts=firsts,
        steps={c.number: last_checkpoint(c.run.drawn) for c in contenders},
        plots=[score_plots(*_score_rows(group), [*(c.number for c in group.measured), COLOURS - 1]) for group in groups],  # the base's is the last
        curves=[_curves(group) for group in groups],
        fronts=[_front(group, firsts, uris) for group in groups],
        costs={c.number: cost_of(c.run.folder).words() for c in contenders},
        settings=settings_apart(contenders),
        facts={c.number: facts_of(c.run) for c in contenders},
        hashes={c.number: hashes_of(c.run) for c in contenders},
        commands={c.number: commands_of(c.run) for c in contenders},
        script=Markup(script),  # ours, no text of a run in it
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _rows(group: Group):
    return runs_rows([c.run for c in group.contenders], MOST_PROMPTS, MOST_SEEDS)


def _firsts(contender: Contender) -> dict[int, Drawn]:
    """The first scored picture of each checkpoint."""
    files = contender.run.scores.first_of
    return {drawn.checkpoint: drawn for drawn in contender.run.drawn if drawn.path.name == files.get(drawn.checkpoint)}


def _score_rows(group: Group) -> tuple[list[Row], list[Row]]:
    """Each measured run's personalized pictures and one base; floor and ceiling. Without the scores of encoders that are others than the first run's."""
    rows: list[Row] = [(c.name, _comparable(c, group, c.run.scores.row("personalized")[1])) for c in group.measured]

    def first(start: str) -> list[Row]:
        found = ((name, _comparable(c, group, row)) for c in group.measured for name, row in [c.run.scores.row(start)] if row)
        return list(islice(found, 1))

    return [*rows, *first("base")], [*first("floor"), *first("ceiling")]


def _comparable(contender: Contender, group: Group, row: Mapping[str, Estimate]) -> dict[str, Estimate]:
    mine, first = contender.run.scores.encoders, group.measured[0].run.scores.encoders
    others = {metric for metric, encoder in ENCODER_OF.items() if mine.get(encoder) != first.get(encoder)}
    return {metric: estimate for metric, estimate in row.items() if metric not in others}


def _curves(group: Group) -> dict[str, tuple[Markup, list[int]]]:
    """Drawings over the steps, each with the numbers of the runs in it: losses, learning rates, scores."""
    found: dict[str, dict[int, list]] = {}
    for c in group.contenders:
        for name, points in c.run.losses.items():
            found.setdefault(f"loss: {name}", {})[c.number] = points
        for name, points in c.run.rates.items():
            found.setdefault(name, {})[c.number] = points
    name_of = {c.number: c.name for c in group.contenders}
    curves = {
        title: (loss_curve({name_of[n]: points for n, points in of_run.items()}, title, dots=title.startswith("loss"), colours=list(of_run)), list(of_run))
        for title, of_run in found.items()
    }  # fmt: skip
    scored = list(zip(group.points, group.choice.points)) if group.choice else []
    for title, field in SCORES.items():
        of_each = {c.number: [(step, getattr(point, field)) for (who, step), point in scored if who == c] for c in group.measured}
        if any(len(of_run) > 1 for of_run in of_each.values()):
            curves[title] = score_curves({name_of[n]: of_run for n, of_run in of_each.items()}, title, colours=list(of_each)), list(of_each)
    return curves


def _front(group: Group, firsts: dict[int, dict[int, Drawn]], uris: dict[Path, str | None]) -> Markup:
    if group.choice is None:
        return Markup("")
    spots = []
    for (c, step), point in zip(group.points, group.choice.points):
        said = f"{c.name}, step {step}: likeness {point.subject}, obedience {point.prompt}, F1 {point.f1}"
        drawn = firsts[c.number].get(step)
        look = f"c{c.number}" + (" chosen" if point.step == group.choice.step else "") + ("" if point.best else " beaten")
        spots.append(Spot(point, said, str(step), look, uris.get(drawn.path) if drawn else None))
    return front_plot(spots, f"likeness against obedience of {len(spots)} checkpoints of {group.names}")
