"""Where a base lies and whether it may be opened: nothing from an unvetted folder is ever executed.

A folder names its classes in model_index.json. Only the classes listed here are loaded, each by its own import,
only from safetensors, and never with trust_remote_code (CVE-2026-44513 concerned local folders too).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..files.errors import UserError

Classes = dict[str, list[str]]  # part: library and class, as model_index.json has them

TOYBOX = Path(__file__).parent.parent / "toybox" / "base"
TOYBOX_UPSCALER = TOYBOX.parent / "upscaler"
TOKENIZERS = {"CLIPTokenizer", "CLIPTokenizerFast"}
STABLE_DIFFUSION = {
    "unet": {"UNet2DConditionModel"},
    "vae": {"AutoencoderKL"},
    "text_encoder": {"CLIPTextModel"},
    "tokenizer": TOKENIZERS,
}
DEEPFLOYD = {"unet": {"UNet2DConditionModel"}, "text_encoder": {"T5EncoderModel"}, "tokenizer": {"T5Tokenizer", "T5TokenizerFast"}}
SDXL = {**STABLE_DIFFUSION, "text_encoder_2": {"CLIPTextModelWithProjection"}, "tokenizer_2": TOKENIZERS}
SCHEDULERS = {
    "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "LCMScheduler",
}  # fmt: skip
UPSCALER = {"unet": {"UNet2DConditionModel"}, "image_noising_scheduler": SCHEDULERS}
IGNORED = {"safety_checker", "feature_extractor", "image_encoder", "watermarker"}  # what may stand in a folder and is not loaded
OF_THE_BASE = {"text_encoder", "tokenizer"}  # what may stand in a super-resolution stage's folder and is not loaded: it is the base's that it is told by
FAMILIES = "Stable Diffusion 1.x, 2.x and XL pipelines and DeepFloyd IF's first stage, in diffusers format"
UPSCALERS = "DeepFloyd IF's second stage, or one that is built like it, in diffusers format"
VOCABULARIES = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))  # transformers opens a tokenizer that has none of them, and says nothing
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
WEIGHTS = re.compile(r"[^.]+?(?:\.(?P<variant>[^.]+?)(?:-\d+-of-\d+)?)?\.safetensors")


def find_base(name: str) -> Path:
    """The local folder of a base: "toybox", a folder, or a hub id (fetched if the network and the hub's settings allow)."""
    return vetted(_found(name, TOYBOX, "--base", _a_base))


def find_upscaler(name: str | None) -> Path:
    """The local folder of a super-resolution stage, named as a base is. Raises UserError also where none is named."""
    if name is None:
        raise UserError("super_resolution: no stage is named that enlarges this base's pictures. Give it with --upscaler: a folder or hub id such as DeepFloyd/IF-II-L-v1.0.")
    return vetted_upscaler(_found(name, TOYBOX_UPSCALER, "--upscaler", _an_upscaler))


def vetted(folder: Path) -> Path:
    """The folder, if it is a pipeline of a known family, made of known classes and safetensors; UserError otherwise."""
    return _with_weights(folder, _a_base(folder))


def vetted_upscaler(folder: Path) -> Path:
    """The same of a super-resolution stage."""
    return _with_weights(folder, _an_upscaler(folder))


def _found(name: str, embedded: Path, option: str, described: Callable[[Path], Classes]) -> Path:
    if name == "toybox":
        if not (embedded / "model_index.json").exists():
            raise UserError(f"toybox: the embedded {embedded.name} is not in this installation ({embedded.name}/ is empty). Reinstall likeness, or train it: likeness pretrain, then likeness pretrain --install")
        return embedded
    if Path(name).is_dir():
        return Path(name)
    if Path(name).suffix in (*PICKLES, ".safetensors") or Path(name).is_absolute() or name.count("/") != 1:
        raise UserError(f"{name}: no such folder. {option} takes `toybox`, a folder in diffusers format, or a hub id such as owner/model.")
    return _fetched(name, described)


@cache
def _fetched(hub_id: str, described: Callable[[Path], Classes]) -> Path:
    """The cached folder of a pipeline on the hub, which is asked once: what is pushed there while a grid runs changes none of its cells.

    What describes it comes first: gigabytes are fetched of nothing that will be refused. Then the weights of each part: those without a variant, and those of half
    precision only where there are no others.
    """
    settings, unwanted = ["model_index.json", "*/*.json", "*/*.txt", "*/spiece.model"], ["*non_ema*"]
    folder = _snapshot(hub_id, settings, [])
    parts = networks(described(folder))
    _snapshot(hub_id, [f"{part}/*.safetensors" for part in parts], [*unwanted, "*.fp16.*", "*.fp16-*"])
    if halved := [part for part in parts if not weight_files(folder, part)]:
        _snapshot(hub_id, [f"{part}/*.fp16*.safetensors" for part in halved], unwanted)
    return folder


def _snapshot(hub_id: str, wanted: list[str], unwanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=wanted, ignore_patterns=unwanted))
    except Exception as problem:
        raise UserError(
            f"{hub_id}: neither a folder here nor reachable on the hub ({type(problem).__name__}). "
            "Check the name and the network, or give the path of a downloaded folder."
        ) from None


def _a_base(folder: Path) -> Classes:
    """The classes of a folder whose settings describe a base that likeness opens; UserError of any other."""
    index = classes_of(folder)
    if "image_noising_scheduler" in index:
        raise UserError(f"{folder}: is a super-resolution stage, which enlarges pictures and draws none. Give it to a stage super_resolution as --upscaler, and as --base the stage that it enlarges for.")
    return _checked(folder, index, FAMILIES, "--base")


def _an_upscaler(folder: Path) -> Classes:
    index = classes_of(folder)
    if "image_noising_scheduler" not in index:
        raise UserError(f"{folder}: is no super-resolution stage, for it has no image_noising_scheduler. --upscaler takes {UPSCALERS}.")
    return _checked(folder, {part: entry for part, entry in index.items() if part not in OF_THE_BASE}, UPSCALERS, "--upscaler")


def _checked(folder: Path, index: Classes, families: str, option: str) -> Classes:
    family = _family(index)
    code = sorted(p.name for p in folder.rglob("*.py"))
    if code:
        raise UserError(f"{folder}: refused, because it carries code ({code[0]}). likeness never runs code from a model folder; remove it if you trust the weights.")
    if unknown := sorted(set(index) - {*family, "scheduler"}):
        raise UserError(f"{folder}: has a {unknown[0]}, which likeness does not open. {option} takes {families}.")
    for part, allowed in {**family, "scheduler": SCHEDULERS}.items():
        if part not in index:
            raise UserError(f"{folder}: has no {part}. {option} takes {families}.")
        if index[part][1] not in allowed or index[part][0] not in ("diffusers", "transformers"):
            raise UserError(f"{folder}: its {part} is a {'.'.join(index[part])}, which likeness does not open. It opens {', '.join(sorted(allowed))}.")
    takes, has = _number(folder / "unet", "in_channels"), _number(folder / "vae", "latent_channels")
    if takes and has and takes != has:
        raise UserError(f"{folder}: its U-Net takes {takes} channels, and the VAE's latents have {has}: a model for inpainting or for instructions, which needs another picture beside the noise. {option} takes {families}.")
    for part in (part for part in family if part in index and "tokenizer" in part):
        if not any(all((folder / part / name).is_file() for name in files) for files in VOCABULARIES):
            raise UserError(f"{folder}/{part}: holds no vocabulary, and without one all words would read alike. Copy the folder again: {' or '.join(' and '.join(files) for files in VOCABULARIES)} belongs there.")
    return index


def _with_weights(folder: Path, index: Classes) -> Path:
    """The folder, if every network of it has weights that are no pickle."""
    for part in networks(index):
        if not weight_files(folder, part):
            pickled = [p.name for p in (folder / part).glob("*") if p.suffix in PICKLES]
            why = f"only {pickled[0]}, a pickle that could run code" if pickled else "no weights"
            raise UserError(f"{folder}/{part}: {why}. Convert it to safetensors (diffusers: save_pretrained with safe_serialization=True) and try again.")
    return folder


def _family(index: Classes) -> dict[str, set[str]]:
    if "image_noising_scheduler" in index:
        return UPSCALER
    if index.get("text_encoder", ["", ""])[1] == "T5EncoderModel" and "vae" not in index:
        return DEEPFLOYD
    return SDXL if "text_encoder_2" in index else STABLE_DIFFUSION


def networks(index: Classes) -> list[str]:
    """The parts that have weights."""
    return [part for part in _family(index) if "tokenizer" not in part and "scheduler" not in part]


def classes_of(folder: Path) -> Classes:
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


def _number(part: Path, name: str) -> int | None:
    """A number of a network's configuration; None where there is none to be read, which opening it will say better."""
    try:
        return json.loads((part / "config.json").read_text("utf-8")).get(name)
    except (OSError, ValueError, AttributeError):
        return None


def weight_files(folder: Path, part: str) -> list[Path]:
    """The files that a part is opened from: those without a variant, or where there are none those of the one that `variant_of` names."""
    wanted = variant_of(folder / part)
    return [path for path, variant in _variants(folder / part) if variant == wanted]


def variant_of(part: Path) -> str | None:
    """Which of its variants a part is opened from: None for the plain one, and also where there is neither it nor one of half precision."""
    known = {variant for _, variant in _variants(part)}
    return next((variant for variant in (None, "fp16", "bf16") if variant in known), None)


def _variants(part: Path) -> list[tuple[Path, str | None]]:
    """Weight files with their variants: fp16 of model.fp16.safetensors, of model.fp16-00001-of-00002.safetensors, of model-00001-of-00002.fp16.safetensors."""
    return [(path, match["variant"]) for path in sorted(part.glob("*.safetensors")) if (match := WEIGHTS.fullmatch(path.name))]


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


def configured(folder: Path) -> str:
    """Sixteen hex digits that name what a base draws with beside its weights: classes, configurations of networks and scheduler, tokenizers.

    Apart from `fingerprint`, by which runs know their base: who corrects a scheduler need not train anew.
    """
    digest = hashlib.sha256()
    files = [folder / "model_index.json", *(folder / part / "config.json" for part in networks(classes_of(folder)))]
    files += [path for pattern in ("scheduler/*.json", "tokenizer*/*") for path in folder.glob(pattern)]
    for path in sorted(path for path in files if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}/{len(content)}".encode() + content)
    return digest.hexdigest()[:16]


def trained_resolution(folder: Path) -> int:
    """Width and height in pixels that a base or a super-resolution stage was trained at, from its configuration files."""
    unet = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    if not (folder / "vae").exists():
        return unet["sample_size"]
    vae = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    return unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)


def advised(folder: Path, method: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A stage's chosen options, and the base's advice for the rest. Where the whole U-Net learns in place of a LoRA, it wants another rate: the table "METHOD full" has it."""
    known = advice(folder)
    better = known.get(method, {})
    if "full" in (chosen.get("trained"), chosen.get("student")):
        better = {**{key: value for key, value in better.items() if key != "learning_rate"}, **known.get(f"{method} full", {})}
    return {**better, **chosen}


def advice(folder: Path) -> dict[str, dict]:
    """Options that suit a base, per method, from likeness.json in its folder; a base of other hands has none."""
    path = folder / "likeness.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}
