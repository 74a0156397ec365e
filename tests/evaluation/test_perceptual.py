"""LPIPS from its weights, against the distance taken pair by pair as the paper writes it; and the sums that stand for all pairs."""

from __future__ import annotations

import pickle
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from likeness.evaluation.encoders import EncoderError
from likeness.evaluation.loading import EMBEDDED, load_dino
from likeness.evaluation.perceptual import Spread, _lengths, load_lpips, unit_maps

CHANNELS = (64, 192, 384, 256, 256)


def alexnet() -> nn.Sequential:
    """The layers before the classifier, as torchvision numbers them."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    torch.manual_seed(0)
    return alexnet().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def weights() -> list[torch.Tensor]:
    return [torch.rand(1, channels, 1, 1, generator=torch.Generator().manual_seed(n)) for n, channels in enumerate(CHANNELS)]


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    return [Image.fromarray(np.random.default_rng(n).integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 48), Image.Resampling.BICUBIC) for n in range(4)]


@pytest.fixture(scope="module")
def folder(network, weights, tmp_path_factory) -> Path:
    """The two files as they are published: an AlexNet with its classifier, and the five layers."""
    path = tmp_path_factory.mktemp("lpips")
    torch.save({f"features.{name}": values for name, values in network.state_dict().items()} | {"classifier.1.weight": torch.zeros(2, 2)}, path / "alexnet-owt.pth")
    torch.save({f"lin{n}.model.1.weight": weight for n, weight in enumerate(weights)}, path / "alex.pth")
    return path


def by_hand(network: nn.Sequential, weights: list[torch.Tensor], first: Image.Image, second: Image.Image) -> float:
    """Two pictures, layer by layer: unit length over channels, squared difference, a 1 × 1 convolution, mean over positions."""
    taken = []
    for picture in (first, second):
        pixels = torch.tensor(np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC)) / 255 * 2 - 1, dtype=torch.float32).permute(2, 0, 1)[None]
        seen = (pixels - torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)) / torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        maps = []
        for layer in network:
            seen = layer(seen)
            if isinstance(layer, nn.ReLU):
                maps.append(seen)
        taken.append(maps)
    distance = 0.0
    for mine, theirs, weight in zip(*taken, weights):
        a, b = (each / (each.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for each in (mine, theirs))
        distance += float(nn.functional.conv2d((a - b) ** 2, weight).mean())
    return distance


def test_squared_distance_of_features_is_lpips(folder, network, weights, pictures):
    lpips = load_lpips(folder)
    features = lpips.features(lpips.pixels(pictures))
    for n, m in combinations(range(len(pictures)), 2):
        assert float((features[n] - features[m]).square().sum()) == pytest.approx(by_hand(network, weights, pictures[n], pictures[m]), rel=1e-4)  # float32 sums


def test_one_file_of_both_is_read_alike(folder, network, weights, pictures, tmp_path):
    """As lpips.LPIPS(net="alex").state_dict() names them, every layer twice."""
    slices = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}
    state = {f"net.slice{slices[int(name.split('.')[0])]}.{name}": values for name, values in network.state_dict().items()}
    state |= {f"lin{n}.model.1.weight": weight for n, weight in enumerate(weights)} | {f"lins.{n}.model.1.weight": weight.clone() for n, weight in enumerate(weights)}
    save_file(state, tmp_path / "both.safetensors")
    one, two = load_lpips(tmp_path / "both.safetensors"), load_lpips(folder)
    pixels = one.pixels(pictures[:1])
    torch.testing.assert_close(one.features(pixels), two.features(pixels), rtol=0, atol=0)


@pytest.mark.parametrize("sizes", [(2, 3, 1), (5, 4, 2)])
def test_sums_give_the_mean_over_all_pairs(sizes):
    groups = [name for name, size in zip("abc", sizes) for _ in range(size)]
    order = np.random.default_rng(0).permutation(len(groups))
    features = torch.randn(len(groups), 7, generator=torch.Generator().manual_seed(1))
    spread = Spread([groups[n] for n in order])
    for part in np.array_split(order, 3):
        spread.add([groups[n] for n in part], features[part])
    for name, size in zip("abc", sizes):
        rows = features[[n for n, group in enumerate(groups) if group == name]]
        pairs = [float((rows[i] - rows[j]).square().sum()) for i in range(size) for j in range(size) if i != j]
        if size > 1:
            assert spread.means[name] == pytest.approx(np.mean(pairs), rel=1e-5)  # float32 rows
        else:
            assert name not in spread.means


def test_pictures_that_are_alike_are_not_apart():
    spread = Spread(["a"] * 3)
    spread.add(["a"] * 3, 1000 * torch.ones(3, 50))
    assert spread.means["a"] == pytest.approx(0, abs=1e-6)


def test_the_stand_in_is_the_mean_of_one_minus_cosine_over_places_and_levels(pictures):
    dino = load_dino(EMBEDDED / "dino")
    vectors, maps = dino.embed_with_maps(dino.pixels(pictures))
    torch.testing.assert_close(vectors, dino.embed(dino.pixels(pictures)))
    assert len({each.shape[1:] for each in maps}) == 4
    features = unit_maps(maps)
    cosines = [nn.functional.cosine_similarity(each[0], each[1], dim=0).mean() for each in maps]
    assert float((features[0] - features[1]).square().sum()) == pytest.approx(float(1 - torch.stack(cosines).mean()), rel=1e-4)


def test_weights_that_are_none_are_named(folder, network, weights, tmp_path):
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"features.0.weight": Path}))
    with pytest.raises(EncoderError, match="holds more than tensors|cannot be read"):
        load_lpips(tmp_path / "evil.pth")
    with pytest.raises(EncoderError, match="has no tensor named like"):
        load_lpips(folder / "alex.pth")
    state = {f"features.{name}": values for name, values in network.state_dict().items()}
    state |= {f"lin{n}.model.1.weight": weight - 0.5 for n, weight in enumerate(weights)}
    save_file(state, tmp_path / "negative.safetensors")
    with pytest.raises(EncoderError, match="below 0"):
        load_lpips(tmp_path / "negative.safetensors")


@pytest.mark.parametrize("shape", [(3, 48, 24, 24), (2, 256, 3, 3), (2, 16, 1, 2)])
def test_lengths_are_torchs_to_the_last_bit(shape):
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(2)).relu()
    assert torch.equal(_lengths(maps), maps.norm(dim=1, keepdim=True))
