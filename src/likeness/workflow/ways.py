"""In which way a saved picture was drawn: as its checkpoint's card wants, or otherwise, and then what differs.

Pictures of fewer steps, another guidance or another blend are not of the same kind: their means are never one number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..files.checkpoints import Checkpoint
from ..files.picture import Settings, without_folders
from ..files.run_folder import RunFolder, SavedPicture
from .stack import SAMPLING, read_card

SAID = {"sampler": "{}", "steps": "{} steps", "guidance_scale": "guidance {:g}", "eta": "eta {:g}"}


def wanted_by(checkpoint: Checkpoint) -> dict[str, Any]:
    """How the pictures of a checkpoint are drawn where nobody asks for anything else."""
    return wanted_by_card(read_card(checkpoint))


def wanted_by_card(card: Mapping[str, Any]) -> dict[str, Any]:
    return {**SAMPLING, **card["sampling"]}  # cards of before name no sampler, or no eta


def differs(settings: Settings, wanted: Mapping[str, Any]) -> str:
    """What a picture was drawn with and its card does not want, in words: "4 steps, guidance 1"; "" where it is as wanted."""
    found = [said.format(getattr(settings, name)) for name, said in SAID.items() if getattr(settings, name) != wanted[name]]
    found = ["1 step" if said == "1 steps" else said for said in found]
    if settings.negative_prompt:
        found.append(f"without {settings.negative_prompt!r}")
    if settings.options.get("upscaler") != without_folders(wanted.get("upscaler") or None):  # as pictures keep it
        stage = "no second stage" if not settings.options.get("upscaler") else "another second stage" if wanted.get("upscaler") else "enlarged"
        found.append(f"{settings.width} pixels, {stage}")
    return ", ".join(found)


def ways_of(run: RunFolder, saved: Sequence[SavedPicture]) -> list[str]:
    """The way of each picture; of blended ones with how they were blended, as far as the run's blends differ in it."""
    cards = {checkpoint.step: wanted_by(checkpoint) for checkpoint in run.checkpoints()}
    last = cards[max(cards)] if cards else SAMPLING
    blends = [_blend(p) for p in saved if p.labels.get("model") == "blended"]
    varied = [name for name in dict.fromkeys(name for blend in blends for name in blend) if len({repr(blend.get(name)) for blend in blends}) > 1]
    ways = []
    for picture in saved:
        wanted = cards.get(picture.labels.get("checkpoint", 0), last)
        if picture.labels.get("model") == "base" and wanted["sampler"] != "DDIM":  # the base was not distilled: it is drawn as its own folder advises
            wanted = {**wanted, **{name: getattr(picture.settings, name) for name in SAID}}
        blend = _blend(picture) if picture.labels.get("model") == "blended" else {}
        ways.append(", ".join([*(f"{name} {blend[name]}" for name in varied if name in blend), *filter(None, [differs(picture.settings, wanted)])]))
    return ways


def main_way(ways: Sequence[str]) -> str:
    """The one that is scored first: as the card wants, or if none is, what there is most of."""
    return "" if "" in ways else Counter(ways).most_common(1)[0][0]


def _blend(picture: SavedPicture) -> dict[str, Any]:
    return {"checkpoint": picture.labels.get("checkpoint", 0), **{name: value for name, value in picture.settings.options.items() if name != "upscaler"}}


def by_way(run: RunFolder, kind: str, saved: list[SavedPicture], last: int) -> dict[str, tuple[list[SavedPicture], list[str]]]:
    """Pictures of one kind by the name of their row, with remarks: the kind's own name for those drawn as the cards want, then what was drawn otherwise.

    If none of the last checkpoint's was drawn as its card wants, what there is most of takes the name.
    """
    if not saved:
        return {}
    ways = ways_of(run, saved)
    main = main_way([way for way, p in zip(ways, saved) if p.labels.get("checkpoint", 0) in (0, last)] or ways)
    rows: dict[str, tuple[list[SavedPicture], list[str]]] = {}
    for way in sorted(set(ways), key=lambda way: way != main):
        remark = [f"The pictures were drawn otherwise than the run itself would draw them: {way}."] if way and way == main and kind == "personalized" else []
        if kind == "blended":
            named = f"{kind}, {way}" if way else kind
        else:
            named = kind if way == main else f"{kind}, {way or 'as its card wants'}"
        rows[named] = [p for p, other in zip(saved, ways) if other == way], remark
    return rows


def main_alone(run: RunFolder, saved: list[SavedPicture], last: int) -> tuple[list[SavedPicture], list[str]]:
    """Of pictures that are asked by pairs those of the main way, and a remark that counts the others."""
    kept, now = [], [p for p in saved if p.labels.get("checkpoint", 0) in (0, last) and p.labels.get("model") in ("personalized", "base")]
    for kind in ("personalized", "base"):
        kept += by_way(run, kind, [p for p in now if p.labels["model"] == kind], last).get(kind, ([], []))[0]
    others = len(now) - len(kept)
    folder = now[0].path.parent.name if now else ""
    return kept, [f"{others} of {len(now)} pictures in {folder} were drawn otherwise than the rest (steps, guidance) and left out; {folder}/index.jsonl says how."] if others else []
