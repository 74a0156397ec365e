"""Denoising as decisions: DDIM with noise as a policy, the probability of a step, and the clipped objective.

Black et al. 2023, arXiv 2305.13301 (DDPO). A step's log-probability is the mean over all numbers of the latents, not their sum: the clip range of 1e-4 is
meant for it. It is computed from the latents as they are stored, in float32, so that the first pass over a rollout has ratios of 1.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..model.base import Base
from .consistency import clean_and_noise


def next_step(base: Base, output: Tensor, latents: Tensor, timesteps: Tensor, earlier: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [b, c, h, w] and deviation [b, 1, 1, 1] of DDIM's next latents at η = 1 (arXiv 2010.02502, eq. 12 and 16).

    earlier  [b], never below 0: at ᾱ = 1 the last step would have no deviation, and no probability
    """
    clean, noise = clean_and_noise(base, output, latents, timesteps)
    clean = base.bounded(clean)  # as the pictures are drawn
    squares = base.alphas_cumprod.to(latents.device)
    here, there = (squares[t][:, None, None, None] for t in (timesteps, earlier))
    variance = (1 - there) / (1 - here) * (1 - here / there)
    return there.sqrt() * clean + (1 - there - variance).clamp(min=0).sqrt() * noise, variance.sqrt()


def log_probability(latents: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Mean log-density of latents under a normal distribution, [b]."""
    density = -((latents - mean) ** 2) / (2 * deviation**2) - deviation.log() - 0.5 * math.log(2 * math.pi)
    return density.flatten(1).mean(dim=1)


def clipped_objective(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """What is minimised, [b]: the worse of -A r and -A clip(r, 1 ± clip) (Schulman et al. 2017, arXiv 1707.06347)."""
    return torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip))


class PromptStatistics:
    """Rewards of late, prompt by prompt: an easy prompt's pictures are not praised for the prompt. As ddpo-pytorch's tracker."""

    def __init__(self, size: int, least: int):
        self.size, self.least = size, least
        self.rewards: dict[str, deque[float]] = {}

    def advantages(self, prompts: Sequence[str], rewards: np.ndarray) -> np.ndarray:
        """Rewards less their prompt's mean, in its deviations; of the whole batch, while a prompt has fewer than `least`."""
        advantages = np.empty(len(rewards))
        for prompt in dict.fromkeys(prompts):
            rows = np.array([p == prompt for p in prompts])
            kept = self.rewards.setdefault(prompt, deque(maxlen=self.size))
            kept.extend(rewards[rows].tolist())
            reference = np.array(kept) if len(kept) >= self.least else rewards
            advantages[rows] = (rewards[rows] - reference.mean()) / (reference.std() + 1e-6)
        return advantages

    def state(self) -> dict[str, list[float]]:
        return {prompt: list(kept) for prompt, kept in self.rewards.items()}

    def load_state(self, state: dict[str, list[float]]) -> None:
        self.rewards = {prompt: deque(kept, maxlen=self.size) for prompt, kept in state.items()}
