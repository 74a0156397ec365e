"""DDPO's pieces against DDIMScheduler with η = 1, torch's normal distribution, and the objective written as its paper has it."""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from torch.distributions import Normal

from likeness.learning.policy import PromptStatistics, clipped_objective, log_probability, next_step
from likeness.model.base import Base


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_a_step_is_ddims_with_noise(prediction, tiny_folders):
    base = Base.open(str(tiny_folders[prediction]))
    theirs = DDIMScheduler.from_config(base.scheduler.config, timestep_spacing="trailing", set_alpha_to_one=False)
    theirs.set_timesteps(50)
    latents, output, noise = (torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    for t in (999, 499, 39):
        mean, deviation = next_step(base, output, latents, torch.tensor([t] * 2), torch.tensor([t - 20] * 2))
        expected = theirs.step(output, t, latents, eta=1.0, variance_noise=noise).prev_sample  # type: ignore[union-attr]
        torch.testing.assert_close(mean + deviation * noise, expected, atol=1e-5, rtol=1e-5)


def test_a_step_keeps_to_the_bounds_that_pictures_are_drawn_with(tiny_folders):
    """DeepFloyd IF's thresholds: without them a rollout would be another walk than the one that draws."""
    base = Base.open(str(tiny_folders["deepfloyd"]))
    theirs = DDIMScheduler.from_config(base.scheduler.config, timestep_spacing="trailing", set_alpha_to_one=False)
    theirs.set_timesteps(50)
    latents, output, noise = (torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    mean, deviation = next_step(base, output, latents, torch.tensor([899] * 2), torch.tensor([879] * 2))
    torch.testing.assert_close(mean + deviation * noise, theirs.step(output, 899, latents, eta=1.0, variance_noise=noise).prev_sample, atol=1e-5, rtol=1e-5)  # type: ignore[union-attr]
    base.scheduler = type(base.scheduler).from_config(base.scheduler.config, thresholding=False)
    without, _ = next_step(base, output, latents, torch.tensor([899] * 2), torch.tensor([879] * 2))
    assert base.sampler().config.clip_sample and not torch.allclose(without, mean)
    assert base.bounded(10 * latents).abs().max() == 1


def test_the_last_step_keeps_a_deviation(tiny_base):
    latents = torch.randn(1, 4, 8, 8)
    _, deviation = next_step(tiny_base, torch.randn(1, 4, 8, 8), latents, torch.tensor([1]), torch.tensor([0]))
    assert deviation.item() == pytest.approx(0.0206, abs=2e-4)  # Stable Diffusion's schedule, from t = 1 to 0


def test_the_log_probability_is_a_mean_over_numbers():
    latents, mean = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    deviation = torch.tensor([0.5, 1.0, 0.02])[:, None, None, None]
    expected = Normal(mean, deviation).log_prob(latents).mean(dim=(1, 2, 3))
    torch.testing.assert_close(log_probability(latents, mean, deviation), expected)


def test_the_objective_is_proximal_policy_optimizations():
    ratio, advantages = torch.rand(200) * 0.4 + 0.8, torch.randn(200)
    expected = [-min(r * a, min(max(r, 0.9), 1.1) * a) for r, a in zip(ratio.tolist(), advantages.tolist())]
    torch.testing.assert_close(clipped_objective(ratio, advantages, 0.1), torch.tensor(expected))


def test_statistics_are_of_each_prompt_once_there_are_enough():
    """As DDPO describes its tracker, written out."""
    rng = np.random.default_rng(0)
    ours, kept = PromptStatistics(6, 4), defaultdict(lambda: deque(maxlen=6))
    for _ in range(5):
        prompts, rewards = rng.choice(["a", "b", "c"], 5).tolist(), rng.normal(size=5)
        found = ours.advantages(prompts, rewards)
        for prompt in set(prompts):
            kept[prompt].extend(r for p, r in zip(prompts, rewards) if p == prompt)
        for value, prompt, reward in zip(found, prompts, rewards):
            among = np.array(kept[prompt]) if len(kept[prompt]) >= 4 else rewards
            assert value == pytest.approx((reward - among.mean()) / (among.std() + 1e-6))
    again = PromptStatistics(6, 4)
    again.load_state(ours.state())
    assert np.array_equal(again.advantages(["a"] * 2, np.array([0.0, 1.0])), ours.advantages(["a"] * 2, np.array([0.0, 1.0])))
