"""The coordinates that the toybox's latents are moved to, and the autoencoder's 1 x 1 convolutions that hold them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

from . import data
from .loop import half, to_tensor
from .plan import Plan

PER_PIXEL = 0.75  # 1 a channel for 48 channels of 8 x 8 pixels, for which the noise schedule was chosen


def posterior_of(vae: AutoencoderKL, x: Tensor) -> DiagonalGaussianDistribution:
    encoded = vae.encode(x)
    assert not isinstance(encoded, tuple)
    return encoded.latent_dist


def decoded(vae: Any, latents: Tensor) -> Tensor:
    return vae.decode(latents).sample


@torch.no_grad()
def encode_latents(plan: Plan, vae: AutoencoderKL, pictures: data.Pictures) -> dict[str, Tensor]:
    """All latent means in the coordinates of `pixel_metric`, half precision; and the shift and matrix that lead there."""
    means = []
    for first in range(0, len(pictures), 128):
        x = to_tensor(plan, pictures.take(np.arange(first, min(first + 128, len(pictures)))))
        with half(plan):
            means.append(posterior_of(vae, x).mean.float().cpu())
        if len(means) % 100 == 0:
            print(f"latents: {first + len(x)} of {len(pictures)} pictures encoded", flush=True)
    latents = torch.cat(means)
    if plan.start_from:  # the base has its coordinates already
        return {"latents": latents.half().contiguous(), "shift": torch.zeros(latents.shape[1]), "matrix": torch.eye(latents.shape[1])}
    some = np.arange(min(2000, len(pictures)))
    shift, matrix = pixel_metric(latents[: len(some)], to_tensor(plan, pictures.take(some)).cpu())
    moved = torch.einsum("dc,nchw->ndhw", matrix, latents - shift[:, None, None])
    return {"latents": moved.half().contiguous(), "shift": shift, "matrix": matrix}


def pixel_metric(latents: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The shift [c] and matrix [c, c] after which distance between latents is, to first order, distance between pixels.

    latents [n, c, h, w], pictures [n, 3, f·h, f·w]. Pixels of a patch are about M^T (z - shift), so the metric is M M^T and its
    root the matrix; scaled to a variance of PER_PIXEL for each pixel, so that one noise hides the same of a picture whatever the
    size of a latent. What moves many pixels then outweighs what moves few, in the noise that
    hides it and in the loss. Whitened channels instead spent a U-Net's work on channels that the decoder ignores.
    """
    f = pictures.shape[-1] // latents.shape[-1]
    patches = pictures.unfold(2, f, f).unfold(3, f, f).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * f * f).double()
    rows = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1]).double()
    shift = rows.mean(0)
    rows = rows - shift
    scale = rows.std(0)
    solution = torch.linalg.lstsq(rows / scale, patches - patches.mean(0)).solution / scale[:, None]
    values, vectors = torch.linalg.eigh((solution * scale[:, None]) @ (solution * scale[:, None]).T)
    floor = 0.01 * values.max()  # a direction that the decoder ignores keeps a tenth of the strongest's size: invertible
    matrix = vectors @ values.clamp(min=floor.item()).sqrt().diag() @ vectors.T / scale
    moved = rows @ matrix.T
    return shift.float(), (matrix * (PER_PIXEL * f**2 / moved.var(0).sum()).sqrt()).float()


@torch.no_grad()
def move_latents(vae: AutoencoderKL, shift: Tensor, matrix: Tensor) -> None:
    """Write shift and matrix into the 1 x 1 convolutions around the latents: exact for means, and other tools notice nothing."""
    into, out = vae.quant_conv, vae.post_quant_conv
    assert into is not None and into.bias is not None and out is not None and out.bias is not None
    channels = len(shift)
    inverse = torch.linalg.inv(matrix.double()).float()
    into.bias[:channels] = matrix @ (into.bias[:channels] - shift)
    into.weight[:channels] = torch.einsum("dc,cixy->dixy", matrix, into.weight[:channels])
    into.weight[channels:] = 0  # the posterior's spread is no longer one a channel; it was next to nothing
    into.bias[channels:] = -12.0
    out.bias += out.weight[:, :, 0, 0] @ shift
    out.weight.copy_(torch.einsum("ocxy,cd->odxy", out.weight, inverse))
    vae.register_to_config(scaling_factor=1.0)
