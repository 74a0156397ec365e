"""Whether a recipe can fit in memory and on the disk at all, from file headers alone: asked before anything is loaded.

Lower bounds: activations, pictures and what else runs on the machine come on top. So a refusal is certain, and a pass is no promise.
"""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from ..files.errors import UserError
from ..files.recipe import Recipe, Stage
from ..files.run_folder import KEPT_RESUME_STATES
from ..model.folder import classes_of, find_upscaler, networks, weight_files

NUMBER = 4  # bytes: weights, gradients and optimizer are float32
GIB = 2**30


def check_room(recipe: Recipe, base: Path, parent: Path) -> None:
    """Refuse what cannot fit, with the numbers; raises UserError. base: its folder; parent: where the run's folder will be."""
    sizes = {part: sum(_numbers(path) for path in weight_files(base, part)) for part in networks(classes_of(base))}
    text = sum(count for part, count in sizes.items() if part.startswith("text_encoder"))
    enlarging = {name: sum(map(_numbers, weight_files(find_upscaler(name), "unet"))) for stage in recipe.stages if (name := getattr(stage, "upscaler", None))}
    trained = [enlarging.get(getattr(stage, "upscaler", None)) or stage.trained_numbers(sizes["unet"], text) for stage in recipe.stages]
    unet, sizes = sizes["unet"], sizes | enlarging
    networks_bytes, learning = NUMBER * sum(sizes.values()), NUMBER * max(3 * count + stage.copied_numbers(unet) for count, stage in zip(trained, recipe.stages))
    kept = sum(NUMBER * sum(trained[: n + 1]) * len(stage.checkpoint_steps) for n, stage in enumerate(recipe.stages))
    states = NUMBER * max(count * _states(stage) for count, stage in zip(trained, recipe.stages))
    _refuse("memory", free_memory(), networks_bytes + learning, f"networks {_gib(networks_bytes)}, gradients, optimizer and copies {_gib(learning)}", "Close other programs, train less of it (LoRA)")
    _refuse("disk", free_disk(parent), kept + states, f"checkpoints {_gib(kept)}, states to resume from {_gib(states)}", "Ask for fewer --checkpoints, give --runs on another disk")


def _states(stage: Stage) -> int:
    """Numbers for each that is trained, in the states to resume from when a stage ends: two stay, and go when a third is whole. Each holds two moments,
    and the weights where no checkpoint of its step does."""
    kept = stage.checkpoint_steps
    regular = range(stage.steps // stage.save_every * stage.save_every, 0, -stage.save_every)[: KEPT_RESUME_STATES + 1]
    last = sorted({*regular, *kept})[-KEPT_RESUME_STATES - 1 :]
    return sum(2 if step in kept else 3 for step in last)


def free_memory() -> int | None:
    """Bytes that a new process can have: the GPU's if there is one. None where the system does not tell."""
    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # what torch keeps for later is free to it
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        return next((int(line.split()[1]) * 1024 for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable")), None)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def free_disk(folder: Path) -> int:
    """Bytes free where a folder is, or will be made."""
    known = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(known).free


def _refuse(what: str, free: int | None, needed: int, made_of: str, advice: str) -> None:
    if free is not None and needed > free:
        raise UserError(f"{what}: this recipe needs at least {_gib(needed)} ({made_of}), and {_gib(free)} are free. {advice}, or try all the same with --force.")


def _numbers(path: Path) -> int:
    try:
        with safe_open(path, "pt") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return 0  # said where it is loaded


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:.0f} MiB"
