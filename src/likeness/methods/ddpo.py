"""DDPO: raise a reward of the model's own pictures, such as their likeness to the subject, by policy gradients.

Black et al. 2023, arXiv 2305.13301, and Fan et al. 2023 (DPOK), arXiv 2305.16381, for the divergence from the base. The model draws a rollout of pictures with noise in
every step; steps of pictures that were better than their prompt's average become more likely. Guidance is the same in training as in drawing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from peft import LoraConfig
from PIL import Image
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ..evaluation.benchmark import dreambench_prompts
from ..files.errors import UserError
from ..files.prompts import said
from ..learning.adapted import Adapted, DrawingStage
from ..learning.method import Subject, chance
from ..learning.policy import PromptStatistics, clipped_objective, log_probability, next_step
from ..learning.precision import precision
from ..learning.rewards import Rewarding, check_rewards, parse, reward_of
from ..model.adapters import Adapter, LowRank, Weights
from ..model.base import Base
from ..model.denoiser import Conditioning
from ..model.memory import in_batches
from ..model.trajectory import BATCH, Sampler, guided, initial_latents

COLUMNS = ("latents", "chosen", "timesteps", "earlier", "log_probabilities", "advantages")  # of Decisions, those that are tensors
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]


class Spec(DrawingStage):
    """Options of DDPO."""

    method: ClassVar[str] = "ddpo"
    several: ClassVar[bool] = False  # rewards hold every picture against all photos there are
    decides: ClassVar[tuple[str, ...]] = ("trained", "rank", "updates")

    trained: Literal["lora", "full"] = Field(default="lora", description="What learns: a LoRA on the U-Net's attention, or all of the U-Net. Source: DDPO's code.")
    learning_rate: float = Field(default=3e-4, gt=0, le=1, description="Step size of AdamW after the warm-up; left open, the whole U-Net takes 1e-5. Default from DDPO's code.")
    steps: int = Field(default=200, ge=1, le=10_000_000, description="Optimizer steps of this stage. Default: 100 rollouts with two steps on each, as DDPO's code.")
    weight_decay: float = Field(default=1e-4, ge=0, le=1, description="AdamW's decay of what is trained, a share of the learning rate a step. Default from DDPO's code.")
    batch_size: int = Field(default=8, ge=1, description="Pictures per micro-batch; each gives one step of its drawing at a time. Default: cut from DDPO's 256 a rollout to fit one GPU.")
    save_every: int = Field(default=20, ge=1, description="Steps between states to resume from, as soon as a rollout ends; the newest two are kept. Default: some minutes of a GPU's work, for a step is many passes.")
    gradient_accumulation: int = Field(default=2, ge=1, description="Micro-batches of pictures per optimizer step. Default: cut from DDPO's 256 pictures a rollout to fit one GPU.")
    updates: int = Field(default=2, ge=1, le=100, description="Optimizer steps on each rollout; it has updates x batch_size x gradient_accumulation pictures. Default: DDPO's 2 to 4.")
    rank: int = Field(default=4, ge=1, le=1024, description="Rank of the LoRA. Default from DDPO's code.")
    rewards: tuple[str, ...] = Field(default=("f1",), min_length=1, description="What is raised, with weights if wanted (subject:0.5): clip_t, subject, f1, compressible, incompressible, aesthetic, or another package's. Default: a subject in its scene.")
    reward_clip: str | None = Field(default=None, description="CLIP encoder of the rewards: folder or hub id; none = the toybox's judge, on the toybox alone.")
    reward_dino: str | None = Field(default=None, description="DINO encoder of the rewards: folder or hub id; none = the toybox's judge, on the toybox alone.")
    aesthetic_head: Path | None = Field(default=None, description="File of a linear head on the CLIP encoder's vectors, for the reward aesthetic: LAION's for ViT-L/14. Default: the toybox's own, with its own CLIP, which knows spoilt pictures from whole ones.")
    draw_steps: int = Field(default=50, ge=1, le=1000, description="Sampling steps of a rollout's pictures; each but the last is learned from. Default from DDPO's code.")
    draw_guidance_scale: float = Field(default=5.0, ge=1, le=100, description="Guidance of a rollout's pictures, and in training. Default from DDPO's code.")
    clip_range: float = Field(default=1e-4, gt=0, le=1, description="How far a step's probability ratio may move its own update. Default from DDPO's code.")
    advantage_clip: float = Field(default=5.0, gt=0, le=100, description="Most deviations from its prompt's mean that a picture counts for. Default from DDPO's code.")
    statistics_size: int = Field(default=32, ge=2, le=10_000, description="Rewards of late that are kept of each prompt, to tell a good picture from an easy prompt. Default from DDPO's code.")
    statistics_least: int = Field(default=16, ge=2, le=10_000, description="Rewards that a prompt needs for statistics of its own; before, the rollout's are taken. Default from DDPO's code.")
    kl_weight: float = Field(default=0.0, ge=0, le=1e6, description="Weight of each step's divergence from the model as it was; 0 = none. Default: DDPO's code has none.")

    @field_validator("rewards", mode="before")
    @classmethod
    def _apart_by_commas(cls, rewards: Any) -> Any:
        words = [rewards] if isinstance(rewards, str) else rewards
        return [part.strip() if isinstance(part, str) else part for word in words for part in (word.split(",") if isinstance(word, str) else [word])] if isinstance(words, list | tuple) else words

    @field_validator("rewards")
    @classmethod
    def _offered(cls, rewards: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse(rewards)
        except UserError as problem:  # pydantic's own kind, which is said with the option's name before any model is loaded
            raise ValueError(str(problem)) from None
        return rewards

    @model_validator(mode="after")
    def _whole_rollouts(self) -> Spec:
        if "steps" in self.model_fields_set and self.steps % self.updates:
            raise ValueError(f"steps: {self.steps} must be a multiple of updates, {self.updates}, or the last rollout would be left half used")
        if broken := [step for step in self.checkpoints if step % self.updates]:
            raise ValueError(f"checkpoints: {broken[0]} must be a multiple of updates, {self.updates}, where a rollout ends")
        return self

    @model_validator(mode="after")
    def _rate_of_what_learns(self) -> Spec:
        if self.trained == "full":
            self.by_default(learning_rate=1e-5)
        return self

    def unread(self) -> dict[str, str]:
        return {"rank": "all of the U-Net learns, without a LoRA. Choose --trained lora"} if self.trained == "full" else {}

    def check(self, base: str) -> None:
        check_rewards(self.rewards, self.rewarding(), base)

    def rewarding(self, photos: Sequence[Image.Image] = (), device: str = "cpu") -> Rewarding:
        return Rewarding(photos, self.reward_clip, self.reward_dino, self.aesthetic_head, device)

    def trained_numbers(self, unet: int, text: int) -> int:
        return unet if self.trained == "full" else 0

    def copied_numbers(self, unet: int) -> int:
        return self.trained_numbers(unet, 0) if self.kl_weight else 0  # the model that it may not leave

    def trains(self) -> str:
        return f"{'U-Net' if self.trained == 'full' else f'rank-{self.rank} adapters'} by reward"


@dataclass(frozen=True)
class Decisions:
    """A micro-batch: one step of the drawing of each of some pictures."""

    latents: Tensor  # [b, c, h, w], before the step
    chosen: Tensor  # [b, c, h, w], after it
    timesteps: Tensor  # [b]
    earlier: Tensor  # [b]
    prompts: tuple[str, ...]
    log_probabilities: Tensor  # [b], when they were drawn
    advantages: Tensor  # [b]
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.latents)

    def rows(self, rows: Any, share: float) -> Decisions:
        return Decisions(
            self.latents[rows], self.chosen[rows], self.timesteps[rows], self.earlier[rows], tuple(self.prompts[n] for n in range(len(self))[rows]),
            self.log_probabilities[rows], self.advantages[rows], share,
        )  # fmt: skip

    def halves(self) -> tuple[Decisions, Decisions]:
        n, middle = len(self), len(self) // 2
        return self.rows(slice(0, middle), self.share * middle / n), self.rows(slice(middle, n), self.share * (n - middle) / n)


class DDPO(Adapted):
    prepares = "pictures of a rollout"
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        config: Any = {"r": spec.rank, "lora_alpha": spec.rank, "target_modules": ATTENTION, "init_lora_weights": "gaussian"}
        self.adapter: Adapter = LowRank(base.unet, "unet", LoraConfig(**config)) if spec.trained == "lora" else Weights(base.unet, "unet")
        self.statistics = PromptStatistics(spec.statistics_size, spec.statistics_least)
        self.measured: dict[str, float] = {}

    def state(self) -> dict[str, Any]:
        return self.statistics.state()

    def load_state(self, state: dict[str, Any]) -> None:
        self.statistics.load_state(state)

    def checkpointable(self, step: int) -> bool:
        return step % self.spec.updates == 0  # a rollout is no part of a checkpoint

    def noted(self) -> dict[str, float]:
        return self.measured

    def batches(self, subjects: Sequence[Subject], start: int, seed: int) -> Iterator[list[Decisions]]:
        if self.spec.gradient_checkpointing:
            self.base.spare_memory(text_encoders=False)
        if self.spec.kl_weight and self.spec.trained == "full":
            self.before = deepcopy(self.base.unet).requires_grad_(False)
        spec = self.spec
        asked = [
            (said(template, self.called(subject.called or subject.class_noun, subject)), said(template, subject.class_noun))
            for subject in subjects for template in spec.prompts or dreambench_prompts(subject.class_noun)
        ]  # fmt: skip
        with torch.no_grad():
            self._said = {prompt: self.base.condition([prompt]) for prompt in ["", *(prompt for prompt, _ in asked)]}
        photos = [photo for subject in subjects for photo in subject.photos]
        self._reward = reward_of(spec.rewards, spec.rewarding(photos, str(self.base.device)))
        return self._endless(asked, start // spec.updates, seed)

    def _endless(self, asked: list[tuple[str, str]], rollout: int, seed: int) -> Iterator[list[Decisions]]:
        spec = self.spec
        each = spec.batch_size * spec.gradient_accumulation
        while True:
            drawn = self._rollout(asked, rollout, spec.updates * each, seed)
            # The last step decides nothing: its deviation is next to 0, so its gradient, which goes with the inverse, would be noise louder than all others together.
            steps = max(1, len(drawn[0].timesteps) - 1)
            for update in range(spec.updates):
                parts = []
                for part in range(spec.gradient_accumulation):
                    first = update * each + part * spec.batch_size
                    parts += [_together(drawn[first : first + spec.batch_size], n, 1 / (steps * spec.gradient_accumulation)) for n in range(steps)]
                yield parts
            rollout += 1

    @torch.no_grad()
    def _rollout(self, asked: list[tuple[str, str]], number: int, count: int, seed: int) -> list[Decisions]:
        """`count` pictures drawn by the model as it is now: each as its own Decisions, a row a step, with its advantage."""
        spec, base = self.spec, self.base
        choice = torch.Generator().manual_seed(chance(seed, "rollout", number))
        rows = torch.randint(len(asked), (count,), generator=choice).tolist()
        times = Sampler(base, spec.draw_steps).timesteps.to(base.device)
        after = torch.cat([times[1:], torch.zeros_like(times[:1])])
        done = 0

        def walked(some: slice) -> list[tuple[str, list[Tensor], Image.Image]]:
            nonlocal done
            prompts = tuple(asked[row][0] for row in rows[some])
            seeds = [chance(seed, "rollout", number, k) for k in range(some.start, some.stop)]
            latents, generators = initial_latents(base, seeds), [torch.Generator().manual_seed(s + 1) for s in seeds]
            steps = []
            for t, next_t in zip(times, after):
                timesteps, earlier = t.expand(len(prompts)), next_t.expand(len(prompts))
                with precision(spec.mixed_precision, base.device):  # as in training, or ratios would not begin at 1
                    output = self._predict(latents, timesteps, prompts)
                mean, deviation = next_step(base, output, latents, timesteps, earlier)
                noise = torch.cat([torch.randn((1, *latents.shape[1:]), generator=g) for g in generators]).to(latents)
                chosen = mean + deviation * noise
                steps.append((latents, chosen, timesteps, earlier, log_probability(chosen, mean, deviation)))
                latents = chosen
            pictures = base.decode(latents)
            done += len(pictures)
            if self.progress:
                self.progress(done, count)
            return [(prompt, [torch.stack([step[column][k] for step in steps]) for column in range(5)], picture) for k, (prompt, picture) in enumerate(zip(prompts, pictures))]

        drawn = list(in_batches(count, min(BATCH, spec.batch_size), walked))  # no more at once than in training
        walks = [(prompt, walk) for prompt, walk, _ in drawn]
        rewards = self._reward([picture for _, _, picture in drawn], [asked[row][1] for row in rows])
        advantages = self.statistics.advantages([prompt for prompt, _ in walks], rewards).clip(-spec.advantage_clip, spec.advantage_clip)
        self.measured = {"reward": float(rewards.mean()), "reward deviation": float(rewards.std())}
        found = []
        for (prompt, (before, after, timesteps, earlier, likely)), advantage in zip(walks, advantages):
            found.append(Decisions(before, after, timesteps, earlier, (prompt,) * len(before), likely, torch.full((len(before),), float(advantage), device=base.device)))
        return found

    def _predict(self, latents: Tensor, timesteps: Tensor, prompts: Sequence[str]) -> Tensor:
        """With classifier-free guidance; gradients flow through both halves."""
        scale = self.spec.draw_guidance_scale
        unsaid = [""] * len(prompts) if scale != 1.0 else []
        told = Conditioning.cat([self._said[prompt] for prompt in (*unsaid, *prompts)])
        return guided(self.base, latents, timesteps, told, scale)

    def loss(self, batch: Decisions) -> dict[str, Tensor]:
        def mean() -> tuple[Tensor, Tensor]:
            return next_step(self.base, self._predict(batch.latents, batch.timesteps, batch.prompts), batch.latents, batch.timesteps, batch.earlier)

        now, deviation = mean()
        ratio = (log_probability(batch.chosen, now, deviation) - batch.log_probabilities).exp()
        losses = {"policy": batch.share * clipped_objective(ratio, batch.advantages, self.spec.clip_range).mean()}
        if self.spec.kl_weight:
            with torch.no_grad(), self.as_it_was():
                then, _ = mean()
            divergence = ((now - then) ** 2 / (2 * deviation**2)).flatten(1).mean(dim=1)  # of two normal distributions of one deviation
            losses["divergence"] = batch.share * self.spec.kl_weight * divergence.mean()
        return losses


def _together(pictures: Sequence[Decisions], step: int, share: float) -> Decisions:
    """Step `step` of the drawing of each picture, as one micro-batch."""
    rows = [picture.rows(slice(step, step + 1), share) for picture in pictures]
    columns: dict[str, Any] = {name: torch.cat([getattr(row, name) for row in rows]) for name in COLUMNS}
    return Decisions(prompts=tuple(row.prompts[0] for row in rows), share=share, **columns)
