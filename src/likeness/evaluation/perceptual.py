"""How far apart pictures of one prompt look: LPIPS, or a stand-in for it, as one mean over all pairs.

LPIPS (Zhang et al. 2018, arXiv 1801.03924), version 0.1 on AlexNet: features of five layers, each position scaled to unit length, squared
differences weighted by channel. That is a squared distance between vectors, so the mean over pairs follows from their sum and their squared
lengths (`Spread`): n passes for n pictures, and no pair is ever formed. What a reader would get wrong: pictures enter in [-1, 1] and are scaled once
more by constants that are not ImageNet's; the unit length is over channels at one position, not over the map; a layer counts by the mean over its positions.

Without LPIPS's weights a stand-in takes the feature maps of the judge of identity in the same way (`unit_maps`). Its figures are its own: they compare with each other and with no LPIPS.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .encoders import EncoderError
from .loading import called

EDGE = 224  # pixels a side, as DreamBooth reports resize before LPIPS
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pixels in [-1, 1]; PerceptualSimilarity's scaling layer
CONVOLUTIONS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}  # place in AlexNet's `features`: stride, padding; a ReLU after each
POOLED_BEFORE = (3, 6)  # 3 × 3, stride 2
TINY = 1e-10  # added to a length before dividing by it


class LPIPS:
    """AlexNet's five feature maps, weighted so that the squared distance of two vectors is LPIPS."""

    def __init__(self, convolutions: dict[int, tuple[Tensor, Tensor]], weights: Sequence[Tensor], name: str, device: str = "cpu"):
        self.convolutions = {place: (weight.to(device), bias.to(device)) for place, (weight, bias) in convolutions.items()}
        self.roots = [weight.to(device).reshape(1, -1, 1, 1).sqrt() for weight in weights]
        self.name = name
        self.device = device

    def pixels(self, pictures: Sequence[Image.Image]) -> Tensor:
        """[n, 3, 224, 224], scaled as the network wants them."""
        shown = [np.asarray(picture.convert("RGB").resize((EDGE, EDGE), Image.Resampling.BICUBIC)) for picture in pictures]
        values = torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2).float() / 127.5 - 1
        return ((values - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]).to(self.device)

    @torch.no_grad()
    def features(self, pixels: Tensor) -> Tensor:
        """[n, d]; the squared distance of two rows is the LPIPS of their pictures."""
        maps, seen = [], pixels
        for place, (stride, padding) in CONVOLUTIONS.items():
            if place in POOLED_BEFORE:
                seen = torch.nn.functional.max_pool2d(seen, 3, 2)
            seen = torch.nn.functional.conv2d(seen, *self.convolutions[place], stride=stride, padding=padding).relu()
            maps.append(seen)
        return _side_by_side(maps, self.roots)


def load_lpips(source: Path, device: str = "cpu") -> LPIPS:
    """LPIPS from one file that holds AlexNet and the five layers, or from a folder with a file of each; .pth and .safetensors are read, .pth without unpickling code.

    raises  EncoderError that says what is missing
    """
    files = sorted(path for path in source.iterdir() if path.suffix in (".pth", ".pt", ".safetensors")) if source.is_dir() else [source]
    state: dict[str, Tensor] = {}
    for file in files:
        state |= _tensors(file)
    convolutions = {place: (_one(state, rf"(features|slice\d)\.{place}\.weight$", source), _one(state, rf"(features|slice\d)\.{place}\.bias$", source)) for place in CONVOLUTIONS}
    weights = [_one(state, rf"(^|\.)lins?\.?{n}\.model\.\d\.weight$", source) for n in range(len(CONVOLUTIONS))]
    for (kernel, _), weight in zip(convolutions.values(), weights):
        if weight.numel() != len(kernel) or (weight < 0).any():
            raise EncoderError(f"{source}: a layer has {weight.numel()} weights for {len(kernel)} channels, or one below 0; LPIPS v0.1 on AlexNet has neither")
    return LPIPS(convolutions, weights, f"{called(source, files)}: LPIPS v0.1 on AlexNet, resized to {EDGE}×{EDGE} bicubic", device)


def unit_maps(maps: Sequence[Tensor]) -> Tensor:
    """Feature maps [n, c, h, w] or [n, positions, c] as vectors [n, d]: squared distances are 1 - cosine, the mean over positions and then over layers."""
    images = [each if each.ndim == 4 else each.transpose(1, 2)[..., None] for each in maps]
    share = torch.tensor(1 / (2 * len(images)))
    return _side_by_side([each.float() for each in images], [share.sqrt().to(each.device) for each in images])


class Spread:
    """Mean squared distance over all pairs of each group, from sums: 2 / (n - 1) · (Σ|f|² - |Σf|² / n)."""

    def __init__(self, groups: Sequence[Hashable]):
        self._left = Counter(groups)
        self._sizes = dict(self._left)
        self._sums: dict[Hashable, tuple[Tensor, float]] = {}
        self.means: dict[Hashable, float] = {}  # of groups of at least two pictures, once all of them were seen

    def add(self, groups: Sequence[Hashable], features: Tensor) -> None:
        """Take in some pictures' features [b, d]. float64: a small distance is the difference of two large sums."""
        for group, single in zip(groups, features):
            row = single.double()
            total, squares = self._sums.get(group, (None, 0.0))
            self._sums[group] = row if total is None else total.add_(row), squares + float(row @ row)
            self._left[group] -= 1
            if not self._left[group]:
                total, squares = self._sums.pop(group)  # what is done needs no memory
                n = self._sizes[group]
                if n > 1:
                    self.means[group] = max(0.0, 2 / (n - 1) * (squares - float(total @ total) / n))


def _side_by_side(maps: Sequence[Tensor], roots: Sequence[Tensor]) -> Tensor:
    """Unit length over the channels of each position, times the root of the channel's weight, so that positions are averaged. k times [n, c, h, w] -> [n, Σ c·h·w]"""
    features = maps[0].new_empty(len(maps[0]), sum(each[0].numel() for each in maps))
    parts = features.split([each[0].numel() for each in maps], dim=1)
    for seen, root, part in zip(maps, roots, parts):
        unit = torch.div(seen, _lengths(seen) + TINY, out=part.view(seen.shape))  # in place, there are many megabytes of them
        unit.mul_(root).div_((seen.shape[2] * seen.shape[3]) ** 0.5)
    return features


def _lengths(seen: Tensor) -> Tensor:
    """Length over the channels of each position, [n, c, h, w] -> [n, 1, h, w]. numpy adds channels in torch's order to the same bits, but whole rows at once: a seventh of the time."""
    if seen.is_contiguous() and seen.device.type == "cpu":
        return torch.from_numpy(np.sqrt(np.square(seen.numpy()).sum(axis=1, keepdims=True)))
    return seen.norm(dim=1, keepdim=True)


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        state = load_file(file) if file.suffix == ".safetensors" else torch.load(file, map_location="cpu", weights_only=True)
        return {str(name): values.float() for name, values in state.items() if isinstance(values, Tensor)}
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError, AttributeError, KeyError) as problem:
        raise EncoderError(f"{file}: cannot be read as weights ({str(problem).splitlines()[0] if str(problem) else type(problem).__name__})") from None
    except Exception as problem:  # pickle's own, of a file that holds more than tensors
        raise EncoderError(f"{file}: holds more than tensors, so it is not opened ({type(problem).__name__})") from None


def _one(state: dict[str, Tensor], pattern: str, source: Path) -> Tensor:
    found = [values for name, values in state.items() if re.search(pattern, name)]
    if not found:
        raise EncoderError(
            f"{source}: has no tensor named like {pattern}. Give a folder with torchvision's AlexNet (alexnet-owt-….pth) and LPIPS's alex.pth, or one file that holds both."
        )
    return found[0]
