"""Class pictures: shared, completed, and never black."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from likeness.files.errors import UserError
from likeness.files.picture import is_black, read_settings, save_picture
from likeness.learning.drawn import drawn_latents
from likeness.learning.prior import class_pictures
from likeness.model.base import Base
from likeness.model.trajectory import sample


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def drawn(base, count: int) -> list[bytes]:
    """Pixels."""
    return [picture.tobytes() for picture in class_pictures(base, "a photo of a dog", count, 2, 7.5, seed=0)]


def test_they_are_drawn_once_and_completed_when_more_are_asked(tiny_base, cache):
    few = drawn(tiny_base, 4)
    times = {path: path.stat().st_mtime_ns for path in cache.rglob("*.png")}
    many = drawn(tiny_base, 12)
    assert many[:4] == few and len(many) == 12
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert drawn(tiny_base, 4) == few


@pytest.mark.parametrize("content", ["black", "cut short", "missing", "empty"])
def test_a_spoilt_one_is_drawn_again(content, tiny_base, cache):
    """T13: a safety checker leaves black pictures."""
    whole = drawn(tiny_base, 4)
    path = sorted(cache.rglob("*.png"))[2]
    if content == "black":
        save_picture(Image.new("RGB", (16, 16)), path)
    elif content == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 60 * (content == "cut short")])
    assert drawn(tiny_base, 4) == whole
    assert not is_black(Image.open(path))


def test_a_black_one_is_drawn_from_another_seed_which_it_tells(tiny_base, cache):
    """T13. Every picture of the cache can be drawn again from what is written in it."""
    decoded = []

    def censor(module, given, output):
        decoded.append(None)
        return torch.full_like(output, -1) if len(decoded) == 3 else output

    hook = tiny_base.vae.decoder.register_forward_hook(censor)
    pictures = drawn(tiny_base, 4)
    hook.remove()
    assert all(map(any, pictures)) and len(decoded) == 16
    for path in cache.rglob("*.png"):
        told = read_settings(path)
        assert told
        again = next(sample(tiny_base, [told.prompt], [told.seed], told.steps, told.guidance_scale))
        assert again.tobytes() == Image.open(path).tobytes()


def test_a_base_that_draws_only_black_is_refused(tiny_base, cache):
    tiny_base.vae.decoder.register_forward_hook(lambda module, given, output: torch.full_like(output, -1))
    with pytest.raises(UserError, match="black pictures"):
        drawn(tiny_base, 4)
    assert list(cache.rglob("*.png")) == []


@pytest.mark.parametrize("changed", ["scheduler/scheduler_config.json", "unet/config.json", "tokenizer/tokenizer_config.json"])
def test_a_base_that_is_configured_otherwise_draws_its_own(changed, tiny_folder, cache, tmp_path):
    """Its hash is that of its weights, which runs know it by, and stays."""
    folder = shutil.copytree(tiny_folder, tmp_path / "base")
    before = Base(folder, "tiny")
    drawn(before, 1)
    drawn_latents(before, ["a dog"], 2, 7.5, seed=0)
    path = folder / changed
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **({"prediction_type": "v_prediction"} if "scheduler" in changed else {"edited": True})}))
    after = Base(folder, "tiny")
    again = drawn(after, 1)
    drawn_latents(after, ["a dog"], 2, 7.5, seed=0)
    assert after.hash == before.hash
    assert [len(list((cache / kind).iterdir())) for kind in ("class-pictures", "drawn-latents")] == [2, 2]
    assert "scheduler" not in changed or again != drawn(before, 1)
