"""Consistency distillation in latent space: the function that is learned, the teacher's step, the distance.

Luo et al. 2023, arXiv 2310.04378 (latent consistency models), on Song et al. 2023, arXiv 2303.01469. f(z, t) = c_skip(t) z + c_out(t) ẑ0(z, t) maps
every point of a path from noise to picture to the picture; f(z, 0) = z. All schedules in float32.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ..model.base import Base

DATA_DEVIATION, TIMESTEP_SCALING = 0.5, 10.0  # of diffusers' LCMScheduler, which must draw with what was trained
HUBER_WIDTH = 1e-3


def boundary(timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """c_skip and c_out, [b, 1, 1, 1]: 1 and 0 at t = 0, next to 0 and 1 from the first steps on."""
    scaled = TIMESTEP_SCALING * timesteps.float()[:, None, None, None]
    whole = scaled.square() + DATA_DEVIATION**2
    return DATA_DEVIATION**2 / whole, scaled / whole.sqrt()


def clean_and_noise(base: Base, output: Tensor, noisy: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """What a prediction says of picture and noise: ẑ0 and ε̂, both [b, c, h, w], float32, whatever the base predicts.

    An ε base must have some picture left at every timestep: at zero SNR its output says nothing of ẑ0.
    """
    square = base.alphas_cumprod.to(noisy.device)[timesteps][:, None, None, None]
    alpha, sigma = square.sqrt(), (1 - square).sqrt()
    output, noisy = output.float(), noisy.float()
    match base.prediction_type:
        case "epsilon":
            return (noisy - sigma * output) / alpha, output
        case "v_prediction":
            return alpha * noisy - sigma * output, sigma * noisy + alpha * output
        case _:
            return output, (noisy - alpha * output) / sigma


def consistent(base: Base, output: Tensor, noisy: Tensor, timesteps: Tensor) -> Tensor:
    """f(z, t) of a prediction."""
    skip, out = boundary(timesteps)
    return skip * noisy + out * clean_and_noise(base, output, noisy, timesteps)[0]


def solver_step(base: Base, output: Tensor, noisy: Tensor, timesteps: Tensor, earlier: Tensor) -> Tensor:
    """DDIM's way from `timesteps` to `earlier`, [b] each."""
    clean, noise = clean_and_noise(base, output, noisy, timesteps)
    square = base.alphas_cumprod.to(noisy.device)[earlier][:, None, None, None]
    return square.sqrt() * clean + (1 - square).sqrt() * noise


def distance(first: Tensor, second: Tensor, kind: Literal["huber", "l2"]) -> Tensor:
    """Mean squared, or pseudo-Huber: sqrt(Δ² + c²) - c, c = HUBER_WIDTH. A scalar."""
    squares = (first.float() - second.float()).square()
    return squares.mean() if kind == "l2" else ((squares + HUBER_WIDTH**2).sqrt() - HUBER_WIDTH).mean()
