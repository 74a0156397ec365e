"""Encoders from a folder or from the hub, with the preprocessing that belongs to them.

What a reader would get wrong:

- transformers starts weights that a folder lacks at random, with a log line; here that is an error
- the file beside the hub's weights of DINO prepares pictures otherwise than its published numbers were taken with
"""

import json
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from PIL import Image
from safetensors import SafetensorError
from transformers import (
    BitImageProcessorPil,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    Dinov2Model,
    PretrainedConfig,
    VisionTextDualEncoderModel,
    ViTImageProcessorPil,
    ViTModel,
)
from transformers.utils.hub import cached_file

from ..files.atomic import sha256_of_all
from .encoders import CLIP, CONVOLUTIONAL, DINO, EncoderError
from .preprocessing import ImageProcessor

P = ParamSpec("P")
Encoder = TypeVar("Encoder", CLIP, DINO)

# The Pillow processors by name: the default ones want torchvision.
PROCESSORS: dict[str, type[ImageProcessor]] = {
    "CLIP": CLIPImageProcessorPil,
    "Bit": BitImageProcessorPil,
    "ViT": ViTImageProcessorPil,
}
LEAST_WORDS = 3
EMBEDDED = Path(__file__).parent.parent / "toybox" / "judges"  # the toybox's own: clip, dino, examiner

# What the published DINO ViT-S/16 numbers of DreamBooth and DreamBlend were taken with. The file beside the hub's
# weights stretches the picture to 224 × 224 instead.
PUBLISHED_DINO_PREPROCESSING = {
    "image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": 256},
    "crop_size": {"height": 224, "width": 224},
    "resample": Image.Resampling.BICUBIC,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


def whole(load: Callable[P, Encoder]) -> Callable[P, Encoder]:
    """Whatever goes wrong in opening an encoder becomes an EncoderError, one line that names it."""

    @wraps(load)
    def opened(*args: P.args, **options: P.kwargs) -> Encoder:
        try:
            return load(*args, **options)
        except EncoderError:
            raise
        except (OSError, ValueError, RuntimeError, SafetensorError) as problem:
            source = args[0] if args else next(iter(options.values()))
            raise EncoderError(f"{source}: cannot be opened as an encoder ({str(problem).splitlines()[0].rstrip('.')}). Check the name and the network, or give the path of a whole folder.") from problem

    return opened


@whole
def load_clip(source: str | Path, device: str = "cpu") -> CLIP:
    """CLIP, or a dual encoder of a ResNet and CLIP's text tower, from a folder (model, tokenizer, preprocessor_config.json) or the hub.

    raises   EncoderError if the source is not a whole CLIP
    """
    local = _is_local(source)
    dual = _family(source, local) == "vision-text-dual-encoder"
    model = _weights(VisionTextDualEncoderModel if dual else CLIPModel, source, local)
    tokenizer = CLIPTokenizer.from_pretrained(source, local_files_only=local)
    if len(tokenizer) < LEAST_WORDS:  # transformers makes one of start and end alone where its files are missing
        raise EncoderError(f"{source}: its tokenizer has no vocabulary, so all texts would read alike. Copy the folder again, with tokenizer.json, or vocab.json and merges.txt")
    settings = _preprocessing(source, local)
    name = f"{called(source)}: CLIP {_shape(model.config.vision_config)}, {_in_words(settings)}"
    return CLIP(model.to(device), tokenizer, _processor(settings, source), name)


@whole
def load_dino(source: str | Path, preprocessing: dict[str, Any] | None = None, device: str = "cpu") -> DINO:
    """DINO (a ViT, a ResNet or a RegNet) or DINOv2 from a folder or from the hub.

    preprocessing  None: as it was published, which for a DINO ViT of 224 pixels is not what the file beside the hub's weights says; else that file's
    raises         EncoderError if the source is neither, or not whole
    """
    local = _is_local(source)
    family = _family(source, local)
    if family == "vit":
        model, title = _weights(ViTModel, source, local, add_pooling_layer=False), "DINO"
    elif family == "dinov2":
        model, title = _weights(Dinov2Model, source, local), "DINOv2"
    elif family in CONVOLUTIONAL:
        model, title = _weights(CONVOLUTIONAL[family], source, local), "DINO"
    else:
        raise EncoderError(f"{source}: model_type is {family!r}; a DINO is 'vit', 'resnet' or 'regnet', a DINOv2 is 'dinov2'")
    published = PUBLISHED_DINO_PREPROCESSING if family == "vit" and model.config.image_size == 224 else None
    settings = preprocessing or published or _preprocessing(source, local)
    name = f"{called(source)}: {title} {_shape(model.config)}, {_in_words(settings)}"
    return DINO(model.to(device), _processor(settings, source), name)


def _is_local(source: str | Path) -> bool:
    if Path(source).is_dir():
        return True
    if isinstance(source, Path) or len(source.split("/")) != 2 or source.startswith((".", "/", "~")):
        raise EncoderError(f"{source}: no such folder, and a hub id reads owner/name")
    return False


def _family(source: str | Path, local: bool) -> str | None:
    return PretrainedConfig.get_config_dict(source, local_files_only=local)[0].get("model_type")


def _weights(kind: Any, source: str | Path, local: bool, **options: Any) -> Any:
    try:
        model, loading = kind.from_pretrained(
            source, local_files_only=local, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **options
        )
    except OSError as problem:
        raise EncoderError(f"{source}: its weights cannot be read ({str(problem).splitlines()[0]})") from None
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise EncoderError(f"{source}: {len(missing)} weights of {kind.__name__} are not there, the first is {missing[0]}")
    return model


def _preprocessing(source: str | Path, local: bool) -> dict[str, Any]:
    try:
        path = cached_file(str(source), "preprocessor_config.json", local_files_only=local)
    except OSError as problem:
        raise EncoderError(f"{source}: preprocessor_config.json is missing, so how to show it pictures is unknown") from problem
    return json.loads(Path(str(path)).read_text(encoding="utf-8"))


def _processor(settings: dict[str, Any], source: str | Path) -> ImageProcessor:
    asked = str(settings.get("image_processor_type") or settings.get("feature_extractor_type"))
    family = asked.removesuffix("Fast").removesuffix("Pil").removesuffix("ImageProcessor").removesuffix("FeatureExtractor")
    if family not in PROCESSORS:
        raise EncoderError(f"{source}: preprocessor_config.json asks for {asked!r}; known are {', '.join(PROCESSORS)}")
    processor: Any = PROCESSORS[family].from_dict(settings)
    if processor.do_resize and not (processor.size.width and processor.size.height) and (not processor.size.shortest_edge or processor.size.longest_edge):
        raise EncoderError(f"{source}: preprocessor_config.json resizes to {settings.get('size')}; known are height and width, and shortest_edge alone")
    return processor


def called(source: str | Path, files: Sequence[Path] = ()) -> str:
    """A hub id as it is; the name of a local folder or file, never its path, with eight hex digits of a hash that tell its weights from others of that name.

    files  that hold the weights; none: the folder's safetensors
    """
    path = Path(source)
    if not path.exists():
        return str(source)
    return f"{path.resolve().name} (weights {sha256_of_all(files or sorted(path.glob('*.safetensors')))[:8]})"


def _shape(config: PretrainedConfig) -> str:
    if config.model_type in CONVOLUTIONAL:
        return f"{CONVOLUTIONAL[config.model_type].__name__.removesuffix('Model')} {'-'.join(str(width) for width in config.hidden_sizes)}"
    return f"ViT {config.num_hidden_layers}×{config.hidden_size}/{config.patch_size}"


def _in_words(settings: dict[str, Any]) -> str:
    """What is done to a picture before the encoder sees it, for a table's footnote."""
    resample = Image.Resampling(settings["resample"]).name.lower() if "resample" in settings else "default"
    steps = [f"resized to {_edges(settings.get('size', 'default'))} {resample}"]
    if "crop_size" in settings and settings.get("do_center_crop", True):
        steps.append(f"cropped to {_edges(settings['crop_size'])}")
    return ", ".join(steps)


def _edges(size: Any) -> str:
    return "×".join(str(edge) for edge in size.values()) if isinstance(size, dict) else str(size)
