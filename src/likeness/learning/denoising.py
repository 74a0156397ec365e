"""The noise-prediction loss: targets, SNR weights, and the prior term of DreamBooth (arXiv 2208.12242, eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..files.errors import UserError
from ..model.denoiser import Conditioning, Denoiser


class UnknownPrediction(UserError):
    """The base's schedule predicts neither noise, velocity nor sample."""


@dataclass(frozen=True)
class Examples:
    """Latents and the noise they will be seen through; all float32.

    latents, noise  [b, c, h, w]; latents scaled by the VAE factor
    timesteps       [b], int64
    prompts         b texts
    mask            [b, 1, h, w], ones where the loss counts; None: everywhere
    frames          [b, 4], what was cut of each picture, see model.denoiser.Conditioning; None: nothing
    """

    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    prompts: tuple[str, ...]
    mask: Tensor | None = None
    frames: Tensor | None = None

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, rows: slice) -> Examples:
        mask, frames = (None if column is None else column[rows] for column in (self.mask, self.frames))
        return Examples(self.latents[rows], self.noise[rows], self.timesteps[rows], self.prompts[rows], mask, frames)

    @staticmethod
    def with_noise(base: Denoiser, latents: Tensor, prompts: tuple[str, ...], generator: torch.Generator, mask: Tensor | None = None) -> Examples:
        """Noise and timesteps from a CPU generator: the same on every device."""
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        timesteps = torch.randint(base.scheduler.config.num_train_timesteps, (len(latents),), generator=generator)
        return Examples(latents, noise, timesteps.to(latents.device), prompts, mask)


@dataclass(frozen=True)
class Batch:
    """A micro-batch: photos, and class pictures if there is a prior term. `share` is its part of the optimizer step."""

    photos: Examples
    prior: Examples | None = None
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.photos)

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches whose shared losses sum to this one's: the retreat when memory runs out. Not for a single photo."""
        n, m = len(self.photos), len(self.prior) if self.prior else 0
        first, second = slice(0, n // 2), slice(n // 2, n)
        prior_first, prior_second = slice(0, m // 2), slice(m // 2, m)
        if self.prior and n != m:
            raise ValueError("photos and class pictures are paired one to one")
        return (
            replace(self, photos=self.photos[first], prior=self.prior and self.prior[prior_first], share=self.share * (n // 2) / n),
            replace(self, photos=self.photos[second], prior=self.prior and self.prior[prior_second], share=self.share * (n - n // 2) / n),
        )


def noised(base: Denoiser, examples: Examples) -> Tensor:
    """z_t = sqrt(ᾱ_t) z_0 + sqrt(1 - ᾱ_t) ε, in float32."""
    alpha, sigma = _alpha_sigma(base, examples)
    return alpha * examples.latents + sigma * examples.noise


def target(base: Denoiser, examples: Examples) -> Tensor:
    """What the base's prediction type asks for: ε, v = sqrt(ᾱ) ε - sqrt(1 - ᾱ) z_0 (Salimans & Ho 2022), or z_0."""
    match base.prediction_type:
        case "epsilon":
            return examples.noise
        case "v_prediction":
            alpha, sigma = _alpha_sigma(base, examples)
            return alpha * examples.noise - sigma * examples.latents
        case "sample":
            return examples.latents
        case other:
            raise UnknownPrediction(f"the scheduler of {base.name} predicts {other!r}; likeness knows epsilon, v_prediction and sample. Choose another --base.")


def _alpha_sigma(base: Denoiser, examples: Examples) -> tuple[Tensor, Tensor]:
    square = base.alphas_cumprod.to(examples.latents.device)[examples.timesteps][:, None, None, None]
    return square.sqrt(), (1 - square).sqrt()


def snr_weights(base: Denoiser, timesteps: Tensor, gamma: float) -> Tensor:
    """Min-SNR-γ (Hang et al. 2023, arXiv 2303.09556) for the base's prediction type, [b].

    SNR = ᾱ / (1 - ᾱ). Where it is 0 (zero terminal SNR) the ε weight's limit 1 is taken.
    """
    square = base.alphas_cumprod.to(timesteps.device)[timesteps]
    snr = square / (1 - square)
    clipped = snr.clamp(max=gamma)
    match base.prediction_type:
        case "epsilon":
            return torch.where(snr > 0, clipped / snr.clamp(min=1e-12), torch.ones_like(snr))
        case "v_prediction":
            return clipped / (snr + 1)
        case _:
            return clipped


def denoising_losses(
    base: Denoiser, batch: Batch, conditioning: Conditioning, prior_weight: float = 1.0, min_snr_gamma: float | None = None, photo_weight: float = 1.0
) -> dict[str, Tensor]:  # fmt: skip
    """Noise-prediction error on the photos, and on the class pictures if the batch has any.

    conditioning  of the photos' prompts, then of the class prompts: [photos + class pictures, ...]
    returns       {"denoising": [], "prior": []}: float32 means over elements; the prior's is multiplied by λ
    Photos and class pictures pass the network as one batch; each sample has its own timestep and SNR weight.
    Equal to diffusers' DreamBooth script on the same seed (tests/reference).
    """
    everything = [batch.photos, batch.prior] if batch.prior else [batch.photos]
    seen = torch.cat([noised(base, part) for part in everything])
    wanted = torch.cat([target(base, part) for part in everything])
    timesteps = torch.cat([part.timesteps for part in everything])
    conditioning = replace(conditioning, frames=_frames(base, everything))
    squares = (base.predict(seen, timesteps, conditioning).float() - wanted).square()
    error = torch.cat([_means(part, part_of) for part, part_of in zip(everything, squares.split([len(part) for part in everything]))])
    if min_snr_gamma is not None:
        error = error * snr_weights(base, timesteps, min_snr_gamma)
    n = len(batch.photos)
    losses = {"denoising": batch.share * photo_weight * error[:n].mean()}
    if batch.prior:
        losses["prior"] = batch.share * prior_weight * error[n:].mean()
    return losses


def _frames(base: Denoiser, parts: Sequence[Examples]) -> Tensor | None:
    """What was cut of all pictures, in order; None where all are whole."""
    if all(part.frames is None for part in parts):
        return None
    height, width = (side * base.pixels_per_latent for side in parts[0].latents.shape[-2:])
    return torch.cat([torch.tensor([[height, width, 0, 0]] * len(part)) if part.frames is None else part.frames for part in parts])


def _means(examples: Examples, squares: Tensor) -> Tensor:
    """The mean of each example's elements, [b]; of those that count where there is a mask."""
    if examples.mask is None:
        return squares.mean((1, 2, 3))
    return (squares * examples.mask).sum((1, 2, 3)) / (examples.mask.sum((1, 2, 3)) * squares.shape[1])
