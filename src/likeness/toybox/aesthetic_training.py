"""The toybox's judge of looks: how much a picture is spoilt, whatever it shows, read off the text-image judge's vectors.

True renders are as good as a picture of this world can be, 10; they are spoilt in one of five ways, as the pictures of a poor generator are, down to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from safetensors.torch import save_file

from ..evaluation.encoders import CLIP
from . import data
from .plan import Plan

PICTURES = 16_000
WHOLE = 0.25  # share of pictures that are left as they are
BEST, WORST = 10.0, 1.0
RIDGE = 0.1
BENDS = 6  # of a bent picture, along each side
Spoil = Callable[[Image.Image, float, np.random.Generator], Image.Image]


def blurred(image: Image.Image, much: float, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(much * image.width * 3 / 64))


def noisy(image: Image.Image, much: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float64)
    return Image.fromarray(np.clip(pixels + 80 * much * rng.normal(size=pixels.shape), 0, 255).astype(np.uint8))


def faded(image: Image.Image, much: float, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(1 - 0.8 * much)).enhance(1 - much)


def burnt(image: Image.Image, much: float, rng: np.random.Generator) -> Image.Image:
    """As too much guidance leaves it."""
    return ImageEnhance.Contrast(ImageEnhance.Color(image).enhance(1 + 2 * much)).enhance(1 + 1.5 * much)


def bent(image: Image.Image, much: float, rng: np.random.Generator) -> Image.Image:
    """Each place taken from one nearby, smoothly: outlines that no thing has."""
    size = image.width
    rough = rng.normal(size=(2, BENDS, BENDS)).astype(np.float32)
    moved = [much * size * 5 / 64 * np.asarray(Image.fromarray(one).resize((size, size), Image.Resampling.BICUBIC)) for one in rough]
    y, x = (np.clip(place + by, 0, size - 1).round().astype(int) for place, by in zip(np.mgrid[:size, :size], moved))
    return Image.fromarray(np.asarray(image)[y, x])


WAYS: tuple[Spoil, ...] = (blurred, noisy, faded, burnt, bent)


def spoilt(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, float]:
    """The picture, spoilt in one way, and its mark."""
    much = 0.0 if rng.random() < WHOLE else float(rng.random())
    return WAYS[rng.integers(len(WAYS))](image, much, rng), BEST - (BEST - WORST) * much


def train_aesthetic_head(plan: Plan, clip: CLIP, path: Path) -> None:
    """Ridge regression of the marks on the vectors, written in the form of LAION's head: one linear layer."""
    pictures, rng = data.read(plan.rendered, "judges", plan.judge_pictures), np.random.default_rng((plan.seed, len(WAYS)))
    rows = rng.choice(len(pictures), size=min(PICTURES, len(pictures)), replace=False)
    images, marks = zip(*(spoilt(Image.fromarray(pixels), rng) for pixels in pictures.take(rows)))
    weight, bias = ridge(clip.pictures(images).astype(np.float64), np.array(marks))
    save_file({"weight": torch.from_numpy(weight[None]).half(), "bias": torch.tensor([bias]).half()}, path)


def ridge(vectors: np.ndarray, marks: np.ndarray, strength: float = RIDGE) -> tuple[np.ndarray, float]:
    """Weight [d] and bias of the affine map with the least squared error plus strength |weight|²."""
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    weight = np.linalg.solve(centred.T @ centred + strength * np.eye(vectors.shape[1]), centred.T @ (marks - marks.mean()))
    return weight, float(marks.mean() - mean @ weight)
