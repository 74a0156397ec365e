"""How good a picture looks, whatever it shows: a linear head on an encoder's vectors, about 1 to 10.

LAION's head (sac+logos+ava1-l14-linearMSE, on CLIP ViT-L/14) learned people's marks. The toybox's own learned how much a true render was spoilt
(toybox/aesthetic_training.py): it knows blur, noise and bent outlines, not taste. Numbers of two heads do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from .encoders import CLIP, EncoderError
from .loading import EMBEDDED, called

LINEAR = (0, 2, 4, 6, 7)  # places of the layers of LAION's head, between which there is dropout alone; where there are ReLUs they lie further apart


@dataclass(frozen=True)
class AestheticHead:
    """One affine map of unit vectors."""

    name: str
    weight: np.ndarray  # [d]
    bias: float

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """vectors [n, d], of unit length; returns [n]."""
        return vectors @ self.weight + self.bias


def load_aesthetic_head(path: Path, clip: CLIP) -> AestheticHead:
    """A head from a .safetensors or .pth file: linear layers with nothing between them but dropout, so one affine map.

    raises  EncoderError for a file that is no head, or not of this CLIP
    """
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        keys = sorted((key for key in state if key.endswith("weight")), key=_place)
        layers = [(state[key].double(), state[key.replace("weight", "bias")].double()) for key in keys]
        if not layers or any(matrix.ndim != 2 for matrix, _ in layers):
            raise ValueError("it holds no linear layer")
        if len(layers) > 1 and tuple(map(_place, keys)) != LINEAR:
            raise ValueError(f"its layers lie at {', '.join(str(_place(key)) for key in keys)}: there is something else between them than in LAION's linear one")
        weight, bias = layers[0]
        for after, shift in layers[1:]:
            weight, bias = after @ weight, after @ bias + shift
        if weight.shape[0] != 1:
            raise ValueError(f"it ends in {weight.shape[0]} numbers")
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, IndexError, AttributeError, TypeError, UnpicklingError, SafetensorError) as problem:
        line = "it holds more than tensors" if isinstance(problem, UnpicklingError) else (str(problem) or type(problem).__name__).splitlines()[0]
        raise EncoderError(f"{path}: is not an aesthetic head ({line}). Give LAION's sac+logos+ava1-l14-linearMSE file.") from None
    if weight.shape[1] != clip.width:
        raise EncoderError(f"{path}: wants vectors of {weight.shape[1]} numbers, and {clip.name} gives {clip.width}. Give the CLIP that the head was trained on.")
    return AestheticHead(f"{called(path, [path])}: linear head on {clip.name}", weight[0].numpy(), float(bias[0]))


def _place(key: str) -> int:
    """ "layers.4.weight" -> 4"""
    return next((int(part) for part in key.split(".") if part.isdigit()), 0)


def aesthetic_head(path: Path | None, clip: CLIP, embedded: bool) -> AestheticHead | None:
    """The head that is named; else the toybox's own where the CLIP is (`embedded`), and none for another CLIP."""
    if path:
        return load_aesthetic_head(path, clip)
    return load_aesthetic_head(EMBEDDED / "aesthetic.safetensors", clip) if embedded else None
