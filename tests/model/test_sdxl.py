"""What Stable Diffusion XL is told of sizes: in training the photo's own size and where it was cut, in drawing a whole picture."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from likeness.files.recipe import recipe_from_dict
from likeness.model.base import Base
from likeness.model.denoiser import Conditioning, pixels_of
from likeness.model.trajectory import initial_latents, sample
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.progress import Silent
from likeness.workflow.stack import stage_types


def test_photos_tell_their_size_and_cut_and_pictures_are_whole(tiny_folders, photo_folder, tmp_path, monkeypatch):
    """Photos of 40 x 32 pixels, trained at 16: scaled to 20 x 16, and the middle begins 2 from the left."""
    seen: list[torch.Tensor] = []
    opened = Base.open

    def watched(*arguments):
        base = opened(*arguments)
        base.unet.register_forward_pre_hook(lambda module, args, kwargs: seen.append(kwargs["added_cond_kwargs"]["time_ids"]), with_kwargs=True)
        return base

    monkeypatch.setattr(Base, "open", watched)
    stage = {"method": "lora", "steps": 1, "batch_size": 2, "prior_weight": 1.0, "class_pictures": 2, "class_steps": 1}
    content = {"base": str(tiny_folders["sdxl"]), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [stage]}
    run = fit(recipe_from_dict(content, stage_types()), tmp_path, Silent())
    whole = [16, 16, 0, 0, 16, 16]
    assert seen[-1].tolist() == [[32, 40, 0, 2, 16, 16]] * 2 + [whole] * 2  # two photos, two class pictures
    assert all(row == whole for times in seen[:-1] for row in times.tolist())
    seen.clear()
    generate(run, ["a {}"], [0], Silent(), steps=1)
    assert seen and all(row == whole for times in seen for row in times.tolist())


def test_another_size_is_another_prediction(tiny_folders):
    base = Base.open(str(tiny_folders["sdxl"]))
    told = base.condition(["a dog"])
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = base.predict(latents, torch.tensor([500]), told)
    assert torch.equal(plain, base.predict(latents, torch.tensor([500]), Conditioning(told.states, told.pooled, torch.tensor([[16, 16, 0, 0]]))))
    assert not torch.allclose(plain, base.predict(latents, torch.tensor([500]), Conditioning(told.states, told.pooled, torch.tensor([[400, 300, 0, 40]]))))


def test_latents_of_a_stated_mean_and_deviation_are_diffusers(tiny_folders, tmp_path):
    """As some pipelines of this family say them; brought to 0 and 1 before the factor, and back."""
    folder = Path(shutil.copytree(tiny_folders["sdxl"], tmp_path / "base"))
    config = json.loads((folder / "vae" / "config.json").read_text())
    means, deviations = [0.5, -1.0, 0.25, 0.0], [2.0, 0.5, 1.5, 3.0]
    (folder / "vae" / "config.json").write_text(json.dumps({**config, "latents_mean": means, "latents_std": deviations}))
    base, pipeline = Base.open(str(folder)), StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = base.sampler()
    pipeline.text_encoder_2.text_model.eos_token_id = pipeline.tokenizer_2.eos_token_id
    (ours,) = sample(base, ["a dog"], [7], 3, 5.0)
    theirs = pipeline("a dog", latents=initial_latents(base, [7]), num_inference_steps=3, guidance_scale=5.0, output_type="pt").images
    assert (theirs * 2 - 1 - pixels_of(ours)).abs().max() < 0.5 / 127.5 + 1e-3  # ours are 8 bits deep
    picture = ours.resize((16, 16))
    mean, _ = base.moments([picture])
    plain = base.vae.encode(pixels_of(picture)).latent_dist.mean
    torch.testing.assert_close(mean, (plain - torch.tensor(means).view(1, 4, 1, 1)) / torch.tensor(deviations).view(1, 4, 1, 1) * config["scaling_factor"])


@pytest.mark.parametrize("silent", [True, False])
def test_an_empty_prompt_is_what_diffusers_pipeline_makes_of_it(silent, tiny_folders, tmp_path):
    folder = Path(shutil.copytree(tiny_folders["sdxl"], tmp_path / "base"))
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "force_zeros_for_empty_prompt": silent}))
    pipeline = StableDiffusionXLPipeline.from_pretrained(folder)
    _, unsaid, _, pooled = pipeline.encode_prompt("a dog", do_classifier_free_guidance=True)
    ours = Base.open(str(folder)).condition([""])
    assert torch.allclose(ours.states, unsaid, atol=1e-5) and ours.pooled is not None and torch.allclose(ours.pooled, pooled, atol=1e-5)
    assert bool(ours.states.any()) is not silent
