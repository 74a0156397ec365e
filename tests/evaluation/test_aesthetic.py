"""Marks for looks: the head, the embedded one, and what it was taught."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from likeness.evaluation.aesthetic import aesthetic_head, load_aesthetic_head
from likeness.evaluation.encoders import EncoderError
from likeness.evaluation.loading import EMBEDDED, load_clip
from likeness.evaluation.options import Encoders
from likeness.files.errors import UserError
from likeness.toybox.aesthetic_training import BEST, WAYS, WORST, ridge, spoilt
from likeness.workflow.looking import open_judges
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, photo_scenes


@pytest.fixture(scope="module")
def clip():
    return load_clip(EMBEDDED / "clip")


@pytest.fixture(scope="module")
def renders():
    return [draw(scene, 64) for name in ("biscuit", "mimi", "clover", "bruno") for scene in photo_scenes(SUBJECTS[name].appearance, 5, 11)]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_embedded_judge_gives_whole_pictures_better_marks(way, clip, renders):
    head, rng = aesthetic_head(None, clip, embedded=True), np.random.default_rng(0)
    assert head is not None
    whole, half, badly = (head.scores(clip.pictures([way(image, much, rng) for image in renders])).mean() for much in (0.0, 0.5, 1.0))
    assert whole > half + 0.5
    assert half > badly


def test_another_clip_has_no_head_unless_one_is_named(clip, tmp_path):
    assert aesthetic_head(None, clip, embedded=False) is None
    save_file({"weight": torch.zeros(1, 5), "bias": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(EncoderError, match=r"wants vectors of 5 numbers.*gives 128"):
        load_aesthetic_head(tmp_path / "other.safetensors", clip)


def test_ridge_regression_is_least_squares_with_the_strength_as_further_rows():
    rng = np.random.default_rng(0)
    vectors, marks = rng.normal(size=(40, 6)) + 3, rng.normal(size=40)
    weight, bias = ridge(vectors, marks, strength=0.7)
    rows = np.vstack([np.hstack([vectors, np.ones((40, 1))]), np.hstack([np.sqrt(0.7) * np.eye(6), np.zeros((6, 1))])])
    expected = np.linalg.lstsq(rows, np.concatenate([marks, np.zeros(6)]), rcond=None)[0]
    np.testing.assert_allclose([*weight, bias], expected, atol=1e-8)


def test_a_picture_that_is_left_as_it_is_has_the_best_mark(renders):
    rng = np.random.default_rng(0)
    marked = [(image, *spoilt(image, rng)) for image in renders]
    assert all(WORST <= mark <= BEST for _, _, mark in marked)
    assert all((np.asarray(before) == np.asarray(after)).all() for before, after, mark in marked if mark == BEST)
    assert sum(mark == BEST for _, _, mark in marked) < len(marked) / 2


def test_a_missing_head_is_said_before_anything_is_opened(tmp_path):
    with pytest.raises(UserError, match="--aesthetic-head .*: no such file"):
        open_judges("toybox", Encoders(aesthetic_head=tmp_path / "none.pth"))


@pytest.mark.parametrize("content", [b"", b"no head"])
@pytest.mark.parametrize("name", ["head.safetensors", "head.pth"])
def test_a_file_that_is_no_head_is_said_in_one_line(content, name, clip, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EncoderError, match="is not an aesthetic head"):
        load_aesthetic_head(tmp_path / name, clip)


def test_a_head_with_relus_between_its_layers_is_refused(clip, tmp_path):
    """LAION's reluMSE heads hold the same kind of layers, further apart; read as one affine map their marks would be wrong without a word."""
    head = nn.Sequential(nn.Linear(clip.width, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 1))
    torch.save({f"layers.{key}": value for key, value in head.state_dict().items()}, tmp_path / "head.pth")
    with pytest.raises(EncoderError, match="layers lie at 0, 3, 6"):
        load_aesthetic_head(tmp_path / "head.pth", clip)


@pytest.mark.parametrize("state", [[], torch.zeros(3), {"state_dict": {}}, {"weight": torch.zeros(128), "bias": torch.zeros(1)}, {"weight": "text", "bias": ""}])
def test_a_file_of_other_things_is_no_head(state, clip, tmp_path):
    torch.save(state, tmp_path / "head.pth")
    with pytest.raises(EncoderError, match="is not an aesthetic head"):
        load_aesthetic_head(tmp_path / "head.pth", clip)
