"""What this machine has and what it lacks, found by trying."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json as json_format
import os
import platform
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ok: None where it is neither good nor bad."""

    what: str
    ok: bool | None
    says: str


def examine() -> list[Finding]:
    found = [Finding("python", True, f"{platform.python_version()} on {platform.platform()}")]
    for package in ("likeness", "torch", "diffusers", "transformers", "peft", "accelerate", "safetensors", "pillow", "numpy", "pydantic"):
        found.append(_version(package))
    return [*found, _torchvision(), _device(), _memory(), _disk(), _writable(), _umask(), _heif(), _offline(), _base(), _identifier(), _step()]


def healthy(findings: list[Finding]) -> bool:
    return all(f.ok is not False for f in findings)


def printed(findings: list[Finding], as_json: bool) -> str:
    if as_json:
        return json_format.dumps([asdict(f) for f in findings], indent=1)
    marks = {True: "ok ", False: "BAD", None: "-  "}
    lines = [f"{marks[f.ok]} {f.what:14} {f.says}" for f in findings]
    end = "next: likeness demo" if healthy(findings) else "mend the lines marked BAD, then: likeness doctor"
    return "\n".join([*lines, end])


def _version(package: str) -> Finding:
    try:
        return Finding(package, True, importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return Finding(package, False, f"not installed: pip install {package}")


def _torchvision() -> Finding:
    if importlib.util.find_spec("torchvision") is None:
        return Finding("torchvision", None, "not installed; not needed")
    try:
        import torchvision  # noqa: F401  # type: ignore[import-not-found]

        return Finding("torchvision", True, importlib.metadata.version("torchvision"))
    except Exception as problem:
        return Finding("torchvision", False, f"does not fit this torch ({problem}): pip uninstall torchvision")


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return Finding("device", True, f"{torch.cuda.get_device_name()}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free, bf16 {torch.cuda.is_bf16_supported()}")
    from ..learning.precision import bf16_is_emulated

    bf16 = "emulated, so leave --mixed-precision at no" if bf16_is_emulated(torch.device("cpu")) else "native"
    return Finding("device", True, f"CPU, {torch.get_num_threads()} threads, bf16 {bf16}; enough for the toybox, a GPU is wanted for Stable Diffusion")


def _memory() -> Finding:
    from .preflight import GIB, free_memory

    if (free := free_memory()) is None:
        return Finding("memory", None, "cannot be read on this system")
    return Finding("memory", free > 2 * GIB, f"{free / GIB:.1f} GiB free; the toybox needs 2")


def _disk() -> Finding:
    from .preflight import GIB, free_disk

    free = free_disk(Path.cwd()) / GIB
    return Finding("disk", free > 2, f"{free:.1f} GiB free here; a toybox run needs 0.3")


def _writable() -> Finding:
    from ..learning.prior import cache_folder

    try:
        with tempfile.NamedTemporaryFile(dir=Path.cwd()):
            return Finding("folders", True, f"runs can be written here; class pictures go to {cache_folder()}")
    except OSError as problem:
        return Finding("folders", False, f"this folder cannot be written ({problem.strerror}): use --runs FOLDER")


def _umask() -> Finding:
    mask = os.umask(0)
    os.umask(mask)
    return Finding("umask", None, f"{mask:03o}")


def _heif() -> Finding:
    return Finding("HEIC photos", None, "can be read" if importlib.util.find_spec("pillow_heif") else "cannot be read: python -m pip install pillow-heif")


def _offline() -> Finding:
    set_to = {name: os.environ[name] for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if name in os.environ}
    return Finding("hub", None, f"offline by {set_to}" if set_to else "used only when --base names a hub id")


def _base() -> Finding:
    from ..files.errors import UserError
    from ..model.folder import find_base, fingerprint

    try:
        return Finding("toybox", True, f"embedded base {fingerprint(find_base('toybox'))}")
    except UserError as problem:
        return Finding("toybox", False, str(problem))


def _identifier() -> Finding:
    from transformers import CLIPTokenizer

    from ..model.folder import TOYBOX

    try:
        pieces = CLIPTokenizer.from_pretrained(TOYBOX / "tokenizer", local_files_only=True).tokenize("sks")
    except (OSError, ValueError):
        return Finding("identifier", False, "the toybox's tokenizer cannot be read: reinstall likeness")
    known = f"'sks' is {len(pieces)} token to the toybox. To Stable Diffusion it may mean a rifle: try another there"
    return Finding("identifier", len(pieces) == 1, known)


def _step() -> Finding:
    """One optimizer step of DreamBooth on the embedded base, on a grey square."""
    from PIL import Image

    from ..learning.method import Subject
    from ..learning.training import make_optimizer, train
    from ..methods.dreambooth import DreamBooth, Spec
    from ..model.base import Base

    try:
        base, spec = Base.open("toybox"), Spec(steps=1, prior_weight=0)
        method = DreamBooth(spec, base)
        batches = method.batches([Subject([Image.new("RGB", (base.resolution, base.resolution), "grey")], "dog", "sks")], 0, 0)
        (done,) = train(method, make_optimizer(method, spec), spec, batches, 0, 0)
        return Finding("training step", done.skipped is None, f"works, loss {done.losses['denoising']:.3f}")
    except Exception as problem:
        return Finding("training step", False, f"{type(problem).__name__}: {problem}")
