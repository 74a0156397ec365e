"""guide.html: every method explained on one page, which needs nothing but itself.

It fetches nothing and says so to the browser in a content policy. Its one script is its own and only adds to what can be read without it: sliders over
pictures that are there anyway, drawings that move, a table that sorts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from likeness.evaluation.statistics import Estimate
from likeness.files.atomic import write_text
from likeness.report.guide.flow import flow_drawing
from likeness.report.guide.network import network_drawing
from likeness.report.guide.pages import Page, read_pages
from likeness.report.plots import loss_curve, score_plot

DATA = Path(__file__).parent / "data"
TEMPLATES = Path(__file__).parent.parent / "templates"


def write_guide(out: Path, listed: Mapping[str, str]) -> Path:
    """Write the page and return its path.

    listed  everything that can be trained, with a sentence each: what has no page of its own is named at the end
    """
    write_text(out, guide_html(read_pages(), listed))
    return out


def guide_html(pages: list[Page], listed: Mapping[str, str]) -> str:
    figures, strips = read_data("figures.json"), read_data("strips.json")
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "estimate": estimate, "decibels": decibels, "stored": stored, "html": Markup}
    compared = figures["comparison"]
    names = {page.name for page in pages}
    return environment.get_template("guide.html").render(
        pages=pages,
        networks={page.name: [network_drawing(network) for network in page.networks] for page in pages},
        flows={page.name: flow_drawing(page.flow, page.name) for page in pages},
        strips={(strip["page"], strip["shown"]): strip for strip in strips if "page" in strip},
        named_strips={strip["name"]: strip for strip in strips if "page" not in strip},
        sprites={strip["name"]: sprite(DATA / strip["file"]) for strip in strips},
        curves={strip["name"]: loss_curve({"reward": strip["about"]["curve"]}, "mean reward of a rollout", dots=False) for strip in strips if "curve" in strip.get("about", {})},
        options=figures["options"],
        recipes=figures["recipes"],
        compared=compared,
        rows={page.name: own_rows(page, compared) for page in pages},
        bands={score: band(score, pages, compared) for score in ("clip_t_class", "dino", "named", "diversity")},
        own_bands={page.name: {score: own_band(score, page, compared) for score in ("dino", "clip_t_class")} for page in pages},
        judges=figures["judges"],
        older=figures["older"],
        others={name: sentence for name, sentence in listed.items() if name not in names},
        titles={page.name: page.title for page in pages},
    )


def read_data(name: str) -> Any:
    return json.loads((DATA / name).read_text("utf-8"))


def sprite(path: Path) -> Markup:
    return Markup("data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode())


def own_rows(page: Page, compared: dict[str, Any]) -> list[dict[str, Any]]:
    """A page's rows of the comparison, the usual recipe first."""
    found = {row["recipe"]: row for row in compared["rows"]}
    return [found[recipe] for recipe in page.recipes if recipe in found]


def band(score: str, pages: list[Page], compared: dict[str, Any]) -> Markup:
    """One score of each method's usual recipe, between floor and ceiling; all of the same subjects."""
    rows = {page.title: Estimate(**own[0]["scores"][score]) for page in pages if (own := own_rows(page, compared)) and own[0]["subjects"] == len(compared["subjects"])}
    return score_plot(score, rows, Estimate(**compared["floor"][score]), Estimate(**compared["ceiling"][score]))


def own_band(score: str, page: Page, compared: dict[str, Any]) -> Markup:
    few = {row["recipe"]: f" ({row['subjects']} subjects)" * (row["subjects"] < len(compared["subjects"])) for row in own_rows(page, compared)}
    rows = {row["recipe"] + few[row["recipe"]]: Estimate(**row["scores"][score]) for row in own_rows(page, compared)}
    return score_plot(score, rows, Estimate(**compared["floor"][score]), Estimate(**compared["ceiling"][score])) if rows else Markup("")


def number(value: float, digits: int = 3) -> str:
    """.830; 1.000"""
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"


def estimate(of: Mapping[str, Any]) -> str:
    """.830 [.693, .938]"""
    return number(of["value"]) if of["low"] is None else f"{number(of['value'])} [{number(of['low'])}, {number(of['high'])}]"


def decibels(of: Mapping[str, Any]) -> str:
    """28.99 dB [27.51, 30.40]"""
    return f"{of['value']:.2f} dB [{of['low']:.2f}, {of['high']:.2f}]"


def stored(size: float) -> str:
    return f"{size / 2**20:.1f} MiB" if size > 2**19 else f"{size / 2**10:.0f} KiB"
