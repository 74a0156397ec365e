"""Consistency distillation against diffusers' LCMScheduler, DDIMScheduler and pipelines, and the loss against its definition written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, LatentConsistencyModelPipeline, LCMScheduler, StableDiffusionPipeline

from likeness.learning.consistency import boundary, clean_and_noise, distance, solver_step
from likeness.learning.denoising import Examples, noised, target
from likeness.learning.method import Subject
from likeness.methods.lcm import LCM, Spec
from likeness.model.base import Base, guidance_embedding
from likeness.model.trajectory import few_steps

PROMPT = "a photo of a dog on the beach"


@pytest.fixture(params=["epsilon", "v_prediction", "sample"])
def base(request, tiny_folders) -> Base:
    return Base.open(str(tiny_folders[request.param]))


def test_the_boundary_is_the_schedulers():
    theirs = LCMScheduler()
    for t in (0, 1, 19, 500, 999):
        skip, out = boundary(torch.tensor([t]))
        expected = theirs.get_scalings_for_boundary_condition_discrete(t)
        assert (skip.item(), out.item()) == pytest.approx(tuple(map(float, expected)), abs=1e-6)
    assert [part.item() for part in boundary(torch.tensor([0]))] == [1.0, 0.0]


def some_examples(base: Base) -> Examples:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(3, 4, 8, 8, generator=generator)
    examples = Examples.with_noise(base, latents, (PROMPT,) * 3, generator)
    return Examples(latents, examples.noise, torch.tensor([19, 499, 979]), examples.prompts)


def test_a_perfect_prediction_says_picture_and_noise(base):
    examples = some_examples(base)
    clean, noise = clean_and_noise(base, target(base, examples), noised(base, examples), examples.timesteps)
    torch.testing.assert_close(clean, examples.latents, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(noise, examples.noise, atol=2e-5, rtol=1e-4)


def test_the_solver_is_ddim(base):
    theirs = DDIMScheduler.from_config(base.scheduler.config, timestep_spacing="trailing", set_alpha_to_one=False)
    theirs.set_timesteps(50)
    noisy, output = (torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    for t in (39, 499, 979):
        expected = theirs.step(output, t, noisy).prev_sample  # type: ignore[union-attr]
        torch.testing.assert_close(solver_step(base, output, noisy, torch.tensor([t]), torch.tensor([t - 20])), expected, atol=1e-5, rtol=1e-5)


def test_guidance_is_told_as_the_pipeline_tells_it():
    scales = torch.tensor([6.0, 8.5, 16.0])
    theirs = LatentConsistencyModelPipeline.get_guidance_scale_embedding(None, scales - 1, 256)  # type: ignore[arg-type]
    torch.testing.assert_close(guidance_embedding(scales, 256), theirs)


def pipeline_of(base: Base) -> Any:
    parts: dict[str, Any] = {"vae": base.vae, "text_encoder": base.text_encoders["text_encoder"], "tokenizer": base.tokenizer, "unet": base.unet}
    opened = StableDiffusionPipeline(
        **parts, scheduler=LCMScheduler.from_config(base.scheduler.config, clip_sample=False), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # type: ignore[arg-type]  # fmt: skip
    opened.set_progress_bar_config(disable=True)
    return opened


def last_of(base: Base, scale: float, seeds: list[int]) -> torch.Tensor:
    with torch.no_grad():
        *_, last = few_steps(base, base.condition([PROMPT] * len(seeds)), base.condition([""] * len(seeds)), seeds, 4, scale)
    return last.latents


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_few_steps_equal_the_pipeline(base, scale):
    seeds = [3, 4]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    theirs = pipeline_of(base)([PROMPT] * 2, num_inference_steps=4, guidance_scale=scale, generator=generators, output_type="latent").images
    torch.testing.assert_close(last_of(base, scale, seeds), theirs, atol=1e-5, rtol=1e-4)


def test_a_student_that_hears_guidance_equals_the_pipeline(tiny_base):
    LCM(Spec(student="full", zero_init=False), tiny_base)
    generator = [torch.Generator().manual_seed(3)]
    theirs = pipeline_of(tiny_base)([PROMPT], num_inference_steps=4, guidance_scale=8.0, generator=generator, output_type="latent").images
    ours = last_of(tiny_base, 8.0, [3])
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(ours, last_of(tiny_base, 12.0, [3]))


@pytest.mark.parametrize("student", ["lora", "full"])
@pytest.mark.parametrize("kind", ["huber", "l2"])
def test_the_loss_is_its_definition(base, student, kind, subject_photos):
    """One pair of points, two teacher passes instead of one, every formula by hand from α and σ."""
    options: dict[str, Any] = {"student": student, "loss": kind, "pictures": 2, "picture_steps": 2, "batch_size": 1, "guidance_min": 3.0, "guidance_max": 3.0, "rank": 2}
    method = LCM(Spec(**options), base)
    (batch,) = next(method.batches([Subject(subject_photos, "dog", "sks")], 0, 0))
    ours = method.loss(batch)["consistency"]
    t, early = int(batch.examples.timesteps), max(int(batch.examples.timesteps) - 20, 0)
    said, unsaid = base.condition(batch.examples.prompts), base.condition([""])
    seen = noised(base, batch.examples)

    def split(output: torch.Tensor, noisy: torch.Tensor, at: int) -> tuple[torch.Tensor, torch.Tensor]:
        a, s = base.alphas_cumprod[at].sqrt(), (1 - base.alphas_cumprod[at]).sqrt()
        clean = {"epsilon": (noisy - s * output) / a, "v_prediction": a * noisy - s * output, "sample": output}[base.prediction_type]
        return clean, (noisy - a * clean) / s

    def guess(noisy: torch.Tensor, at: int) -> torch.Tensor:
        clean, _ = split(base.predict(noisy, torch.tensor([at]), said), noisy, at)
        scaled = 10 * at
        return 0.25 / (scaled**2 + 0.25) * noisy + scaled / (scaled**2 + 0.25) ** 0.5 * clean

    outputs = [base.predict(seen, torch.tensor([t]), told) for told in (unsaid, said)]  # a student that has learned nothing is its teacher
    clean, noise = split(outputs[0] + 3.0 * (outputs[1] - outputs[0]), seen, t)
    nearer = base.alphas_cumprod[early].sqrt() * clean + (1 - base.alphas_cumprod[early]).sqrt() * noise
    squares = (guess(seen, t) - guess(nearer, early)).square()
    expected = squares.mean() if kind == "l2" else ((squares + 1e-6).sqrt() - 1e-3).mean()
    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-4)


def test_the_distances():
    first, second = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0])
    assert distance(first, second, "l2") == 2.0
    assert distance(first, second, "huber").item() == pytest.approx((0 + (4 + 1e-6) ** 0.5 - 1e-3) / 2, abs=1e-6)
