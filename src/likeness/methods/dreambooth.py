"""DreamBooth: teach a subject to the whole network under a rare identifier, and hold the class in place.

Ruiz et al. 2022, arXiv 2208.12242, eq. 2, as diffusers does it for Stable Diffusion. Class pictures are drawn by
the frozen base before the first step. Ask later for "sks dog" with the class noun that was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import torch
from PIL import Image
from pydantic import Field, field_validator
from torch import Tensor

from ..files.recipe import Stage
from ..learning.denoising import Batch, Examples, denoising_losses
from ..learning.method import Method, Subject, chance
from ..learning.photos import LatentPictures, order
from ..learning.prior import class_pictures
from ..model.adapters import WholeModule
from ..model.base import Base, Conditioning


class Spec(Stage):
    """Options of DreamBooth."""

    method: ClassVar[str] = "dreambooth"

    prompt: str = Field(default="a photo of a {}", description="What the photos are captioned; {} becomes identifier and class noun, or the class noun alone.")
    prior_weight: float = Field(default=1.0, ge=0, le=100, description="λ: weight of the class pictures' loss; 0 = no prior preservation. Source: the paper.")
    class_pictures: int = Field(default=100, ge=1, le=100_000, description="How many pictures of the class are drawn by the base and learned beside the photos. Source: diffusers.")
    class_steps: int = Field(default=50, ge=1, le=1000, description="Sampling steps of each class picture. Source: diffusers' pipeline default.")
    class_guidance_scale: float = Field(default=7.5, ge=1, le=100, description="Guidance of the class pictures. Source: diffusers' pipeline default.")
    train_text_encoder: bool = Field(default=False, description="Train the text encoder too, at the same learning rate: higher fidelity, more memory.")
    min_snr_gamma: float | None = Field(default=None, gt=0, le=1000, description="Min-SNR weighting of both losses (5 is usual, arXiv 2303.09556); none = every timestep alike.")
    gradient_checkpointing: bool = Field(default=False, description="Compute activations twice instead of keeping them: less memory, slower.")
    cache_latents: bool = Field(default=True, description="Encode photos and frozen prompts once; false = at every step (the same losses, slower).")

    @field_validator("prompt")
    @classmethod
    def _names_the_subject(cls, prompt: str) -> str:
        if "{}" not in prompt:
            raise ValueError("must have {} where the subject belongs")
        return prompt


class DreamBooth(Method):
    Spec = Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        self.trained = [WholeModule(base.unet, "unet")]
        if spec.train_text_encoder:
            self.trained.append(WholeModule(base.text_encoder, "text_encoder"))
        if spec.gradient_checkpointing:
            base.unet.enable_gradient_checkpointing()
            if spec.train_text_encoder:
                base.text_encoder.gradient_checkpointing_enable()
                base.text_encoder.train()  # or transformers keeps the activations all the same; CLIP has no dropout
        self._known: dict[str, Conditioning] = {}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": whole.parameters(), "lr": self.spec.learning_rate} for whole in self.trained]

    def batches(self, subjects: Sequence[Subject], start: int, seed: int) -> Iterator[list[Batch]]:
        (subject,) = subjects
        prompt = self.spec.prompt.replace("{}", self.called(subject.class_noun, subject.identifier))
        class_prompt = self.spec.prompt.replace("{}", subject.class_noun)
        photos = LatentPictures(self.base, subject.photos, self.spec.cache_latents)
        prior = None
        if self.spec.prior_weight:
            drawn = class_pictures(
                self.base, class_prompt, self.spec.class_pictures, self.spec.class_steps,
                self.spec.class_guidance_scale, seed, self.progress,
            )  # fmt: skip
            size = subject.photos[0].size
            prior = LatentPictures(self.base, [p.resize(size, Image.Resampling.LANCZOS) for p in drawn], self.spec.cache_latents)
        return self._endless(photos, prior, prompt, class_prompt, start, seed)

    def _endless(
        self, photos: LatentPictures, prior: LatentPictures | None, prompt: str, class_prompt: str, start: int, seed: int
    ) -> Iterator[list[Batch]]:  # fmt: skip
        parts = self.spec.gradient_accumulation
        micro = start * parts
        while True:
            step = []
            for _ in range(parts):
                generator = torch.Generator().manual_seed(chance(seed, "micro-batch", micro))
                batch = Batch(self._examples(photos, prompt, micro, generator, seed), share=1 / parts)
                if prior:
                    batch = Batch(batch.photos, self._examples(prior, class_prompt, micro, generator, seed), batch.share)
                step.append(batch)
                micro += 1
            yield step

    def _examples(self, pictures: LatentPictures, prompt: str, micro: int, generator: torch.Generator, seed: int) -> Examples:
        size = self.spec.batch_size
        rows = order(len(pictures), micro * size, size, seed, prompt)
        return Examples.with_noise(self.base, pictures.draw(rows, generator), (prompt,) * size, generator)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        prompts = batch.photos.prompts + (batch.prior.prompts if batch.prior else ())
        return denoising_losses(self.base, batch, self._condition(prompts), self.spec.prior_weight, self.spec.min_snr_gamma)

    def _condition(self, prompts: Sequence[str]) -> Conditioning:
        """Each prompt is encoded once a batch; once for ever where the text encoder is frozen."""
        known = self._known if self.spec.cache_latents and not self.spec.train_text_encoder else {}
        if missing := [p for p in dict.fromkeys(prompts) if p not in known]:
            encoded = self.base.condition(missing)
            known.update({p: encoded[n : n + 1] for n, p in enumerate(missing)})
        return Conditioning.cat([known[p] for p in prompts])

    def weights(self) -> dict[str, Tensor]:
        return {name: value for whole in self.trained for name, value in whole.weights().items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        for whole in self.trained:
            whole.restore(weights)

    def called(self, name: str, identifier: str) -> str:
        return f"{identifier} {name}"
