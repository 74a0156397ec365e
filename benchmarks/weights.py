"""Which weights figures were measured with, so that none pass for those of weights that came later."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TOYBOX = Path(__file__).parent.parent / "src" / "likeness" / "toybox"
PARTS = {"base": "base", "upscaler": "second stage", "judges": "judges", "examiner": "examiner"}  # with how they are said


def embedded(parts: Iterable[str] = PARTS) -> dict[str, str]:
    """A name for the weights of each part of the toybox; of the base also for how its pictures are drawn."""
    found = {
        "base": [*_weights("base"), json.dumps(json.loads((TOYBOX / "base" / "likeness.json").read_text("utf-8"))["sampling"], sort_keys=True).encode()],
        "upscaler": _weights("upscaler"),
        "judges": [part for name in ("clip", "dino") for part in _weights(f"judges/{name}")] + _weights("judges", "*"),
        "examiner": _weights("judges/examiner"),
    }
    return {name: hashlib.sha256(b"".join(found[name])).hexdigest()[:16] for name in parts}


def _weights(folder: str, below: str = "**/*") -> list[bytes]:
    paths = sorted((TOYBOX / folder).glob(f"{below}.safetensors"))
    return [word for path in paths for word in (path.relative_to(TOYBOX).as_posix().encode(), path.read_bytes())]


def by_weights(grid: dict[str, Any], now: dict[str, str]) -> list[list[dict[str, Any]]]:
    """The grid's cells, those measured with the same weights together: rows of others do not compare. Those with the weights of now first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for cell in grid["cells"]:
        of = grid["measured with"][grid["jobs"][cell["recipe"]]]
        groups.setdefault(json.dumps(of, sort_keys=True), []).append(cell)
    return [groups[of] for of in sorted(groups, key=lambda of: -sum(now[part] == name for part, name in json.loads(of).items()))]


def outdated(measured: dict[str, dict[str, str]], now: dict[str, str]) -> str:
    """A line that names the parts which are others now than when a section's figures were measured; empty if none is."""
    others = {job: [part for part, name in weights.items() if name != now[part]] for job, weights in measured.items()}
    parts = [said for part, said in PARTS.items() if any(part in each for each in others.values())]
    if not parts:
        return ""
    older = [job for job, each in others.items() if each]
    some = f"Some of these figures ({', '.join(older)})" if len(older) < len(others) else "These figures"
    return f"**{some} are older than the {' and the '.join(parts)} embedded now.**"
