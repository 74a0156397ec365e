"""DreamBooth: teach a subject to the whole network under a rare identifier, and hold the class in place.

Ruiz et al. 2022, arXiv 2208.12242, eq. 2, as diffusers does it for Stable Diffusion. Class pictures are drawn by
the frozen base before the first step. Ask later for "sks dog" with the class noun that was trained.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from ..learning.supervised import PriorStage, Supervised, named
from ..model.adapters import Weights
from ..model.base import Base


class Spec(PriorStage):
    """Options of DreamBooth."""

    method: ClassVar[str] = "dreambooth"

    train_text_encoder: bool = Field(default=False, description="Train the text encoder too: higher fidelity, more memory.")
    text_encoder_learning_rate: float | None = Field(default=None, gt=0, le=1, description="Learning rate of the text encoder; none = that of the U-Net.")


class DreamBooth(Supervised):
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        self.unet = Weights(base.unet, "unet")
        self.texts_trained = [Weights(network, name) for name, network in base.text_encoders.items()] if spec.train_text_encoder else []
        if spec.gradient_checkpointing:
            base.spare_memory(spec.train_text_encoder)

    def parameter_groups(self) -> list[dict[str, Any]]:
        rate = self.spec.text_encoder_learning_rate or self.spec.learning_rate
        return [{"params": self.unet.parameters(), "lr": self.spec.learning_rate}, *({"params": t.parameters(), "lr": rate} for t in self.texts_trained)]

    def changes(self, prompt: str) -> bool:
        return self.spec.train_text_encoder

    def weights(self) -> dict[str, Tensor]:
        return {name: value for part in (self.unet, *self.texts_trained) for name, value in part.weights().items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        for part in (self.unet, *self.texts_trained):
            part.restore(weights)

    def called(self, name: str, subject: Any) -> str:
        return named(name, subject)
