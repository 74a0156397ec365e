"""The loss against diffusers' own parts, put together as its train_dreambooth.py and train_text_to_image_lora.py do."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from likeness.learning.denoising import Batch, Examples, UnknownPrediction, denoising_losses, noised, snr_weights, target
from likeness.model.base import Base

ROUNDING = 1e-6  # float32 means over 256 numbers, summed in another order


def batch_of(base: Base, seed: int, size: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    latents = [torch.randn(size, 4, 8, 8, generator=generator) for _ in range(2)]
    photos = Examples.with_noise(base, latents[0], ("a photo of a sks dog",) * size, generator)
    return Batch(photos, Examples.with_noise(base, latents[1], ("a photo of a dog",) * size, generator))


def conditioning(base: Base, batch: Batch):
    return base.condition([*batch.photos.prompts, *batch.prior.prompts])  # type: ignore[union-attr]


def scripted(base: Base, batch: Batch):
    """Prediction and target of the script, [photos + class pictures, ...]."""
    scheduler = DDPMScheduler.from_config(base.scheduler.config)
    both = (batch.photos, batch.prior)
    latents, noise, timesteps = (torch.cat([getattr(part, name) for part in both]) for name in ("latents", "noise", "timesteps"))
    noisy = scheduler.add_noise(latents, noise, timesteps)
    predicted = base.unet(noisy, timesteps, conditioning(base, batch).states, return_dict=False)[0]
    wanted = {"epsilon": noise, "v_prediction": scheduler.get_velocity(latents, noise, timesteps), "sample": latents}
    return predicted, wanted[scheduler.config.prediction_type], timesteps, scheduler


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("prior_weight", [1.0, 0.3])
def test_loss_equals_diffusers_dreambooth_script(kind, prior_weight, tiny_folders):
    """`sample` is not in the script; its target is the picture itself."""
    base = Base(tiny_folders[kind], "tiny")
    for seed in range(3):
        batch = batch_of(base, seed)
        predicted, wanted, _, _ = scripted(base, batch)
        (photos, prior), (photo_target, prior_target) = predicted.chunk(2), wanted.chunk(2)
        loss = F.mse_loss(photos.float(), photo_target.float(), reduction="mean")
        prior_loss = F.mse_loss(prior.float(), prior_target.float(), reduction="mean")
        ours = denoising_losses(base, batch, conditioning(base, batch), prior_weight)
        assert ours["denoising"].item() == pytest.approx(loss.item(), rel=ROUNDING)
        assert sum(ours.values()).item() == pytest.approx((loss + prior_weight * prior_loss).item(), rel=ROUNDING)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_snr_weights_equal_diffusers(kind, gamma, tiny_folders):
    base = Base(tiny_folders[kind], "tiny")
    timesteps = torch.arange(1000)
    snr = compute_snr(DDPMScheduler.from_config(base.scheduler.config), timesteps)
    weights = torch.stack([snr, gamma * torch.ones_like(snr)], dim=1).min(dim=1)[0] / (snr if kind == "epsilon" else snr + 1)
    # ᾱ / (1 - ᾱ) here, (sqrt ᾱ / sqrt(1 - ᾱ))² there: at t = 0 the difference 1 - ᾱ has 13 bits left.
    torch.testing.assert_close(snr_weights(base, timesteps, gamma), weights, rtol=1e-3, atol=0)
    torch.testing.assert_close(snr_weights(base, timesteps[50:], gamma), weights[50:], rtol=1e-5, atol=0)


def test_snr_weight_of_a_sample_prediction(tiny_folders):
    base = Base(tiny_folders["sample"], "tiny")
    snr = compute_snr(base.scheduler, torch.tensor([10, 900]))
    torch.testing.assert_close(snr_weights(base, torch.tensor([10, 900]), 5.0), torch.stack([torch.tensor(5.0), snr[1]]), rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_photos_and_class_pictures_are_weighted_by_their_own_timesteps(kind, tiny_folders):
    """diffusers#5791: its DreamBooth script weighs the photos by all timesteps and the class pictures not at all."""
    base = Base(tiny_folders[kind], "tiny")
    batch = batch_of(base, seed=0)
    predicted, wanted, timesteps, scheduler = scripted(base, batch)
    snr = compute_snr(scheduler, timesteps)
    weights = snr.clamp(max=5.0) / (snr if kind == "epsilon" else snr + 1)
    each = F.mse_loss(predicted.float(), wanted.float(), reduction="none").mean(dim=(1, 2, 3)) * weights
    ours = denoising_losses(base, batch, conditioning(base, batch), 1.0, min_snr_gamma=5.0)
    assert ours["denoising"].item() == pytest.approx(each[:3].mean().item(), rel=1e-5)
    assert ours["prior"].item() == pytest.approx(each[3:].mean().item(), rel=1e-5)


def test_snr_weight_at_zero_terminal_snr_is_finite(tiny_base):
    tiny_base.scheduler.alphas_cumprod[-1] = 0.0
    assert snr_weights(tiny_base, torch.tensor([999]), 5.0).item() == 1.0


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_noise_maths_stays_float32_in_half_precision(kind, tiny_folders):
    """methods.md 0.2(1): bf16 rounds the noise of the first timesteps to nothing."""
    base = Base(tiny_folders[kind], "tiny")
    batch = batch_of(base, seed=0)
    first = Examples(batch.photos.latents, batch.photos.noise, torch.tensor([0, 1, 2]), batch.photos.prompts)
    exact = noised(base, first), target(base, first), snr_weights(base, first.timesteps, 5.0)
    seen = []
    base.unet.conv_in.register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = noised(base, first), target(base, first), snr_weights(base, first.timesteps, 5.0)
        losses = denoising_losses(base, batch, conditioning(base, batch))
    assert all(torch.equal(a, b) and b.dtype == torch.float32 for a, b in zip(exact, half))
    assert seen == [torch.bfloat16] and {loss.dtype for loss in losses.values()} == {torch.float32}


def test_an_unknown_prediction_type_is_refused(tiny_base):
    tiny_base.scheduler.register_to_config(prediction_type="flow")
    with pytest.raises(UnknownPrediction, match="'flow'"):
        target(tiny_base, batch_of(tiny_base, seed=0).photos)


def test_halves_sum_to_the_whole(tiny_base):
    """Also of an odd number."""
    batch = batch_of(tiny_base, seed=0, size=3)
    whole = denoising_losses(tiny_base, batch, conditioning(tiny_base, batch))
    halves = [denoising_losses(tiny_base, half, conditioning(tiny_base, half)) for half in batch.halves()]
    for name, value in whole.items():
        assert sum(half[name] for half in halves).item() == pytest.approx(value.item(), rel=ROUNDING)  # type: ignore[union-attr]
