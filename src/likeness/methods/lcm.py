"""LCM: teach what lies beneath to draw in one to eight steps instead of thirty.

Luo et al. 2023, arXiv 2310.04378, and LCM-LoRA, arXiv 2311.05556. The student's guess of the picture from a noisy point is drawn to its own guess from the
point that the guided teacher's DDIM step leads to. What it learns from, the teacher draws itself: no data set is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from peft import LoraConfig
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..evaluation.benchmark import dreambench_prompts
from ..files.errors import UserError
from ..files.prompts import said
from ..learning.adapted import Adapted, DrawingStage
from ..learning.consistency import consistent, distance, solver_step
from ..learning.denoising import Examples, noised
from ..learning.drawn import drawn_latents
from ..learning.method import Subject, micro_batch
from ..learning.photos import LatentPictures, order
from ..model.adapters import Adapter, LowRank, Weights
from ..model.base import Base
from ..model.denoiser import Conditioning
from ..model.trajectory import EARLY, guided

LEAST_SIGNAL = 0.02  # of the picture where drawing begins, for a network that tells noise: a guess of the picture errs by the inverse. Stable Diffusion has .068, DeepFloyd IF .00005
EMBEDDED = 256  # numbers that tell a full student its guidance scale
# Attention, feed-forward layers and convolutions, as LCM-LoRA was trained (diffusers' script).
LAYERS = [
    "to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2", "conv_shortcut",
    "downsamplers.0.conv", "upsamplers.0.conv", "time_emb_proj",
]  # fmt: skip


class Spec(DrawingStage):
    """Options of LCM distillation."""

    method: ClassVar[str] = "lcm"
    decides: ClassVar[tuple[str, ...]] = ("student", "rank", "alpha")
    drawn_without_class_photos: ClassVar[tuple[str, ...]] = ("prompts", "pictures", "picture_steps", "picture_guidance_scale")
    class_photos_teach: ClassVar[bool] = True
    carries: ClassVar[tuple[str, ...] | None] = ("super_resolution",)  # a student draws by another walk, and teaches nobody

    student: Literal["lora", "full"] = Field(default="lora", description="What learns: a LoRA on the U-Net, or all of it, which is then told the guidance scale. Source: LCM-LoRA.")
    learning_rate: float = Field(default=1e-4, gt=0, le=1, description="Step size of AdamW after the warm-up; left open, a full student takes 1e-6. Default from diffusers' scripts.")
    steps: int = Field(default=1000, ge=1, le=10_000_000, description="Optimizer steps of this stage. Default from diffusers' scripts.")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="AdamW's decay of what is trained, a share of the learning rate a step. Default from diffusers' scripts: none.")
    batch_size: int = Field(default=4, ge=1, description="Latents per micro-batch. Default: diffusers' 12 on one large GPU, cut to fit a small one.")
    rank: int = Field(default=64, ge=1, le=1024, description="Rank of the student's LoRA. Default from diffusers' script.")
    alpha: float | None = Field(default=None, gt=0, le=4096, description="Additions are scaled by alpha / rank; none = the rank. Default from diffusers' script.")
    loss: Literal["huber", "l2"] = Field(default="huber", description="Distance of two guesses: pseudo-Huber, or squared. Source: the README of diffusers' scripts.")
    solver_steps: int = Field(default=50, ge=2, le=500, description="Steps that the teacher's DDIM divides the way into. Source: LCM's k = 20 of 1000.")
    guidance_min: float = Field(default=6.0, ge=1, le=100, description="Least guidance scale of the teacher. Source: w = 5 in diffusers' scripts, which is the scale less one.")
    guidance_max: float = Field(default=16.0, ge=1, le=100, description="Greatest guidance scale of the teacher. Source: w = 15 in diffusers' scripts.")
    average: float = Field(default=0.95, ge=0, lt=1, description="The target is the student's moving average, so slow; 0 = the student itself, which a LoRA takes where this is left open, as in diffusers' script. Source: LCM's μ.")
    zero_init: bool = Field(default=True, description="A full student's ear for the guidance scale begins at zero, so that it begins as its teacher; false = by chance, as in diffusers' script.")
    pictures: int = Field(default=100, ge=1, le=1_000_000, description="How many pictures the teacher draws to learn from; with --class-photos those are taken instead. Default: enough for one subject.")
    picture_steps: int = Field(default=50, ge=1, le=1000, description="Sampling steps of each of them. Default: the solver's own.")
    picture_guidance_scale: float = Field(default=7.5, ge=1, le=100, description="Guidance of each of them. Source: diffusers' pipeline default.")
    draws_in: int = Field(default=4, ge=1, le=50, description="Steps that the student's pictures are drawn in; kept with its weights. Source: LCM.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Spec:
        if self.guidance_min > self.guidance_max:
            raise ValueError(f"guidance_min: {self.guidance_min} is more than guidance_max, {self.guidance_max}")
        if self.draws_in > self.solver_steps:
            raise ValueError(f"draws_in: {self.draws_in} is more than solver_steps, {self.solver_steps}, and the student draws at some of their timesteps")
        return self

    @model_validator(mode="after")
    def _as_what_learns(self) -> Spec:
        self.by_default(**({"learning_rate": 1e-6} if self.student == "full" else {"average": 0.0}))
        return self

    def unread(self) -> dict[str, str]:
        if self.student == "full":
            return dict.fromkeys(("rank", "alpha"), "all of the U-Net learns, without a LoRA. Choose --student lora")
        return {"zero_init": "a LoRA has no ear for the guidance scale. Choose --student full"}

    def trained_numbers(self, unet: int, text: int) -> int:
        return unet if self.student == "full" else 0

    def copied_numbers(self, unet: int) -> int:
        return self.trained_numbers(unet, 0) * (2 if self.average else 1)  # its teacher, and its moving average

    def trains(self) -> str:
        return f"student: {'U-Net' if self.student == 'full' else f'rank-{self.rank} adapters'}"


@dataclass(frozen=True)
class Points:
    """A micro-batch: latents with noise at the later of two neighbouring timesteps of the solver, and the teacher's guidance scale for each."""

    examples: Examples
    guidance: Tensor  # [b]
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.examples)

    def halves(self) -> tuple[Points, Points]:
        n, middle = len(self), len(self) // 2
        return (
            Points(self.examples[:middle], self.guidance[:middle], self.share * middle / n),
            Points(self.examples[middle:], self.guidance[middle:], self.share * (n - middle) / n),
        )


class LCM(Adapted):
    prepares = "the teacher's pictures"
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        base.solver_steps = spec.solver_steps
        trained = base.scheduler.config.num_train_timesteps
        if self._skip() * spec.solver_steps < EARLY * trained:
            raise UserError(f"lcm: solver_steps {spec.solver_steps} end at timestep {self._skip() * spec.solver_steps} of {trained}, and the student would begin there in noise that it never learned from. Take {trained // (self._skip() + 1)}.")
        if base.prediction_type == "epsilon" and base.alphas_cumprod[self._skip() * spec.solver_steps - 1].sqrt() < LEAST_SIGNAL:
            raise UserError(f"lcm: {base.name} predicts noise and ends in nothing but noise, so its last step says nothing of the picture. Use another base.")
        if spec.student == "lora":
            config: Any = {"r": spec.rank, "lora_alpha": spec.alpha or spec.rank, "target_modules": LAYERS}
            self.adapter: Adapter = LowRank(base.unet, "unet", LoraConfig(**config))
        else:
            self._hear_guidance()
            self.adapter = Weights(base.unet, "unet")
        self.target: dict[str, Tensor] = {}  # the student's moving average, by the adapter's names

    def _hear_guidance(self) -> None:
        unet = self.base.unet
        if unet.config.time_cond_proj_dim:
            raise UserError("lcm: this base is a student already, which draws in few steps as it is. Distil its teacher.")
        ear = nn.Linear(EMBEDDED, unet.time_embedding.linear_1.in_features, bias=False).to(self.base.device)
        if self.spec.zero_init:
            nn.init.zeros_(ear.weight)
        unet.time_embedding.cond_proj = ear
        unet.register_to_config(time_cond_proj_dim=EMBEDDED)

    def freeze(self) -> None:
        super().freeze()
        self.target = {}

    def sampling(self) -> dict[str, Any]:
        scale = (self.spec.guidance_min + self.spec.guidance_max) / 2
        return {"sampler": "LCM", "steps": self.spec.draws_in, "guidance_scale": 1.0 if self.spec.student == "lora" else scale, "eta": 0.0, "most_steps": self.spec.solver_steps}

    def batches(self, subjects: Sequence[Subject], start: int, seed: int) -> Iterator[list[Points]]:
        if self.spec.gradient_checkpointing:
            self.base.spare_memory(text_encoders=False)
        if self.spec.student == "full":
            self.before = deepcopy(self.base.unet).requires_grad_(False)
        latents, prompts = self._lessons(subjects, seed)
        with torch.no_grad():
            self._said = {prompt: self.base.condition([prompt]) for prompt in dict.fromkeys([*prompts, ""])}
        return self._endless(latents, prompts, start, seed)

    def _lessons(self, subjects: Sequence[Subject], seed: int) -> tuple[LatentPictures | Tensor, list[str]]:
        """What is learned from, and a prompt for each: pictures of a folder, or latents that the teacher draws now."""
        spec = self.spec
        untaught = all((subject.called or subject.class_noun) == subject.class_noun for subject in subjects)
        if untaught and any(subject.class_photos for subject in subjects):  # those of a taught subject were for prior preservation, and do not show it
            texts = [
                said(caption or "a photo of a {}", subject.class_noun)
                for subject in subjects for caption, _ in zip([*subject.class_captions, *[None] * len(subject.class_photos)], subject.class_photos)
            ]  # fmt: skip
            return LatentPictures(self.base, [photo for subject in subjects for photo in subject.class_photos]), texts
        asked = []
        for k in range(spec.pictures):
            subject, turn = subjects[k % len(subjects)], k // len(subjects)
            templates = spec.prompts or dreambench_prompts(subject.class_noun)
            name = self.called(subject.called or subject.class_noun, subject) if turn % 2 == 0 else subject.class_noun
            asked.append(said(templates[turn // 2 % len(templates)], name))
        return drawn_latents(self.base, asked, spec.picture_steps, spec.picture_guidance_scale, seed, self.progress), asked

    def _endless(self, latents: LatentPictures | Tensor, prompts: list[str], start: int, seed: int) -> Iterator[list[Points]]:
        spec, skip = self.spec, self._skip()
        size, parts = spec.batch_size, spec.gradient_accumulation
        for n in itertools.count(start):
            step = []
            for part in range(parts):
                generator = micro_batch(seed, n, part)
                rows = order(len(prompts), (n * parts + part) * size, size, seed, "drawn")
                clean = latents[rows] if isinstance(latents, Tensor) else latents.draw(rows, generator)
                noise = torch.randn(clean.shape, generator=generator).to(clean)
                cells = torch.randint(1, spec.solver_steps + 1, (size,), generator=generator)
                scales = spec.guidance_min + (spec.guidance_max - spec.guidance_min) * torch.rand(size, generator=generator)
                examples = Examples(clean, noise, (skip * cells - 1).to(clean.device), tuple(prompts[row] for row in rows))
                step.append(Points(examples, scales.to(clean.device), share=1 / parts))
            yield step

    def _skip(self) -> int:
        return self.base.scheduler.config.num_train_timesteps // self.spec.solver_steps

    def loss(self, batch: Points) -> dict[str, Tensor]:
        """d(f(z_later), f⁻(ẑ_earlier)), ẑ by one step of the guided teacher."""
        if self.spec.average and not self.target:  # at the first step, or of a parent run that had none: what was restored is its beginning
            self.target = {name: p.detach().clone() for name, p in self.adapter.chosen.items()}
        base, examples = self.base, batch.examples
        later = examples.timesteps
        earlier = (later - self._skip()).clamp(min=0)
        told = Conditioning.cat([self._said[prompt] for prompt in examples.prompts])
        heard = replace(told, guidance=batch.guidance) if self.spec.student == "full" else told
        seen = noised(base, examples)
        guess = consistent(base, base.predict(seen, later, heard), seen, later)
        with torch.no_grad():
            with self.as_it_was():
                both = Conditioning.cat([Conditioning.cat([self._said[""]] * len(batch)), told])
                output = guided(base, seen, later, both, batch.guidance[:, None, None, None])
            nearer = solver_step(base, output, seen, later, earlier)
            with self.adapter.holding(self.target):
                wanted = consistent(base, base.predict(nearer, earlier, heard), nearer, earlier)
        return {"consistency": batch.share * distance(guess, wanted, self.spec.loss)}

    @torch.no_grad()
    def after_step(self) -> None:
        if self.target:
            torch._foreach_lerp_(list(self.target.values()), self.adapter.parameters(), 1 - self.spec.average)

    def tensors(self) -> dict[str, Tensor]:
        return {name: average.cpu().clone() for name, average in self.target.items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        if self.spec.average:
            self.target = {name: torch.empty_like(p, requires_grad=False).copy_(tensors[name]) for name, p in self.adapter.chosen.items()}  # laid out as at the beginning
