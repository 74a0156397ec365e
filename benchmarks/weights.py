"""Which weights figures were measured with, so that none pass for those of weights that came later."""

import hashlib
from pathlib import Path

TOYBOX = Path(__file__).parent.parent / "src" / "likeness" / "toybox"
PARTS = {"base": "base", "upscaler": "second stage", "judges": "judges"}


def embedded() -> dict[str, str]:
    """A name for the weights of each part of the toybox."""
    return {name: named(TOYBOX / name) for name in PARTS}


def named(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def outdated(measured: dict[str, dict[str, str]], now: dict[str, str]) -> str:
    """A line that names the parts which are others now than when a section's figures were measured; empty if none is."""
    others = {job: [part for part, name in weights.items() if name != now[part]] for job, weights in measured.items()}
    parts = [said for part, said in PARTS.items() if any(part in each for each in others.values())]
    if not parts:
        return ""
    older = [job for job, each in others.items() if each]
    some = f"Some of these figures ({', '.join(older)})" if len(older) < len(others) else "These figures"
    return f"**{some} are older than the {' and the '.join(parts)} embedded now.**"
