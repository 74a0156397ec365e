"""How much pictures of one prompt differ, and what of it the seed decides: in the base and in the world."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.encoders import DINO
from ..evaluation.statistics import Estimate, bootstrap, bootstrap_of
from . import models


def variety(dino: DINO, drawn: list[list[Image.Image]], real: list[list[Image.Image]]) -> Estimate:
    """How far the generated pictures of a prompt lie apart, as a share of how far the world's do; a row of pictures a prompt."""
    apart = [[1 - metrics.diversity(dino.pictures(row)) for row in rows] for rows in (drawn, real)]
    return bootstrap([generated / true for generated, true in zip(*apart)])


def seed_cast(rows: list[list[Image.Image]]) -> Estimate:
    """How much the mean colour around the subject depends on the seed: intraclass correlation over prompts, 0 where it does not.

    rows  [seeds][prompts]. Of the border; each prompt's mean over seeds is taken away first.
    """
    between, within, prompts = _by_seed(_border_colours(rows))
    return bootstrap_of(lambda b, w: (b - w) / (b + (prompts - 1) * w), [between, within])


def seed_tint(rows: list[list[Image.Image]]) -> Estimate:
    """By how many of 255 levels the seed moves the border's colour beyond brightness, which is the world's light and chance in it: root
    of the variance between seeds, mean over channels. 1 is the smallest step that a file can keep.

    rows  [seeds][prompts], as in `seed_cast`; every border is first brought to its prompt's mean brightness.
    """
    colours = _border_colours(rows)
    brightness = colours.mean(axis=2, keepdims=True)
    between, within, prompts = _by_seed(colours * brightness.mean(axis=0) / brightness)
    within = within * len(rows) / (len(rows) - 1)  # prompts' means over seeds are taken away as well
    return bootstrap_of(lambda b, w: np.sqrt(np.maximum(b - w, 0) / prompts / 3), [between, within])


def _border_colours(rows: list[list[Image.Image]]) -> np.ndarray:
    """Mean colours of a border of an eighth of the width: [seeds, prompts, 3]"""
    border = np.ones((models.SIZE, models.SIZE), dtype=bool)
    edge = models.SIZE // 8
    border[edge:-edge, edge:-edge] = False
    return np.array([[np.asarray(image, np.float64)[border].mean(axis=0) for image in row] for row in rows])


def _by_seed(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean squares between and within seeds, each seed's share in them [seeds]; and the number of prompts."""
    colours = colours - colours.mean(axis=0)
    seeds, prompts = colours.shape[:2]
    of_seed = colours.mean(axis=1, keepdims=True)
    within = np.square(colours - of_seed).sum(axis=(1, 2)) / (prompts - 1)
    between = prompts * np.square(of_seed).sum(axis=(1, 2)) * seeds / (seeds - 1)
    return between, within, prompts
