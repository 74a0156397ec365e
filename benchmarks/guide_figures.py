"""What the guide says in numbers and in the specs' own words; benchmarks/guide_pictures.py writes it.

Figures come from benchmarks/results/, options and their sentences from the specs, the toybox's values from its advice.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from results import FIGURES
from sections.claims import CLAIMS, tested
from weights import by_weights, embedded

from likeness.evaluation.statistics import mean_of
from likeness.files.recipe import Stage
from likeness.methods import METHODS, packaged_recipes
from likeness.report.guide.pages import Page, read_pages
from likeness.sampling.options import Blend
from likeness.toybox.models import ADVICE
from likeness.workflow.stack import method_class

COMPARED = ("dino", "clip_t_class", "named", "diversity")  # of the scores, those that the page explains
STRIPS = FIGURES.parent.parent / "src" / "likeness" / "report" / "guide" / "data" / "strips.json"
JUDGES = {
    "place": "judge on real renders: context", "class": "judge on real renders: class", "colour": "judge on real renders: colour",
    "accessory": "judge on real renders: accessory", "individual": "judge of individuals: names an individual among ten others of the same words",
}  # fmt: skip


def figures() -> dict[str, Any]:
    """What the page says in numbers and in the specs' own words."""
    found = {name: json.loads((FIGURES / f"{name}.json").read_text("utf-8")) for name in ("grid", "world")}
    pages, now = read_pages(), embedded(["base", "judges"])
    return {
        "options": {page.name: options_of(page) for page in pages},
        "recipes": {page.name: packaged_recipes()[page.name].read_text("utf-8") for page in pages if page.name in packaged_recipes()},
        "comparison": comparison(found["grid"], pages),
        "older": [strip["name"] for strip in json.loads(STRIPS.read_text("utf-8")) if strip.get("weights") != now],
        "judges": {name: next(rounded(row) for row in found["world"]["rows"] if row["what"] == what) for name, what in JUDGES.items()},
    }


def options_of(page: Page) -> list[dict[str, Any]]:
    """Each option of a method, or of a way to draw, with its default, the toybox's where it differs, and its sentence."""
    if page.name in packaged_recipes():
        return []
    kind = method_class(page.name).Spec if page.name in METHODS else Blend
    dashes = "--" if issubclass(kind, Stage) else "--blend."
    advised = ADVICE.get(page.name, {})
    return [
        {
            "name": name, "flag": dashes + name.replace("_", "-"), "default": as_text(known.get_default()),
            "toybox": as_text(advised[name]) if name in advised and advised[name] != known.get_default() else "", "says": known.description,
        }
        for name, known in kind.model_fields.items()
    ]  # fmt: skip


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def comparison(grid: dict[str, Any], pages: Sequence[Page]) -> dict[str, Any]:
    """The grid's means with intervals over subjects, as docs/results.md has them for the weights of now, each recipe with the page that it belongs to."""
    cells, rows = by_weights(grid, embedded())[0], []
    owners = {recipe: page.name for page in pages for recipe in page.recipes}
    for recipe in dict.fromkeys(cell["recipe"] for cell in cells):
        own = [cell for cell in cells if cell["recipe"] == recipe]
        costs = {key: sum(cell[key] for cell in own) / len(own) for key in ("parameters", "bytes", "train_seconds")} | {"picture_seconds": grid["processor seconds of a picture"][recipe]}
        rows.append({"recipe": recipe, "page": owners.get(recipe, ""), "subjects": len({cell["subject"] for cell in own}), **costs, "scores": estimates(own, "scores")})
    each = list({cell["subject"]: cell for cell in cells}.values())
    asked = [claim for claim in CLAIMS if {claim.more, claim.less} <= {row["recipe"] for row in rows}]
    claims = [{"says": says, "difference": difference, "verdict": verdict} for says, difference, _, verdict in (tested(claim, cells) for claim in asked)]
    return {
        **{key: grid[key] for key in ("machine", "note", "prompts", "pictures")}, "subjects": [cell["subject"].removeprefix("toybox:") for cell in each],
        "floor": estimates(each, "floor"), "ceiling": estimates(each, "ceiling"), "rows": rows, "claims": claims,
    }  # fmt: skip


def estimates(cells: list[dict], key: str) -> dict[str, Any]:
    subjects = [cell["subject"] for cell in cells]
    return {score: rounded(asdict(mean_of(score, [cell[key][score] for cell in cells], subjects))) for score in COMPARED}


def rounded(estimate: dict[str, Any]) -> dict[str, Any]:
    return {key: round(estimate[key], 6) if isinstance(estimate[key], float) else estimate[key] for key in ("value", "low", "high", "n")}
