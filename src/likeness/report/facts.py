"""What a page says of a run beside its pictures: how it stands, what it cost, which bytes it read and wrote, which commands repeat it."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from likeness.files.picture import without_folders
from likeness.files.typed import encoders_for, typed
from likeness.report.reading import Run, as_dict, as_list, lines_of, number, object_of, whole

SHOWN = 12  # hexadecimal digits of a sha256


@dataclass(frozen=True)
class Cost:
    """What a run trains and takes, of its last checkpoint; None, or nothing, for what its files do not say."""

    trains: str = ""
    parameters: float | None = None
    stored: float | None = None  # bytes
    seconds: float | None = None
    peak_bytes: float | None = None
    sampling: Sequence[Mapping[str, Any]] = ()  # steps and guidance_scale; more than one where its scored pictures were drawn in several ways
    picture_seconds: float | None = None
    several_subjects: str = ""

    def words(self) -> dict[str, str]:
        """Each as a reader wants it, in the order of a table."""
        return {
            "what is trained": self.trains,
            "numbers": "" if self.parameters is None else f"{self.parameters:,.0f}",
            "stored": "" if self.stored is None else _bytes(self.stored),
            "training": "" if self.seconds is None else duration(self.seconds),
            "peak memory": "" if self.peak_bytes is None else _bytes(self.peak_bytes),
            "steps × guidance": ", ".join(map(_walk, self.sampling)),
            "a picture": "" if self.picture_seconds is None else f"{self.picture_seconds:.2g} s",
            "several subjects": self.several_subjects,
        }


def cost_of(folder: Path) -> Cost:
    about, layers = object_of(folder / "run.json"), [path for path in _last_checkpoint(folder) if path.suffix == ".safetensors"]
    sampling, seconds = _drawing(folder, number(about.get("picture_seconds")))
    return Cost(
        trains=str(about.get("trains") or ""),
        parameters=sum(map(_numbers_in, layers)) if layers else None,
        stored=sum(path.stat().st_size for path in layers) if layers else None,
        seconds=training_seconds(folder),
        peak_bytes=number(about.get("peak_bytes")),
        sampling=sampling,
        picture_seconds=seconds,
        several_subjects=str(about.get("several_subjects") or ""),
    )


def training_seconds(folder: Path, deepest: int = 20) -> float | None:
    """Of a run and of those that it stands on or goes on from, as far as they lie beside it."""
    about = object_of(folder / "run.json")
    seconds, before = number(about.get("seconds")), str(as_dict(about.get("lineage")).get("run") or "")
    if seconds is None or not before or Path(before).name != before or not deepest:
        return seconds
    return seconds + (training_seconds(folder.parent / before, deepest - 1) or 0.0)


def _drawing(folder: Path, of_before: float | None) -> tuple[list[dict[str, float]], float | None]:
    """The ways in which its pictures were drawn, those that were scored where any were; and the mean seconds of all that were drawn so.

    of_before  run.json's seconds a picture of an older run, which are of the last that were drawn, in whatever way: believed where there is one way alone
    """
    scored = {line.get("file") for line in map(as_dict, as_list(object_of(folder / "scores.json").get("each")))}
    ways, seconds = {}, {}
    for line in lines_of(folder / "pictures" / "index.jsonl"):
        settings, labels = as_dict(line.get("settings")), as_dict(line.get("labels"))
        steps, scale = number(settings.get("steps")), number(settings.get("guidance_scale"))
        if labels.get("model") != "personalized" or steps is None or scale is None:
            continue
        seconds.setdefault((steps, scale), []).append(number(labels.get("seconds")))
        if not scored or line.get("file") in scored:
            ways[steps, scale] = {"steps": int(steps), "guidance_scale": scale}
    known = [one for way in ways for one in seconds[way] if one is not None]
    return list(ways.values()), sum(known) / len(known) if known else of_before if len(seconds) == 1 else None


def _walk(way: Mapping[str, Any]) -> str:
    """ "25 × 4"; "4, no guidance" """
    return f"{way['steps']:g}, no guidance" if way["guidance_scale"] == 1 else f"{way['steps']:g} × {way['guidance_scale']:g}"


def facts_of(run: Run) -> list[tuple[str, str]]:
    """How the run stands, as pairs of a name and a text; what is not known is left out."""
    about, cost = run.about, cost_of(run.folder).words()
    last_step = max((step for points in run.losses.values() for step, _ in points), default=None)
    versions = about.get("versions")
    facts = {
        "Status": str(about.get("status", "")),
        "Ended": str(about.get("exit_reason") or "") if about.get("status") == "finished" else "",  # others name folders of this machine
        "Base": Path(str(about["base"])).name if Path(str(about.get("base", ""))).is_absolute() else str(about.get("base", "")),
        "Started": str(about.get("created", "")),
        "Steps": f"{last_step:.0f}" if last_step is not None else "",
        "Time": cost["training"],
        "Time per step": f"{sorted(run.step_seconds)[len(run.step_seconds) // 2]:.3g} s (median)" if run.step_seconds else "",
        "Peak memory": cost["peak memory"],
        "What is trained": cost["what is trained"],
        "Trained numbers": cost["numbers"],
        "Stored": cost["stored"],
        "Steps × guidance": cost["steps × guidance"],
        "Time per picture": cost["a picture"],
        "Several subjects": cost["several subjects"],
        "Seed": "" if number(about.get("seed")) is None else str(whole(about.get("seed"))),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else "",
    }
    return [(name, value) for name, value in facts.items() if value]


def hashes_of(run: Run) -> list[tuple[str, str]]:
    """What the run read and wrote, each with the first digits of its sha256: base, photos, files of the last checkpoint."""
    hashes = [("base", str(run.about.get("base_hash") or ""))]
    used = [line for line in lines_of(run.folder / "photos.jsonl") if line.get("used") is True]
    hashes += [
        (f"photo {number}", str(line.get("sha256", ""))) for number, line in enumerate(used, 1)
    ]  # by number: a photo's name may say whom it shows
    for path in _last_checkpoint(run.folder)[:1]:
        files = object_of(path.parent / "complete.json").get("files")
        for name, sealed in (files if isinstance(files, dict) else {}).items():
            hashes.append((f"checkpoint {path.parent.name}/{name}", str(sealed.get("sha256", "")) if isinstance(sealed, dict) else ""))
    return [(name, digits[:SHOWN]) for name, digits in hashes if digits]


def commands_of(run: Run) -> dict[str, str]:
    """The command that makes each part. Folder names only: a page is sent to others, whom no home directory concerns."""
    folder, base = run.folder.resolve(), str(run.about.get("base") or "toybox")
    here = Path.cwd()
    beside = folder.parent.relative_to(here) if folder.parent.is_relative_to(here) else Path(folder.parent.name)
    name, lineage = typed(beside / folder.name), as_dict(run.about.get("lineage"))
    recipe = "whole.toml" if (folder / "whole.toml").exists() else "recipe.toml"  # of one that was continued, from its photos on
    again = f"likeness train --recipe {typed(beside / folder.name / recipe)}" if run.recipe else ""
    if "imported" in lineage:
        again = f"likeness import {typed(str(lineage['imported']))} --class-noun NOUN --photos FOLDER" + ("" if base == "toybox" else f" --base {typed(str(without_folders(base)))}")
    if "merged" in lineage:
        again = f"likeness merge {' '.join(typed(beside / str(parent)) for parent in as_list(lineage['merged']))}"
    return {
        "train": again or "likeness train --help",
        "generate": f"likeness generate {name}",
        "evaluate": f"likeness evaluate {name}{encoders_for(base)}",
        "choose": f"likeness choose {name}{encoders_for(base)}",
        "report": f"likeness report {name}",
    }


def made_elsewhere(run: Run) -> str:
    """Why a run has no training of its own; empty where it has one."""
    lineage = as_dict(run.about.get("lineage"))
    if "imported" in lineage:
        return f"Imported from {lineage['imported']}, and not trained here."
    return f"Merged from {' and '.join(map(str, as_list(lineage['merged'])))}, without training." if "merged" in lineage else ""


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = int(seconds) // 3600, int(seconds) % 3600 // 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {int(seconds) % 60} s"


def _bytes(count: float) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:.2f} MiB" if count >= 2**20 / 10 else f"{count / 2**10:.1f} KiB"


def _last_checkpoint(folder: Path) -> list[Path]:
    """The files of the newest one that is sealed."""
    sealed = sorted((folder / "checkpoints").glob("[0-9]*/complete.json"), key=lambda path: (len(path.parent.name), path.parent.name))
    return sorted(path for path in sealed[-1].parent.iterdir() if path.is_file()) if sealed else []


def _numbers_in(path: Path) -> int:
    """How many numbers a safetensors file holds, from its header: a JSON object behind its length."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header: dict[str, Any] = json.loads(file.read(min(length, 100_000_000)))
        return sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return 0
