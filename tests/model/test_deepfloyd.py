"""DeepFloyd IF's first stage: what is told to its networks is what diffusers' own pipeline tells them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import IFPipeline

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.methods.lcm import LCM
from likeness.methods.lcm import Spec as LCMSpec
from likeness.model.base import Base
from likeness.model.deepfloyd import DeepFloyd
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Silent
from likeness.workflow.stack import stage_types


@pytest.fixture
def base(tiny_folders) -> Base:
    return Base.open(str(tiny_folders["deepfloyd"]))


@pytest.mark.parametrize("prompt", ["a photo of a dog", "A Dog on the BEACH ", "", "a dog " * 60])
def test_prompts_are_encoded_as_its_pipeline_does(prompt, base, tiny_folders):
    """T5 is told by a mask where a prompt ends; without it, padding would be read as words."""
    pipeline = IFPipeline.from_pretrained(tiny_folders["deepfloyd"], watermarker=None)
    with torch.no_grad():
        theirs, _ = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False, device=torch.device("cpu"))
        torch.testing.assert_close(base.condition([prompt]).states, theirs)


def test_latents_are_pixels(base, subject_photos):
    mean, std = base.moments(subject_photos)
    assert std.count_nonzero() == 0 and mean.shape == (len(subject_photos), 3, 16, 16)
    assert [picture.tobytes() for picture in base.decode(mean)] == [photo.tobytes() for photo in subject_photos]
    assert np.allclose(mean[0, :, 3, 5], np.array(subject_photos[0])[3, 5] / 127.5 - 1)


def test_the_prediction_is_the_half_that_is_noise(base):
    latents, t, told = torch.randn(2, 3, 16, 16), torch.tensor([10, 900]), base.condition(["a dog", "a cat"])
    with torch.no_grad():
        whole = base.unet(latents, t, told.states).sample
        assert whole.shape[1] == 6 and torch.equal(base.predict(latents, t, told), whole[:, :3])


def test_a_student_is_refused_where_the_first_step_has_next_to_no_picture(base):
    """Its cosine schedule ends at ᾱ = 2.4e-9: a guess of the picture would err by twenty thousand times the guess of the noise."""
    assert 1e-10 < base.alphas_cumprod[-1] < 1e-8
    with pytest.raises(UserError, match="ends in nothing but noise"):
        LCM(LCMSpec(), base)


def test_a_student_hears_its_guidance(base):
    base.scheduler = type(base.scheduler).from_config(base.scheduler.config, beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    LCM(LCMSpec(student="full", zero_init=False), base)
    latents, t, told = torch.randn(1, 3, 16, 16), torch.tensor([500]), base.condition(["a dog"])
    with torch.no_grad():
        weak, strong = (base.predict(latents, t, replace(told, guidance=torch.tensor([scale]))) for scale in (1.0, 16.0))
    assert not torch.allclose(weak, strong)


def test_its_scheduler_has_a_fixed_variance_and_keeps_its_threshold(base, tiny_folders):
    """The learned variance is not trained with the noise: a pipeline that is saved must not read it."""
    assert json.loads((tiny_folders["deepfloyd"] / "scheduler" / "scheduler_config.json").read_text())["variance_type"] == "learned_range"
    assert base.scheduler.config.variance_type == "fixed_small"
    assert base.sampler().config.thresholding and base.sampler().config.sample_max_value == 1.5


@pytest.mark.parametrize("method", ["textual_inversion", "custom_diffusion"])
def test_new_words_are_refused_in_one_line(method, tiny_folders, photo_folder, tmp_path):
    content = {"base": str(tiny_folders["deepfloyd"]), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [{"method": method, "steps": 1}]}
    with pytest.raises(UserError, match="cannot learn a new word such as <.*Use dreambooth or lora"):
        fit(recipe_from_dict(content, stage_types()), tmp_path, Silent())


def test_what_t5_will_not_read_is_named(base):
    assert base.cut_off("a dog " * 39) == "a dog" and base.cut_off("a dog") == ""


def test_computing_activations_twice_drops_nothing_out(base):
    """T5 has dropout, and to spare memory it must be in training mode."""
    before = base.condition(["a photo of a dog"]).states
    base.spare_memory(text_encoders=True)
    assert torch.equal(base.condition(["a photo of a dog"]).states, before)


def index(folder: Path, **changes) -> Path:
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def test_its_folder_is_data(tiny_folders, tmp_path):
    copy = Path(shutil.copytree(tiny_folders["deepfloyd"], tmp_path / "if"))
    assert isinstance(Base.open(str(index(copy, safety_checker=["deepfloyd_if", "IFSafetyChecker"], watermarker=["deepfloyd_if", "IFWatermarker"]))), DeepFloyd)
    (copy / "unet" / "custom.py").write_text("raise SystemExit")
    with pytest.raises(UserError, match="carries code"):
        Base.open(str(copy))
    (copy / "unet" / "custom.py").unlink()
    with pytest.raises(UserError, match="has a image_encoder_2|has a vae"):
        Base.open(str(index(copy, image_encoder_2=["transformers", "CLIPVisionModel"])))
