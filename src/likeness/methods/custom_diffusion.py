"""Custom Diffusion: teach one subject or several to the keys and values that the U-Net's cross-attention makes of words.

Kumari et al. 2022, arXiv 2212.04488. Each subject gets a word of its own before its class noun: "<sks> dog". The
start-of-text token teaches nothing: its key and value pass no gradient, as in all published implementations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import Field, field_validator
from torch import Tensor

from ..files.errors import UserError
from ..files.words import begun_with, bracketed, check_lower_case, word_of
from ..learning.denoising import Examples
from ..learning.photos import LatentPictures
from ..learning.supervised import Lesson, PriorStage, Supervised
from ..model.adapters import NewWord, Weights
from ..model.base import Base

RARE = ("ktn", "pll", "ucd")  # to CLIP's tokenizer a piece each
TRAINED = {"kv": ("attn2.to_k.", "attn2.to_v."), "all": ("attn2.",)}


class Spec(PriorStage):
    """Options of Custom Diffusion."""

    method: ClassVar[str] = "custom_diffusion"
    decides: ClassVar[tuple[str, ...]] = ("trained", "words", "initializers")
    new_words: ClassVar[bool] = True

    prompt: str = Field(default="photo of a {}", description="What the photos are captioned; {} becomes word and class noun, or the class noun alone. Source: the paper's code.")
    learning_rate: float = Field(default=4e-5, gt=0, le=1, description="Step size of AdamW after the warm-up. Default from diffusers' example: 1e-5 scaled by its batch of 2 photos and 2 class pictures.")
    steps: int = Field(default=500, ge=1, le=10_000_000, description="Optimizer steps of this stage. Default from the paper's 250 on two GPUs.")
    batch_size: int = Field(default=2, ge=1, le=4096, description="Photos in one forward pass; more needs more memory. Default from the paper's code.")
    class_pictures: int = Field(default=200, ge=1, le=100_000, description="How many pictures of each class are drawn by the base and learned beside the photos. Source: the paper.")
    class_guidance_scale: float = Field(default=6.0, ge=1, le=100, description="Guidance of the class pictures. Source: the paper's code, which draws them with DDIM's eta 1; here it is 0.")
    trained: Literal["kv", "all"] = Field(default="kv", description="What of the cross-attention is trained: keys and values, or all of it (the paper's choice for faces).")
    words: tuple[str, ...] = Field(default=("<sks>",), min_length=1, description="A new word for each subject, in angle brackets and lower case. Default: the subjects' identifiers.")
    initializers: tuple[str, ...] = Field(default=RARE, min_length=1, description="Words whose rows the new words begin with, in turn. Source: rare tokens of the paper's code.")
    augmentation: bool = Field(default=True, description="Show photos smaller and closer up, and say so in their captions. Source: the paper.")
    legacy_weight: bool = Field(default=False, description="Weigh the photos by the number of latent channels, as diffusers' script does (4 : 1); false = as the paper's code, 1 : 1.")

    @field_validator("words")
    @classmethod
    def _bracketed(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        bracketed(*words)
        return words

    @field_validator("initializers")
    @classmethod
    def _begun(cls, initializers: tuple[str, ...]) -> tuple[str, ...]:
        begun_with(*initializers)
        return initializers

    def new_rows(self) -> dict[str, tuple[str, int | None]]:
        return {word: (self.initializers[n % len(self.initializers)], None) for n, word in enumerate(self.words)}

    @classmethod
    def completed(cls, options: dict[str, Any], *subjects: dict[str, Any]) -> dict[str, Any]:
        words = [word_of(str(subject.get("identifier", "sks"))) for subject in subjects]
        given = options.get("words", words)
        if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
            return {"words": words, **options}  # the type is refused where all types are
        if len(given) != len(words) or (len(words) > 1 and [str(word).lower() for word in given] != words):
            raise UserError(f"custom_diffusion: words are {', '.join(given)}, but subjects are called by their identifiers: {', '.join(words)}. Leave words out.")
        return {"words": words, **options}

    def check(self, base: str) -> None:
        check_lower_case(*self.words)

    def trains(self) -> str:
        attention = {"kv": "keys and values", "all": "cross-attention"}[self.trained]
        return f"{attention} + {'word' if len(self.words) == 1 else f'{len(self.words)} words'}"


class CustomDiffusion(Supervised):
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        attention = Weights(base.unet, "unet", lambda name: any(part in name for part in TRAINED[spec.trained]))
        self.adapters = [attention, *(NewWord(base, word, begin) for word, (begin, _) in spec.new_rows().items())]
        self.hooks = [
            layer.register_forward_hook(_start_teaches_nothing)
            for name, layer in base.unet.named_modules() if name.endswith(("attn2.to_k", "attn2.to_v"))
        ]  # fmt: skip

    def reaches_text(self) -> bool:
        return True

    def changes(self, prompt: str) -> bool:
        return any(word in prompt for word in self.spec.words)

    def photo_weight(self, examples: Examples) -> float:
        return float(examples.latents.shape[1]) if self.spec.legacy_weight else 1.0

    def _photos(self, pictures: list[Image.Image], texts: Sequence[Sequence[str]], frames: Sequence[tuple[int, int, int, int]]) -> Lesson:
        if self.spec.augmentation:  # how close a photo is, is then said in words
            return Augmented(LatentPictures(self.base, pictures, cached=False), texts)
        return self._lesson(pictures, texts, frames)

    def freeze(self, strength: float = 1.0) -> None:
        for hook in self.hooks:
            hook.remove()
        super().freeze(strength)

    def called(self, name: str, subject: Any) -> str:
        words = list(self.spec.words)
        own = f"<{subject.identifier.strip('<>')}>"  # a run of before may have taught it with its capitals
        word = own if own in words else word_of(subject.identifier) if len(words) > 1 else words[0]
        return name if word in name else f"{word} {name}"


def _start_teaches_nothing(layer: torch.nn.Module, given: Any, output: Tensor) -> Tensor:
    return torch.cat([output[:, :1].detach(), output[:, 1:]], dim=1)


class Augmented(Lesson):
    """The paper's augmentation: two of three photos are scaled to a third up to the whole width, the others to 1.2 to 1.4 times it.

    Below 0.6 a photo stands somewhere on grey and is called far away or very small; its loss is that of the cells well inside it. From
    0.6 to 1 it stays whole, as in the paper's code. Above, a part of it is seen and called zoomed in or close up.
    """

    def examples(self, base: Base, micro: int, size: int, generator: torch.Generator, *what: object) -> Examples:
        shown, masks, prompts = [], [], []
        for row in self.rows(micro, size, *what):
            picture, mask, says = _augmented(self.pictures.pictures[row], base.pixels_per_latent, generator)
            shown.append(picture)
            masks.append(mask)
            prompts.append(says + self.texts[row][0])
        mean, std = base.moments(shown)
        latents = mean + std * torch.randn(mean.shape, generator=generator).to(mean)
        return Examples.with_noise(base, latents, tuple(prompts), generator, torch.stack(masks).to(latents))


def _augmented(photo: Image.Image, cell: int, generator: torch.Generator) -> tuple[Image.Image, Tensor, str]:
    """The photo as it is shown, which latents of it count [1, h, w], and what its caption begins with."""

    def number(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    whole, cells = photo.width, photo.width // cell
    scale = number(1 / 3, 1) if number(0, 1) < 2 / 3 else number(1.2, 1.4)
    side, words = round(scale * whole), int(number(0, 2))
    if 0.6 <= scale <= 1:
        return photo, torch.ones(1, cells, cells), ""
    scaled = photo.resize((side, side), Image.Resampling.BICUBIC)
    left, top = (round(number(0, abs(whole - side))) for _ in range(2))
    if scale > 1:
        return scaled.crop((left, top, left + whole, top + whole)), torch.ones(1, cells, cells), ("zoomed in ", "close up ")[words]
    canvas = Image.new("RGB", (whole, whole), (128, 128, 128))
    canvas.paste(scaled, (left, top))
    covered = torch.zeros(1, whole, whole)
    covered[:, top : top + side, left : left + side] = 1
    inside = -F.max_pool2d(-covered, cell)  # cells that the photo covers wholly
    eroded = -F.max_pool2d(-inside, 3, stride=1, padding=1)
    mask = next(m for m in (eroded, inside, F.max_pool2d(covered, cell)) if m.any())  # a photo smaller than a cell or two still counts
    return canvas, mask, ("a far away ", "very small ")[words]
