"""What an encoder is shown of a picture: resized by Pillow, cropped, scaled, normalised, to the last bit as transformers' Pillow processors do it.

Their own way there turns a picture into an array, back into a picture, and into an array again, and takes twice as long. What a reader would get
wrong: the factor 1/255 is multiplied in float64, mean and deviation are taken off in float32; another order gives other last bits.
"""

import json
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from transformers import BitImageProcessorPil, CLIPImageProcessorPil, ViTImageProcessorPil

ImageProcessor: TypeAlias = BitImageProcessorPil | CLIPImageProcessorPil | ViTImageProcessorPil


def prepared(processor: ImageProcessor, picture: Image.Image) -> np.ndarray:
    """A picture as a network wants it. [3, h, w], float32"""
    steps: Any = processor  # its annotations say that every setting may be None
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    if steps.do_resize:
        picture = picture.resize(_edges(steps.size, picture), steps.resample)
    if steps.do_center_crop:
        picture = _middle(picture, steps.crop_size.width, steps.crop_size.height)
    pixels = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
    values = (pixels * np.float64(steps.rescale_factor) if steps.do_rescale else pixels).astype(np.float32)
    if steps.do_normalize:
        values -= _by_channel(steps.image_mean)
        values /= _by_channel(steps.image_std)
    return values


def preparation(processor: Any) -> str:
    """All that `prepared` goes by: two processors of one preparation make the same of a picture."""
    steps = ("do_resize", "size", "resample", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
    used = {step: getattr(processor, step, None) for step in steps} | ({"crop": processor.crop_size} if getattr(processor, "do_center_crop", False) else {})
    return json.dumps(used, default=lambda value: dict(value) if hasattr(value, "keys") else vars(value), sort_keys=True)


def _edges(asked: Any, picture: Image.Image) -> tuple[int, int]:
    """(width, height): as asked, or the shorter edge as asked and the other in proportion."""
    if not asked.shortest_edge:
        return asked.width, asked.height
    shorter, longer = sorted(picture.size)
    short, long = asked.shortest_edge, int(asked.shortest_edge * longer / shorter)
    return (short, long) if picture.width <= picture.height else (long, short)


def _middle(picture: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of a picture; black where the picture ends before it does."""
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _by_channel(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float32).reshape(-1, 1, 1)
