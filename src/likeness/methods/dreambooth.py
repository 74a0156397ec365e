"""DreamBooth: teach a subject to the whole network under a rare identifier, and hold the class in place.

Ruiz et al. 2022, arXiv 2208.12242, eq. 2, as diffusers does it for Stable Diffusion. Class pictures are drawn by
the frozen base before the first step. Ask later for "sks dog" with the class noun that was trained.
"""

from __future__ import annotations

from typing import Any, ClassVar

from ..learning.supervised import Supervised, TextEncoderStage, named
from ..model.adapters import Weights
from ..model.base import Base


class Spec(TextEncoderStage):
    """Options of DreamBooth."""

    method: ClassVar[str] = "dreambooth"
    decides: ClassVar[tuple[str, ...]] = ("train_text_encoder",)

    def trains(self) -> str:
        return "U-Net + text encoder" if self.train_text_encoder else "U-Net"

    def trained_numbers(self, unet: int, text: int) -> int:
        return unet + (text if self.train_text_encoder else 0)


class DreamBooth(Supervised):
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        self.adapters = [Weights(base.unet, "unet")]
        if spec.train_text_encoder:
            self.adapters += [Weights(network, name) for name, network in base.text_encoders.items()]

    def called(self, name: str, subject: Any) -> str:
        return named(name, subject)
