"""LoRA: teach a subject, or a style, to low-rank additions to the network's layers.

Hu et al. 2021, arXiv 2106.09685, h = Wx + (α/r)·B·A·x, by PEFT; for diffusion models as diffusers' DreamBooth-LoRA script does it.
A run keeps α and rank apart, so that no other tool has to guess the scale.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from peft import LoraConfig
from pydantic import Field, model_validator
from torch import nn

from ..learning.supervised import Supervised, TextEncoderStage, named
from ..model.adapters import LowRank
from ..model.base import Base

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "add_v_proj"]  # the last two: of words, in DeepFloyd IF
TARGETS = {
    "attention": ATTENTION,
    "attention+feedforward": [*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"],
    "everything": [
        *ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2", "conv_shortcut", "downsamplers.0.conv",
        "upsamplers.0.conv", "time_emb_proj",
    ],
}  # fmt: skip
IN_TEXT = ["q_proj", "k_proj", "v_proj", "out_proj", "SelfAttention.q", "SelfAttention.k", "SelfAttention.v", "SelfAttention.o"]  # CLIP's, then T5's
TEXT_TARGETS = {"attention": IN_TEXT, "attention+feedforward": [*IN_TEXT, "fc1", "fc2", "wi_0", "wi_1", "wo"]}


WRITTEN_OUT = {"steps", "weight_decay", "max_gradient_norm", "save_every", "rank", "targets", "dropout", "dora"}  # by every run; by hand nobody types all


class Spec(TextEncoderStage):
    """Options of LoRA."""

    method: ClassVar[str] = "lora"
    decides: ClassVar[tuple[str, ...]] = ("train_text_encoder", "rank", "alpha", "targets", "text_targets", "rank_stabilized", "dora")

    learning_rate: float = Field(default=1e-4, gt=0, le=1, description="Step size of AdamW after the warm-up. Default from diffusers' DreamBooth-LoRA example.")
    steps: int = Field(default=500, ge=1, le=10_000_000, description="Optimizer steps of this stage. Default from diffusers' DreamBooth-LoRA example.")
    prior_weight: float = Field(default=0.0, ge=0, le=100, description="λ: weight of the class pictures' loss; 0 = no prior preservation. Default from diffusers.")
    rank: int = Field(default=4, ge=1, le=1024, description="Rank r of each addition: more holds more of the subject, in more bytes. Default from diffusers.")
    alpha: float | None = Field(default=None, gt=0, le=4096, description="Additions are scaled by alpha / rank; none = the rank, or under rank_stabilized its root: a scale of 1 (diffusers).")
    targets: Literal["attention", "attention+feedforward", "everything"] = Field(
        default="attention", description="Layers of the U-Net that get additions; everything has the convolutions too (as LCM-LoRA). Default from diffusers."
    )  # fmt: skip
    text_targets: Literal["attention", "attention+feedforward"] = Field(
        default="attention", description="Layers of the text encoder that get additions, if it is trained; kohya's scripts take both. Default from diffusers."
    )  # fmt: skip
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of each addition's input that is left out at random in training. Default: none.")
    rank_stabilized: bool = Field(default=False, description="Scale by alpha / sqrt(rank), so that high ranks learn as fast as low ones (arXiv 2312.03732); says something only beside an alpha.")
    dora: bool = Field(default=False, description="Train direction and magnitude of weights apart (arXiv 2402.09353): slower, often closer to full training.")

    @model_validator(mode="before")
    @classmethod
    def _as_runs_of_before_meant_it(cls, options: Any) -> Any:
        """A run has all options written out, and a rank-stabilized one its alpha. Without it, it is of a version that took the rank: a scale of the rank's root."""
        if isinstance(options, dict) and options.get("rank_stabilized") and options.get("alpha") is None and options.keys() >= WRITTEN_OUT:
            return {**options, "alpha": options["rank"]}
        return options

    @model_validator(mode="after")
    def _scale_of_one(self) -> Spec:
        if self.rank_stabilized:
            self.by_default(alpha=math.sqrt(self.rank))
        return self

    @model_validator(mode="after")
    def _dora_has_no_dropout(self) -> Spec:
        if self.dora and self.dropout:
            raise ValueError("dora takes no dropout. Leave one of them out")
        return self

    def unread(self) -> dict[str, str]:
        return super().unread() if self.train_text_encoder else {**super().unread(), "text_targets": "the text encoder is not trained. Add --train-text-encoder"}

    def trains(self) -> str:
        kind = "DoRA adapters" if self.dora else "adapters"
        where = "" if self.targets == "attention" else f" of {self.targets}"
        return f"rank-{self.rank} {kind}{where}{', text encoder too' if self.train_text_encoder else ''}"


class LoRA(Supervised):
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        self.adapters = [self._added(base.unet, "unet", TARGETS[spec.targets])]
        if spec.train_text_encoder:
            self.adapters += [self._added(network, name, TEXT_TARGETS[spec.text_targets]) for name, network in base.text_encoders.items()]

    def _added(self, network: nn.Module, prefix: str, targets: list[str]) -> LowRank:
        names = [name for name, _ in network.named_modules()]
        there = [target for target in targets if any(name.endswith(f".{target}") for name in names)]
        return LowRank(network, prefix, self._config(there))

    def _config(self, targets: list[str]) -> LoraConfig:
        spec = self.spec
        return LoraConfig(
            r=spec.rank, lora_alpha=spec.alpha or spec.rank, lora_dropout=spec.dropout, use_rslora=spec.rank_stabilized,  # type: ignore[arg-type]
            use_dora=spec.dora, init_lora_weights="gaussian", target_modules=targets,
        )  # fmt: skip

    def called(self, name: str, subject: Any) -> str:
        return named(name, subject)
