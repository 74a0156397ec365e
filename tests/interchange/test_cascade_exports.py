"""What plain diffusers draws from an exported cascade is what we draw, stage by stage (law 12).

Three guided steps in float32, of the pixels themselves.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import IFPipeline, IFSuperResolutionPipeline

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.model.base import Base
from likeness.model.denoiser import pixels_of
from likeness.model.trajectory import SECOND, enlarge, sample
from likeness.workflow.exporting import export
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Silent
from likeness.workflow.stack import put_on, stage_types

DREAMBOOTH = {"method": "dreambooth", "steps": 2, "learning_rate": 1e-3, "prior_weight": 0.0}
LORA = {"method": "lora", "steps": 2, "learning_rate": 1e-2}
PROMPT = "a photo of a sks dog"


@pytest.fixture
def trained(tiny_folders, tiny_upscalers, photo_folder, tmp_path):
    def run(*stages: dict):
        content = {"base": str(tiny_folders["deepfloyd"]), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": list(stages)}
        return fit(recipe_from_dict(content, stage_types()), tmp_path / "runs", Silent())

    return run


def their_states(pipeline: IFPipeline) -> tuple[torch.Tensor, torch.Tensor]:
    return pipeline.encode_prompt(PROMPT, device=torch.device("cpu"))


def close(theirs: torch.Tensor, ours) -> None:
    """Ours are 8 bits deep: half a step of 127.5 and what the walk rounds."""
    assert (theirs.clamp(-1, 1) - pixels_of(ours)).abs().max() < 0.5 / 127.5 + 1e-3


@pytest.mark.parametrize("stage", [DREAMBOOTH, LORA, {**LORA, "train_text_encoder": True}])
def test_diffusers_draws_our_first_stage(stage, trained, tiny_folders):
    run = trained(stage)
    (path,) = export(run, "diffusers", Silent())
    pipeline = IFPipeline.from_pretrained(path if path.is_dir() else tiny_folders["deepfloyd"], watermarker=None)
    assert ('variance_type="fixed_small"' in (path.parent / "README.md").read_text()) == (not path.is_dir())  # a pipeline's scheduler has it already
    if not path.is_dir():
        pipeline.load_lora_weights(path.parent, weight_name=path.name)
    base = put_on(Base.open(str(tiny_folders["deepfloyd"])), run.latest()).base
    pipeline.scheduler = base.sampler()
    said, unsaid = their_states(pipeline)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        prompt_embeds=said, negative_prompt_embeds=unsaid, num_inference_steps=3, guidance_scale=5.0, output_type="pt", generator=torch.Generator().manual_seed(7)
    ).images  # type: ignore[union-attr]
    (ours,) = sample(base, [PROMPT], [7], 3, 5.0)
    close(theirs, ours)


def test_what_no_tool_reads_of_a_cascades_lora(trained):
    """diffusers loads no LoRA of T5, and kohya's layout knows Stable Diffusion's networks alone."""
    assert export(trained({**LORA, "train_text_encoder": True}), "diffusers", Silent())[0].is_dir()
    with pytest.raises(UserError, match="DeepFloyd IF. Use --to diffusers"):
        export(trained(LORA), "comfyui", Silent())


def test_diffusers_draws_our_second_stage(trained, tiny_folders, tiny_upscalers, subject_photos):
    """From the exported folders alone: the first stage's text encoder tells the second what to draw, the noise level is the card's."""
    run = trained(DREAMBOOTH, {"method": "super_resolution", "upscaler": str(tiny_upscalers["deepfloyd"]), "steps": 2, "learning_rate": 1e-3})
    first, second = export(run, "diffusers", Silent())
    assert "noise_level=10" in (Path(first).parent / "README.md").read_text()
    said, unsaid = their_states(IFPipeline.from_pretrained(first, watermarker=None))
    pipeline = IFSuperResolutionPipeline.from_pretrained(second, watermarker=None)
    assert pipeline.scheduler.config.variance_type == "fixed_small"
    upscaler = put_on(Base.open(str(tiny_folders["deepfloyd"])), run.latest()).base.upscaler
    pipeline.scheduler = upscaler.sampler()
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        image=subject_photos[0], prompt_embeds=said, negative_prompt_embeds=unsaid, num_inference_steps=3, guidance_scale=4.0, noise_level=10, output_type="pt",
        generator=torch.Generator().manual_seed(7 ^ SECOND),
    ).images  # type: ignore[union-attr]  # fmt: skip
    (ours,) = enlarge(upscaler, subject_photos[:1], [PROMPT], [7], 3, 4.0, 10)
    close(theirs, ours)
