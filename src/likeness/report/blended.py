"""The part of a run's page about guided attention: blends beside both their checkpoints, over α, over pairs; edited photos; where words are looked for.

The figures 3, 4, 8, 9 and 10 of DreamBlend (arXiv 2411.19390), of whatever pictures and panels lie in the run; empty where there are none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from likeness.report.embedding import data_uris
from likeness.report.reading import as_dict, as_list, is_own, lines_of, number, object_of, whole

PICTURE_BYTES = 500_000  # of the page's 3 MB
MOST_ROWS, MOST_STRIPS, MOST_PANELS = 6, 3, 4
UNEVEN = ("guide", "alpha")  # what tells blends of one strip apart


@dataclass(frozen=True)
class Shown:
    """A picture of the run, and what drew it."""

    path: Path
    model: str  # base | personalized | blended | edited
    prompt: str
    class_prompt: str
    seed: int
    checkpoint: int
    options: dict[str, Any]  # of its sampler
    walk: tuple[Any, ...]  # steps and guidance scale

    @property
    def scene(self) -> tuple[str, int]:
        return self.class_prompt, self.seed


@dataclass(frozen=True)
class Table:
    """Pictures in rows and columns with titles."""

    title: str
    note: str
    columns: list[str]
    rows: list[tuple[str, list[Path | None]]]


@dataclass(frozen=True)
class Panel:
    """Where a prompt's words are looked for: pictures, and a line a model of how alike their maps are."""

    prompt: str
    paths: list[Path]
    alike: list[tuple[str, float]]


def blended_section(environment: Environment, folder: Path) -> Markup:
    """The section, or nothing."""
    shown = _shown(folder / "pictures")
    tables = [table for table in (*_side_by_side(shown), *_strips(shown), *_pairs(shown), *_edits(shown)) if table.rows]
    panels = _panels(folder / "attention")
    if not tables and not panels:
        return Markup("")
    paths = [path for table in tables for _, row in table.rows for path in row if path] + [path for panel in panels for path in panel.paths]
    rendered = environment.get_template("blended.html").render(tables=tables, panels=panels, uris=data_uris(paths, PICTURE_BYTES))
    return Markup(rendered)  # noqa: S704  # a template of ours, escaped by itself


def _side_by_side(shown: list[Shown]) -> Iterable[Table]:
    """Guidance, edit and blend from one noise, of the way of blending that has the most pictures."""
    ways = _grouped(_blends(shown), lambda one: (one.checkpoint, *_fixed(one), *(str(one.options.get(key)) for key in UNEVEN)))
    if not ways:
        return
    most = max(ways.values(), key=len)
    guide, edit = int(number(most[0].options.get("guide")) or 0), most[0].checkpoint
    rows = [(f"{one.prompt}, seed {one.seed}", [_plain(shown, one, guide), _plain(shown, one, edit), one.path]) for one in most[:MOST_ROWS]]
    note = f"α = {most[0].options.get('alpha')}. Equal noise in a row. The blend should have the guidance picture's layout and the subject of the edit picture."
    yield Table("Guided by an earlier checkpoint", note, [f"guidance: {guide}" if guide else "the base, asked for the class noun", f"edit: {edit}", "blend"], rows)


def _strips(shown: list[Shown]) -> Iterable[Table]:
    """One scene over α, the unguided picture first."""
    groups = _grouped(_blends(shown), lambda one: (one.scene, one.checkpoint, one.options.get("guide"), *_fixed(one)))
    several = [group for group in groups.values() if len({one.options.get("alpha") for one in group}) > 1]
    for group in several[:MOST_STRIPS]:
        ordered = sorted({number(one.options.get("alpha")) or 0.0: one for one in group}.items())
        first = group[0]
        title = f"{first.prompt}, seed {first.seed}"
        row: list[Path | None] = [_plain(shown, first, first.checkpoint), *(one.path for _, one in ordered)]
        yield Table("Over α", f"Step {first.checkpoint} guided by {first.options.get('guide') or 'the base'}.", ["unguided", *(f"α = {alpha:g}" for alpha, _ in ordered)], [(title, row)])


def _pairs(shown: list[Shown]) -> Iterable[Table]:
    """One scene over guidance checkpoints (rows) and edit checkpoints (columns)."""
    groups = _grouped(_blends(shown), lambda one: (one.scene, one.options.get("alpha"), *_fixed(one)))
    most = max(groups.values(), key=lambda group: len({(one.checkpoint, one.options.get("guide")) for one in group}), default=[])
    by = {(int(number(one.options.get("guide")) or 0), one.checkpoint): one for one in most}
    guides, edits = (sorted({pair[n] for pair in by}) for n in (0, 1))
    if len(by) > 1:
        first = most[0]
        rows = [(f"guided by {guide or 'the base'}", [by[guide, edit].path if (guide, edit) in by else None for edit in edits]) for guide in guides]
        yield Table("Pairs of checkpoints", f"“{first.prompt}”, seed {first.seed}, α = {first.options.get('alpha')}.", [f"edit: {edit}" for edit in edits], rows)


def _edits(shown: list[Shown]) -> Iterable[Table]:
    edits = [one for one in shown if one.model == "edited"][-MOST_ROWS:]
    rows: list[tuple[str, list[Path | None]]] = [(f"{one.options.get('photo', '')}: {one.options.get('source', '')} → {one.prompt}", [one.path]) for one in edits]
    yield Table("Edited photos", "Led back to noise with words for what was there, and drawn anew with the subject.", ["edited"], rows)


def _blends(shown: list[Shown]) -> list[Shown]:
    return [one for one in shown if one.model == "blended"]


def _fixed(blend: Shown) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in sorted(blend.options.items()) if key not in UNEVEN)


def _plain(shown: list[Shown], blend: Shown, step: int) -> Path | None:
    """What a checkpoint, or the base asked for the class noun, draws of a blend's scene by itself, in as many steps."""
    kind = "personalized" if step else "base"
    return next((one.path for one in shown if one.model == kind and one.scene == blend.scene and one.checkpoint == step and one.walk == blend.walk), None)


def _grouped(items: Iterable[Shown], key: Callable[[Shown], Any]) -> dict[Any, list[Shown]]:
    groups: dict[Any, list[Shown]] = {}
    for item in items:
        groups.setdefault(str(key(item)), []).append(item)
    return groups


def _shown(folder: Path) -> list[Shown]:
    found = []
    for line in lines_of(folder / "index.jsonl"):
        file, settings, labels = str(line.get("file", "")), as_dict(line.get("settings")), as_dict(line.get("labels"))
        if not is_own(file):
            continue
        prompt, step = str(settings.get("prompt", "")), whole(labels.get("checkpoint"))
        class_prompt, seed = str(labels.get("class_prompt") or prompt), whole(settings.get("seed"))
        walk = (settings.get("steps"), settings.get("guidance_scale"))
        found.append(Shown(folder / file, str(labels.get("model", "")), prompt, class_prompt, seed, step, as_dict(settings.get("options")), walk))
    return found


def _panels(folder: Path) -> list[Panel]:
    panels = []
    for path in sorted(folder.glob("*.json"))[:MOST_PANELS]:
        content = object_of(path)
        names = [name for name in as_list(content.get("panels")) if isinstance(name, str) and is_own(name)]
        columns = [as_dict(column) for column in as_list(content.get("columns"))]
        alike = [(str(column.get("title", "")), number(as_dict(column.get("alike")).get("value"))) for column in columns]
        panels.append(Panel(str(content.get("prompt", "")), [folder / name for name in names], [(title, round(value, 2) + 0.0) for title, value in alike if value is not None]))
    return panels
