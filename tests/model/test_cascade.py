"""A super-resolution stage is shown and told what DeepFloyd IF's is; and only what is one is opened as one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from likeness.files.errors import UserError
from likeness.model.base import Base
from likeness.model.cascade import Upscaler, attached_upscaler
from likeness.model.folder import find_upscaler
from likeness.model.trajectory import enlarge


@pytest.fixture
def base(tiny_folders) -> Base:
    return Base.open(str(tiny_folders["deepfloyd"]))


@pytest.fixture
def upscaler(base, tiny_upscalers) -> Upscaler:
    return attached_upscaler(base, str(tiny_upscalers["deepfloyd"]))


def test_the_small_picture_is_enlarged_and_noised_as_diffusers_does(upscaler):
    """Bilinear, corners in the corners; the schedule's own add_noise; each picture at its level."""
    small, noise, levels = torch.rand(3, 3, 16, 16) * 2 - 1, torch.randn(3, 3, 32, 32), torch.tensor([0, 20, 250])
    theirs = upscaler.noising.add_noise(F.interpolate(small, (32, 32), mode="bilinear", align_corners=True), noise, levels)
    shown = upscaler.shown(small, levels, noise)
    torch.testing.assert_close(shown, theirs)
    assert (shown[0, :, 0, 0] - small[0, :, 0, 0]).abs().max() < 0.05  # a corner is a corner; level 0 hides next to nothing


def test_reduced_augmentation_is_a_small_variance(upscaler):
    """Levels on DeepFloyd IF's schedule: what DreamBooth calls 1e-5 to 1e-3 lies below 13, what is drawn with by default is .154."""
    variance = 1 - upscaler.noising.alphas_cumprod
    assert [f"{variance[level]:.1e}" for level in (0, 10, 250)] == ["4.1e-05", "7.2e-04", "1.5e-01"]


def test_the_network_is_told_level_and_timestep_apart(upscaler, subject_photos):
    told = []
    upscaler.unet.register_forward_pre_hook(lambda module, args, kwargs: told.append((args, kwargs)), with_kwargs=True)
    (large,) = enlarge(upscaler, subject_photos[:1], ["a dog"], [0], 4, 4.0, 7)
    assert large.size == (32, 32)
    timesteps = [int(args[1][0]) for args, _ in told]
    assert len(set(timesteps)) == 4 and timesteps[0] > 700
    assert all(kwargs["class_labels"].tolist() == [7, 7] for _, kwargs in told)
    shown = [args[0][:, 3:] for args, _ in told]
    assert all(torch.equal(one, shown[0]) for one in shown), "the small picture is noised once"


def test_a_picture_depends_on_its_seed_and_prompt_alone(upscaler, subject_photos):
    def drawn(photos, prompts, seeds, level=10):
        return [picture.tobytes() for picture in enlarge(upscaler, photos, prompts, seeds, 2, 4.0, level)]

    first = drawn(subject_photos[:1], ["a dog"], [1])
    assert drawn(subject_photos[:1], ["a dog"], [1]) == first
    assert len({*first, *drawn(subject_photos[:1], ["a dog"], [2]), *drawn(subject_photos[:1], ["a cat"], [1]), *drawn(subject_photos[:1], ["a dog"], [1], 300)}) == 4


def test_its_noise_is_not_the_first_stages(base, upscaler, subject_photos, monkeypatch):
    """The same seed draws both stages; noise that repeats would tell the second what the first made of it."""
    from likeness.model import trajectory

    drawn, usual = [], trajectory._noise
    monkeypatch.setattr(trajectory, "_noise", lambda *arguments: drawn.append(usual(*arguments)) or drawn[-1])
    first = trajectory.initial_latents(base, [5]).flatten()
    list(enlarge(upscaler, subject_photos[:1], ["a dog"], [5], 1, 1.0, 0))
    assert all(not torch.equal(noise.flatten()[:100], first[:100]) for noise in drawn[1:])


def test_one_stage_is_opened_once(base, upscaler, tiny_upscalers):
    assert attached_upscaler(base, str(tiny_upscalers["deepfloyd"])) is upscaler
    assert "upscaler" in base.parts and upscaler.scheduler.config.variance_type == "fixed_small"
    with pytest.raises(UserError, match="has another super-resolution stage already"):
        attached_upscaler(base, str(tiny_upscalers["epsilon"]))


def test_a_stage_that_hears_another_text_encoder_is_refused(base, tiny_upscalers):
    with pytest.raises(UserError, match="reads 40 numbers a word, and .* says 24"):
        attached_upscaler(base, str(tiny_upscalers["sdxl"]))


def test_bases_and_stages_are_not_taken_for_each_other(tiny_folders, tiny_upscalers):
    with pytest.raises(UserError, match="is a super-resolution stage, which enlarges pictures and draws none"):
        Base.open(str(tiny_upscalers["deepfloyd"]))
    with pytest.raises(UserError, match="is no super-resolution stage"):
        find_upscaler(str(tiny_folders["deepfloyd"]))
    with pytest.raises(UserError, match="--upscaler takes `toybox`"):
        find_upscaler("nowhere")


def test_a_stages_folder_is_data(tiny_upscalers, tmp_path):
    """Its own text encoder may stand there and is not loaded, whatever it is."""
    folder = Path(shutil.copytree(tiny_upscalers["deepfloyd"], tmp_path / "stage"))
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace('"text_encoder": [\n    null,\n    null\n  ]', '"text_encoder": ["transformers", "T5EncoderModel"]'))
    assert find_upscaler(str(folder)) == folder and "T5EncoderModel" in index.read_text()
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(UserError, match="a pickle that could run code"):
        find_upscaler(str(folder))
