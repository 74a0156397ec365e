"""One training stage as it is asked for: the options that the one training loop reads, frozen and bounded, each with a sentence."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

SCHEDULES = {"dreamblend": "5-50:5,75-1000:25"}  # the 48 operating points of DreamBlend (arXiv 2411.19390), for 1000 steps
NUMBERS = (int, float, int | None, float | None)


class Options(BaseModel):
    """Frozen options. TOML has no null, so an option that may be None must be None by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_not_switches(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation in NUMBERS:
            raise ValueError("must be a number")  # pydantic takes true for 1
        return value


class Stage(Options):
    """One training stage: the options that the one training loop reads. A method's own options are added in a subclass."""

    method: ClassVar[str]
    decides: ClassVar[tuple[str, ...]] = ()  # options that stay as they are where a run goes on: they say what is trained, or when it can be saved
    new_words: ClassVar[bool] = False  # whether it gives subjects words of their own, so that the identifier is not read as ordinary text

    steps: int = Field(
        default=400, ge=1, le=10_000_000,
        description="Optimizer steps of this stage. Default from diffusers' DreamBooth example without class pictures; with them it takes 800.",
    )  # fmt: skip
    learning_rate: float = Field(
        default=5e-6, gt=0, le=1,
        description="Step size of AdamW after the warm-up. Default from DreamBooth on Stable Diffusion.",
    )  # fmt: skip
    learning_rate_schedule: Literal["constant", "cosine", "linear", "plateau"] = Field(
        default="constant",
        description="The learning rate after the warm-up: stays, or falls to 0 at the last step; plateau stays and falls in the last quarter (arXiv 2404.06395). Default from diffusers.",
    )
    warmup_steps: int = Field(
        default=0, ge=0,
        description="Optimizer steps in which the learning rate rises linearly from 0. Default from diffusers' examples.",
    )  # fmt: skip
    batch_size: int = Field(
        default=1, ge=1, le=4096,
        description="Photos in one forward pass; more needs more memory. Default from DreamBooth.",
    )  # fmt: skip
    gradient_accumulation: int = Field(
        default=1, ge=1, le=4096,
        description="Forward passes averaged into one step: a larger batch in the same memory. Default: 1, none.",
    )  # fmt: skip
    weight_decay: float = Field(
        default=1e-2, ge=0, le=1,
        description="AdamW's decay of what is trained, a share of the learning rate a step. Default from PyTorch and diffusers.",
    )  # fmt: skip
    max_gradient_norm: float = Field(
        default=1.0, gt=0,
        description="Gradients longer than this (L2 norm) are shortened to it. Default from diffusers.",
    )  # fmt: skip
    mixed_precision: Literal["no", "bf16"] = Field(
        default="no",
        description="Number type inside the networks; losses and weights stay float32. fp16 is left out: its gradients need scaling. Default: no, as exact as torch is by itself.",
    )
    checkpoints: tuple[int, ...] = Field(
        default=(),
        description="Steps of this stage after which a checkpoint is kept, such as 50,100-400:100, or dreamblend (5-50:5,75-1000:25); the last step always is one. Default: only the last.",
    )
    save_every: int = Field(
        default=250, ge=1,
        description="Optimizer steps between the states kept to resume from after a crash; the newest two stay. Default: minutes of a GPU's work.",
    )  # fmt: skip
    previews: tuple[int, ...] = Field(
        default=(),
        description="Steps of this stage after which preview pictures are drawn; they change no weight. Default: none.",
    )

    several: ClassVar[bool] = True  # whether it tells several subjects apart
    drawn_without_class_photos: ClassVar[tuple[str, ...]] = ()  # options of pictures that are drawn where there are no photos of the class
    class_photos_teach: ClassVar[bool] = False  # whether it learns from photos of the class also without a prior weight
    carries: ClassVar[tuple[str, ...] | None] = None  # the methods that may stand anywhere above it in a stack; None: any

    @classmethod
    def completed(cls, options: dict[str, Any], *subjects: dict[str, Any]) -> dict[str, Any]:
        """The options of a recipe's stage, with what follows from its subjects where that was left open."""
        return options

    def trains(self) -> str:
        """What is trained, in a few words for a column of a table: "U-Net", "rank-8 adapters". Default: the method's name."""
        return self.method.replace("_", " ")

    def trained_numbers(self, unet: int, text: int) -> int:
        """About how many numbers it trains, of those that U-Net and text encoders have; 0: few beside them."""
        return 0

    def copied_numbers(self, unet: int) -> int:
        """About how many numbers of copies it keeps in memory beside what it trains, such as of the U-Net as it was; 0: few."""
        return 0

    def new_rows(self) -> dict[str, tuple[str, int | None]]:
        """The new words that it teaches: what each begins as, and how many vectors long it is; None: one, or as many as a stage beneath has given it."""
        return {}

    def unread(self) -> dict[str, str]:
        """Options that nothing reads as the others are, each with why: whoever asks for one of them meant something else."""
        return {}

    def check(self, base: str) -> None:
        """Refuse what the stage needs beside the base `base` and cannot have; raises UserError. Called before any model is loaded."""

    def photo_size(self, of_base: int) -> int:
        """Width and height in pixels of the photos that it learns from, where the base's stages learn from those of `of_base`."""
        return of_base

    def by_default(self, **values: Any) -> None:
        """Defaults that depend on another option, where the field was left open; it still counts as open, for a base's advice to fill."""
        for name, value in values.items():
            if name not in self.model_fields_set or getattr(self, name) is None:
                object.__setattr__(self, name, value)  # frozen

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """`checkpoints` and the last step."""
        return tuple(sorted({*self.checkpoints, self.steps}))

    @field_validator("checkpoints", "previews", mode="before")
    @classmethod
    def _apart(cls, steps: Any) -> Any:
        """On a command line "100,200" is two steps, and "100-400:100" four."""
        words = [steps] if isinstance(steps, str) else steps
        if not isinstance(words, list | tuple):
            return words
        return [n for word in words for n in (_steps_in(word) if isinstance(word, str) else [word])]

    @field_validator("checkpoints", "previews")
    @classmethod
    def _in_order(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(steps)))

    @model_validator(mode="after")
    def _within_the_stage(self) -> Stage:
        if "steps" not in self.model_fields_set:  # a command line's options, to which the base's advice is still to come
            return self
        if self.warmup_steps > self.steps:
            raise ValueError(f"warmup_steps: {self.warmup_steps} is more than all {self.steps} steps")
        for name, chosen in (("checkpoints", self.checkpoints), ("previews", self.previews)):
            outside = [step for step in chosen if not 1 <= step <= self.steps]
            if outside:
                raise ValueError(f"{name}: {outside[0]} is no step of this stage, they are 1 to {self.steps}")
        return self


def _steps_in(text: str) -> list[Any]:
    """What is no number stays as it is, for pydantic to complain of."""
    steps: list[Any] = []
    for part in SCHEDULES.get(text, text).split(","):
        found = re.fullmatch(r"\s*(\d+)-(\d+):(\d+)\s*", part)
        first, last, every = map(int, found.groups()) if found else (0, 0, 0)
        steps += (every and last <= 10**6 and range(first, last + 1, every)) or [part]
    return steps
