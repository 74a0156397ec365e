"""The contract between a method and everything else: six verbs, and more with defaults."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from ..files.recipe import Stage
from ..model.base import Base


@dataclass(frozen=True)
class Subject:
    """What a method is taught: square RGB photos at the base's resolution, what it is, and what it is called."""

    photos: Sequence[Image.Image]
    class_noun: str
    identifier: str
    called: str = ""  # so far, by the stages beneath; empty: the class noun
    captions: Sequence[str | None] = ()  # of each photo, where there is one
    class_photos: Sequence[Image.Image] = ()  # real pictures of the class, in place of drawn ones
    class_captions: Sequence[str | None] = ()  # of each of them, where there is one
    frames: Sequence[tuple[int, int, int, int]] = ()  # of each photo, see files.subject.Photo.frame; empty: they are whole
    class_frames: Sequence[tuple[int, int, int, int]] = ()


def chance(*what: object) -> int:
    """A seed for torch from anything that can be printed: (seed, stage, step, process, purpose)."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:8], "big") >> 1


def micro_batch(seed: int, step: int, part: int) -> torch.Generator:
    """What a micro-batch draws its noise from: by the step and its part in it, so that a child run of fewer parts a step meets none of its parent's again."""
    return torch.Generator().manual_seed(chance(seed, "micro-batch", step, part) if part else chance(seed, "micro-batch", step))


class Method(ABC):
    """One way to teach a base model a subject. Subclasses are final: one file, one paper.

    Constructing a method attaches what it will train and changes no picture.
    """

    Spec: ClassVar[type[Stage]]
    follows: ClassVar[tuple[str, ...] | None] = None  # the methods that it may stand on in a stack; None: any

    @abstractmethod
    def __init__(self, spec: Stage, base: Base): ...

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """What is trained: [{"params": [...], "lr": ...}], each group with its own learning rate."""

    @abstractmethod
    def batches(self, subjects: Sequence[Subject], start: int, seed: int) -> Iterator[list]:
        """Endless and lazy, from step `start`; one item is the micro-batches of one optimizer step.

        Called before `restore`, so what it prepares (class pictures, caches of frozen parts) is of the model beneath.
        """

    @abstractmethod
    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Named scalars; their sum is minimised and each is logged."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """What a checkpoint keeps: nothing frozen."""

    @abstractmethod
    def restore(self, weights: dict[str, Tensor]) -> None:
        """Inverse of weights(). Raises UserError if the weights are of another shape."""

    prepares: ClassVar[str] = "class pictures"  # what takes time before the first step, or between steps
    progress: Callable[[int, int], None] | None = None  # told (done, of how many) while batches() prepares or draws; may raise, to stop there

    def called(self, name: str, subject: Any) -> str:
        """What the subject is called after this stage, given what it was called before: "dog" -> "sks dog".

        subject  anything with class_noun and identifier; `name` is the class noun before the first stage
        Of self.spec alone: methods of learning/supervised.py are asked before they are attached.
        """
        return name

    def freeze(self) -> None:
        """End of the stage: what it learned becomes part of the base, for the next stage or for drawing. Not undone."""
        for group in self.parameter_groups():
            for parameter in group["params"]:
                parameter.requires_grad_(False)

    def after_step(self) -> None:  # noqa: B027
        """Move what follows the parameters, such as an EMA target."""

    def state(self) -> dict[str, Any]:
        """What resuming needs beyond weights and optimizer; JSON."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Inverse of state()."""

    def tensors(self) -> dict[str, Tensor]:
        """What resuming needs beyond weights, optimizer and state(), such as a moving average; no checkpoint keeps it."""
        return {}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:  # noqa: B027
        """Inverse of tensors()."""

    def noted(self) -> dict[str, float]:
        """What the journal keeps of a step beside its losses, such as the reward."""
        return {}

    def checkpointable(self, step: int) -> bool:
        return True

    def sampling(self) -> dict[str, Any]:
        """Sampler (DDIM where it says nothing), steps and guidance that its pictures want; kept in card.json."""
        return {}


def seed_everything(*what: object) -> None:
    torch.manual_seed(chance(*what))
