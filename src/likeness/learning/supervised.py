"""What methods that learn from captioned photos share: their options, their batches, and the loss.

A subclass says what is trained. Photos and class pictures are rows of one batch, each with its own text, noise and timestep.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from PIL import Image
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from ..files.errors import UserError
from ..files.prompts import said
from ..files.recipe import Stage
from ..model.adapters import Adapter
from ..model.base import Base
from ..model.denoiser import Conditioning, Denoiser
from .denoising import Batch, Examples, denoising_losses
from .method import Method, Subject, micro_batch
from .photos import LatentPictures, order
from .prior import class_pictures

CAPTIONS = "Put the text of photo.jpg into photo.txt beside it, or list them in metadata.jsonl."


class CaptionedStage(Stage):
    """Options of a stage that learns from captioned photos, in whatever way it sees them."""

    prompt: str = Field(default="a photo of a {}", description="What the photos are captioned; {} becomes what the subject is called, or the class noun alone.")
    use_captions: bool = Field(default=False, description="Caption each photo by the text that lies beside it (photo.txt, metadata.jsonl) instead of the prompt; {} in it works too.")
    min_snr_gamma: float | None = Field(default=None, gt=0, le=1000, description="Min-SNR weighting of the losses (5 is usual, arXiv 2303.09556); none = every timestep alike.")
    gradient_checkpointing: bool = Field(default=False, description="Compute activations twice instead of keeping them: less memory, slower.")

    def unread(self) -> dict[str, str]:
        of_class = isinstance(self, PriorStage) and self.prior_weight  # class pictures are captioned by it
        return {**super().unread(), "prompt": "photos are captioned by the texts beside them. Leave --use-captions out"} if self.use_captions and not of_class else super().unread()

    @field_validator("prompt")
    @classmethod
    def _names_the_subject(cls, prompt: str) -> str:
        if "{}" not in prompt:
            raise ValueError("must have {} where the subject belongs")
        return prompt


class PhotoStage(CaptionedStage):
    """Options of a stage that learns photos as latents."""

    cache_latents: bool = Field(default=True, description="Encode photos and constant prompts once; false = at every step (the same losses, slower).")


class PriorStage(PhotoStage):
    """Options of a stage that also learns pictures of the class, so that the class stays what it was."""

    drawn_without_class_photos: ClassVar[tuple[str, ...]] = ("class_pictures", "class_steps", "class_guidance_scale")

    prior_weight: float = Field(default=1.0, ge=0, le=100, description="λ: weight of the class pictures' loss; 0 = no prior preservation. Source: DreamBooth.")
    class_pictures: int = Field(default=100, ge=1, le=100_000, description="How many pictures of the class are drawn by the base and learned beside the photos. Source: diffusers.")
    class_steps: int = Field(default=50, ge=1, le=1000, description="Sampling steps of each class picture. Source: diffusers' pipeline default.")
    class_guidance_scale: float = Field(default=7.5, ge=1, le=100, description="Guidance of the class pictures. Source: diffusers' pipeline default.")


    def unread(self) -> dict[str, str]:
        why = "nothing learns from class pictures, since prior_weight is 0. Add --prior-weight 1"
        return super().unread() if self.prior_weight else {**super().unread(), **dict.fromkeys(("class_pictures", "class_steps", "class_guidance_scale"), why)}


class TextEncoderStage(PriorStage):
    """Options of a stage that may train the text encoder beside the U-Net."""

    train_text_encoder: bool = Field(default=False, description="Train the text encoder too, in the way of the U-Net: higher fidelity, more memory.")
    text_encoder_learning_rate: float | None = Field(default=None, gt=0, le=1, description="Learning rate of the text encoder; none = that of the U-Net.")

    @model_validator(mode="after")
    def _rate_of_what_is_trained(self) -> TextEncoderStage:
        if self.text_encoder_learning_rate and not self.train_text_encoder:
            raise ValueError("text_encoder_learning_rate: the text encoder is not trained; add train_text_encoder")
        return self


@dataclass(frozen=True)
class Lesson:
    """Pictures, the texts that each may be captioned with, and what was cut of each: frames [n, 4], None where they are whole."""

    pictures: LatentPictures
    texts: Sequence[Sequence[str]]
    frames: Tensor | None = None

    def rows(self, micro: int, size: int, *what: object) -> list[int]:
        """Which pictures micro-batch number `micro` has."""
        return order(len(self.pictures), micro * size, size, *what)

    def examples(self, base: Denoiser, micro: int, size: int, generator: torch.Generator, *what: object) -> Examples:
        """The pictures of micro-batch number `micro`, each with one of its texts, noise and timestep."""
        rows = self.rows(micro, size, *what)
        latents = self.pictures.draw(rows, generator)
        examples = Examples.with_noise(base, latents, tuple(_one_of(self.texts[row], generator) for row in rows), generator)
        return examples if self.frames is None else replace(examples, frames=self.frames[rows])


def _one_of(texts: Sequence[str], generator: torch.Generator) -> str:
    return texts[int(torch.randint(len(texts), (1,), generator=generator))] if len(texts) > 1 else texts[0]


class Supervised(Method):
    """A method that learns photos by the noise-prediction loss, with prior preservation if its options have a λ."""

    spec: CaptionedStage
    base: Base
    adapters: Sequence[Adapter]  # what is trained; the U-Net's first, if there is one

    def parameter_groups(self) -> list[dict[str, Any]]:
        rate = self.spec.learning_rate
        of_text = isinstance(self.spec, TextEncoderStage) and self.spec.text_encoder_learning_rate or rate
        return [{"params": adapter.parameters(), "lr": of_text if n else rate} for n, adapter in enumerate(self.adapters)]

    def weights(self) -> dict[str, Tensor]:
        return {name: value for adapter in self.adapters for name, value in adapter.weights().items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        for adapter in self.adapters:
            adapter.restore(weights)

    def freeze(self, strength: float = 1.0) -> None:
        """`strength`: how much of what was learned becomes part of the base; other than 1 only for what is added to its weights."""
        super().freeze()
        for adapter in self.adapters:
            adapter.fold(strength)

    def texts(self, name: str) -> Sequence[str]:
        """What a photo, or with the class noun a class picture, may be captioned."""
        return (said(self.spec.prompt, name),)

    def reaches_text(self) -> bool:
        """Whether gradients pass through the text encoders."""
        return isinstance(self.spec, TextEncoderStage) and self.spec.train_text_encoder

    def changes(self, prompt: str) -> bool:
        """Whether training changes how this prompt is encoded; where it does not, it is encoded once."""
        return self.reaches_text()

    def spare_memory(self) -> None:
        self.base.spare_memory(self.reaches_text())

    def caches(self) -> bool:
        """Whether photos and constant prompts are encoded once."""
        return not isinstance(self.spec, PhotoStage) or self.spec.cache_latents

    def batches(self, subjects: Sequence[Subject], start: int, seed: int) -> Iterator[list[Batch]]:
        if self.spec.gradient_checkpointing:
            self.spare_memory()
        self._encoded: dict[str, Conditioning] = {}
        photos = self._photos(
            [p for s in subjects for p in s.photos], [texts for s in subjects for texts in self.captions(s)], [f for s in subjects for f in s.frames]
        )  # fmt: skip
        return self._endless(photos, self._prior(subjects, seed), start, seed)

    def _photos(self, pictures: list[Image.Image], texts: Sequence[Sequence[str]], frames: Sequence[tuple[int, int, int, int]]) -> Lesson:
        return self._lesson(pictures, texts, frames)

    def photo_weight(self, examples: Examples) -> float:
        """What the photos' loss is multiplied by."""
        return 1.0

    def _lesson(self, pictures: list[Image.Image], texts: Sequence[Sequence[str]], frames: Sequence[tuple[int, int, int, int]]) -> Lesson:
        return Lesson(LatentPictures(self.base, pictures, self.caches()), texts, torch.tensor(frames) if frames else None)

    @classmethod
    def unattached(cls, spec: Any, base: Base) -> Supervised:
        """One that trains nothing: what it calls a subject and how it captions photos follow from options and base alone, and can be asked beforehand."""
        method = object.__new__(cls)
        method.spec, method.base = spec, base
        return method

    def captions(self, subject: Subject) -> list[Sequence[str]]:
        """The texts of each photo of a subject. Raises UserError where one does not say a new word, or is cut off before the subject."""
        called = self.called(subject.called or subject.class_noun, subject)
        texts: list[Sequence[str]] = [self.texts(called)] * len(subject.photos)
        if self.spec.use_captions:
            if len(subject.captions) != len(subject.photos) or None in subject.captions:
                raise UserError(f"use_captions: not every photo has a caption. {CAPTIONS}")
            texts = [(said(caption, called),) for caption in subject.captions if caption]
        for text in {text for each in texts for text in each}:
            if self.spec.new_words and called not in text:
                raise UserError(f"caption {text!r}: does not say {called}, so the new word would learn nothing from it. Write {{}} where the subject belongs.")
            if called in text and self.base.cut_off(text[: text.index(called) + len(called.split()[0])]):
                raise UserError(f"caption {text!r}: is longer than the text encoder reads, and {called} is cut off. Shorten it, or say {{}} earlier.")
        return texts

    def _prior(self, subjects: Sequence[Subject], seed: int) -> Lesson | None:
        """The class pictures of all subjects."""
        spec = self.spec
        if not isinstance(spec, PriorStage) or not spec.prior_weight:
            return None
        pictures, texts, frames = [], [], []
        for subject in subjects:
            of_class = self.texts(subject.class_noun)
            if subject.class_photos:
                pictures += subject.class_photos
                captions = subject.class_captions or [None] * len(subject.class_photos)
                texts += [(said(caption, subject.class_noun),) if caption else of_class for caption in captions]
                frames += subject.class_frames or [(picture.height, picture.width, 0, 0) for picture in subject.class_photos]
                continue
            drawn = class_pictures(self.base, of_class[0], spec.class_pictures, spec.class_steps, spec.class_guidance_scale, seed, self.progress)
            size = subject.photos[0].size
            pictures += [picture.resize(size, Image.Resampling.LANCZOS) for picture in drawn]
            texts += [of_class] * len(drawn)
            frames += [(size[1], size[0], 0, 0)] * len(drawn)
        return self._lesson(pictures, texts, frames)

    def _endless(self, photos: Lesson, prior: Lesson | None, start: int, seed: int) -> Iterator[list[Batch]]:
        parts, size = self.spec.gradient_accumulation, self.spec.batch_size
        for n in itertools.count(start):
            step = []
            for part in range(parts):
                micro, generator = n * parts + part, micro_batch(seed, n, part)
                learned = photos.examples(self.base, micro, size, generator, seed, "photos")
                kept = prior.examples(self.base, micro, size, generator, seed, "class pictures") if prior else None
                step.append(Batch(learned, kept, share=1 / parts))
            yield step

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        prompts = batch.photos.prompts + (batch.prior.prompts if batch.prior else ())
        weight = self.spec.prior_weight if isinstance(self.spec, PriorStage) else 0.0
        return denoising_losses(self.base, batch, self.condition(prompts), weight, self.spec.min_snr_gamma, self.photo_weight(batch.photos))

    def encode(self, prompts: Sequence[str]) -> Conditioning:
        return self.base.condition(prompts)

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """Each prompt is encoded once a batch; once for ever where training does not change it.

        The constant ones are encoded one by one: their last bits may not depend on which others a batch held first.
        """
        known = self._encoded if self.caches() else {}
        for prompt in dict.fromkeys(prompts):
            if prompt not in known and not self.changes(prompt):
                with torch.no_grad():
                    known[prompt] = self.encode([prompt])
        changing = list(dict.fromkeys(p for p in prompts if self.changes(p)))
        encoded = self.encode(changing) if changing else None
        found = known | ({p: encoded[n : n + 1] for n, p in enumerate(changing)} if encoded else {})
        return Conditioning.cat([found[p] for p in prompts])


def named(name: str, subject: Any) -> str:
    """ "dog" -> "sks dog", unless a stage beneath has given it a name already."""
    return f"{subject.identifier} {name}" if name == subject.class_noun else name
