"""What methods share that train one adapter on pictures which the model draws itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import Field, field_validator
from torch import Tensor, nn

from ..files.recipe import Stage
from ..model.adapters import Adapter, LowRank
from ..model.base import Base
from .method import Method


class DrawingStage(Stage):
    """Options of a stage that learns from pictures of its own."""

    prompts: tuple[str, ...] = Field(default=(), description="What is drawn: prompts with {} where the subject belongs; none = DreamBench's. Default: scenes as they will be asked for.")
    gradient_checkpointing: bool = Field(default=False, description="Compute activations twice instead of keeping them: less memory, slower.")

    @field_validator("prompts")
    @classmethod
    def _name_the_subject(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [prompt for prompt in prompts if "{}" not in prompt]:
            raise ValueError(f"{wrong[0]!r} must have {{}} where the subject belongs")
        return prompts


class Adapted(Method):
    """A method that trains one adapter at one learning rate."""

    spec: DrawingStage
    base: Base
    adapter: Adapter
    before: nn.Module | None = None  # a copy of the U-Net, kept where all of it is trained and its former self is asked

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": self.adapter.parameters(), "lr": self.spec.learning_rate}]

    def weights(self) -> dict[str, Tensor]:
        return self.adapter.weights()

    def restore(self, weights: dict[str, Tensor]) -> None:
        self.adapter.restore(weights)

    def freeze(self) -> None:
        super().freeze()
        self.adapter.fold()
        self.before = None

    @property
    def adapters(self) -> list[Adapter]:
        return [self.adapter]

    @contextmanager
    def as_it_was(self) -> Iterator[None]:
        """The base for a while as it was before this stage."""
        if isinstance(self.adapter, LowRank):
            with self.adapter.off():
                yield
            return
        own, self.base.unet = self.base.unet, self.before  # type: ignore[assignment]
        try:
            yield
        finally:
            self.base.unet = own
