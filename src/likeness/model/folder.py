"""Where a base lies and whether it may be opened: nothing from an unvetted folder is ever executed.

A folder names its classes in model_index.json. Only the classes listed here are loaded, each by its own import,
only from safetensors, and never with trust_remote_code (CVE-2026-44513 concerned local folders too).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ..files.errors import UserError

TOYBOX = Path(__file__).parent.parent / "toybox" / "base"
TOKENIZERS = {"CLIPTokenizer", "CLIPTokenizerFast"}
STABLE_DIFFUSION = {
    "unet": {"UNet2DConditionModel"},
    "vae": {"AutoencoderKL"},
    "text_encoder": {"CLIPTextModel"},
    "tokenizer": TOKENIZERS,
}
SDXL = {**STABLE_DIFFUSION, "text_encoder_2": {"CLIPTextModelWithProjection"}, "tokenizer_2": TOKENIZERS}
SCHEDULERS = {
    "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "LCMScheduler",
}  # fmt: skip
IGNORED = {"safety_checker", "feature_extractor", "image_encoder"}  # what may stand in a folder and is not loaded
FAMILIES = "Stable Diffusion 1.x, 2.x and XL pipelines in diffusers format"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def find_base(name: str) -> Path:
    """The local folder of a base: "toybox", a folder, or a hub id (fetched if the network and the hub's settings allow)."""
    if name == "toybox":
        if not (TOYBOX / "model_index.json").exists():
            raise UserError(f"toybox: the embedded base is not in this installation ({TOYBOX.name}/ is empty). Reinstall likeness, or train one with `likeness pretrain`.")
        return vetted(TOYBOX)
    if Path(name).is_dir():
        return vetted(Path(name))
    if Path(name).suffix in (*PICKLES, ".safetensors") or Path(name).is_absolute() or name.count("/") != 1:
        raise UserError(f"{name}: no such folder. --base takes `toybox`, a folder in diffusers format, or a hub id such as owner/model.")
    return vetted(_fetched(name))


def _fetched(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["model_index.json", "*/*.json", "*/*.txt", "*/*.safetensors"]
    try:
        return Path(snapshot_download(hub_id, allow_patterns=wanted, ignore_patterns=["*.fp16.*", "*non_ema*", "safety_checker/*"]))
    except Exception as problem:
        raise UserError(
            f"{hub_id}: neither a folder here nor reachable on the hub ({type(problem).__name__}). "
            "Check the name and the network, or give the path of a downloaded folder."
        ) from None


def vetted(folder: Path) -> Path:
    """The folder, if it is a pipeline of a known family, made of known classes and safetensors; UserError otherwise."""
    index = classes_of(folder)
    family = _family(index)
    code = sorted(p.name for p in folder.rglob("*.py"))
    if code:
        raise UserError(f"{folder}: refused, because it carries code ({code[0]}). likeness never runs code from a model folder; remove it if you trust the weights.")
    if unknown := sorted(set(index) - {*family, "scheduler"}):
        raise UserError(f"{folder}: has a {unknown[0]}, which likeness does not open. --base takes {FAMILIES}.")
    for part, allowed in {**family, "scheduler": SCHEDULERS}.items():
        if part not in index:
            raise UserError(f"{folder}: has no {part}. --base takes {FAMILIES}.")
        if index[part][1] not in allowed or index[part][0] not in ("diffusers", "transformers"):
            raise UserError(f"{folder}: its {part} is a {'.'.join(index[part])}, which likeness does not open. It opens {', '.join(sorted(allowed))}.")
    for part in networks(index):
        if not weight_files(folder, part):
            pickled = [p.name for p in (folder / part).glob("*") if p.suffix in PICKLES]
            why = f"only {pickled[0]}, a pickle that could run code" if pickled else "no weights"
            raise UserError(f"{folder}/{part}: {why}. Convert it to safetensors (diffusers: save_pretrained with safe_serialization=True) and try again.")
    return folder


def _family(index: dict[str, list[str]]) -> dict[str, set[str]]:
    return SDXL if "text_encoder_2" in index else STABLE_DIFFUSION


def networks(index: dict[str, list[str]]) -> list[str]:
    """The parts that have weights."""
    return [part for part, allowed in _family(index).items() if allowed is not TOKENIZERS]


def classes_of(folder: Path) -> dict[str, list[str]]:
    """Part -> library and class, as model_index.json says. A custom pipeline stands there as the part `_class_name`."""
    try:
        index = json.loads((folder / "model_index.json").read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{folder}: has no model_index.json, so it is not a pipeline folder in diffusers format.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{folder}/model_index.json: cannot be read as JSON. Copy the folder again.") from None
    entries = {part: entry for part, entry in index.items() if isinstance(entry, list) and part not in IGNORED} if isinstance(index, dict) else {}
    if any(len(entry) != 2 for entry in entries.values()):
        raise UserError(f"{folder}/model_index.json: a part of it does not name library and class. Copy the folder again.")
    return {part: [str(name) for name in entry] for part, entry in entries.items() if entry != [None, None]}


def weight_files(folder: Path, part: str) -> list[Path]:
    return sorted(p for p in (folder / part).glob("*.safetensors") if ".fp16." not in p.name and "non_ema" not in p.name)


def fingerprint(folder: Path) -> str:
    """Sixteen hex digits that name the weights: sizes and sixty-four samples of every file, so gigabytes take no time."""
    digest = hashlib.sha256()
    for part in networks(classes_of(folder)):
        for path in weight_files(folder, part):
            size = path.stat().st_size
            digest.update(f"{part}/{size}".encode())
            with path.open("rb") as file:
                for k in range(64):
                    file.seek(size * k // 64)
                    digest.update(file.read(65536))
    return digest.hexdigest()[:16]


def trained_resolution(folder: Path) -> int:
    """Width and height in pixels that a base was trained at, from its configuration files."""
    unet = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    vae = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    return unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)


def advice(folder: Path) -> dict[str, dict]:
    """Options that suit a base, per method, from likeness.json in its folder; a base of other hands has none."""
    path = folder / "likeness.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}
