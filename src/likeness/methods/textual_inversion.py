"""Textual Inversion: teach a subject as one new word.

Gal et al. 2022, arXiv 2208.01618, eq. 2. The new word's rows are a parameter of their own: the rows of the tokenizer's
vocabulary are neither trained nor restored. As an adjective ("a photo of a <rare> backpack") it is the first stage of Zeng et al. 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from ..files.prompts import said
from ..files.words import begun_with, bracketed, check_lower_case, word_of
from ..learning.supervised import PhotoStage, Supervised
from ..model.adapters import NewWord
from ..model.base import Base

TEMPLATES = {  # the phrasings of the paper's published code: 27 for objects, 17 for styles
    "object": (
        *(f"a photo of {which} {{}}" for which in ("a", "the", "my", "one")),
        *(f"a {taken} photo of {which} {{}}" for taken in ("cropped", "good", "close-up") for which in ("a", "the")),
        "a dark photo of the {}", "a bright photo of the {}",
        *(f"a photo of {which} {kind} {{}}" for kind in ("clean", "nice", "cool", "small") for which in ("a", "the")),
        "a photo of a dirty {}", "a photo of the weird {}", "a photo of the large {}",
        "the photo of a {}", "a rendering of a {}", "a rendition of a {}", "a rendition of the {}",
    ),
    "style": (
        *(f"a {kind} painting in the style of {{}}" for kind in ("clean", "dirty", "dark", "cool", "close-up", "bright", "cropped", "good", "nice", "small", "weird", "large")),
        *(f"{kind} in the style of {{}}" for kind in ("a painting", "the painting", "a rendering", "a rendition", "a picture")),
    ),
}  # fmt: skip


class Spec(PhotoStage):
    """Options of Textual Inversion."""

    method: ClassVar[str] = "textual_inversion"
    decides: ClassVar[tuple[str, ...]] = ("word", "initializer", "vectors", "adjective")
    new_words: ClassVar[bool] = True
    several: ClassVar[bool] = False

    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="Step size of AdamW after the warm-up. Default from diffusers' example: 5e-4 times its accumulation of 4.")
    gradient_accumulation: int = Field(default=4, ge=1, le=4096, description="Forward passes averaged into one step: a larger batch in the same memory. Default from diffusers' example.")
    steps: int = Field(default=3000, ge=1, le=10_000_000, description="Optimizer steps of this stage. Default from diffusers' example.")
    word: str = Field(default="<sks>", description="The new word, in angle brackets and lower case. Default: the subject's identifier.")
    initializer: str = Field(default="object", description="Words whose rows the new word begins with, piece by piece. Default: the class noun, as the paper advises.")
    vectors: int = Field(default=1, ge=1, le=75, description="Rows that the word is long: more holds more of the subject and bends prompts more. Source: the paper's 1.")
    templates: Literal["prompt", "object", "style"] = Field(default="object", description="Captions in training: the prompt alone, or many phrasings for an object or a style. Source: the paper.")
    adjective: bool = Field(default=False, description="The word stands before the class noun instead of in its place (Zeng et al.).")

    @field_validator("word")
    @classmethod
    def _bracketed(cls, word: str) -> str:
        bracketed(word)
        return word

    @field_validator("initializer")
    @classmethod
    def _begun(cls, initializer: str) -> str:
        begun_with(initializer)
        return initializer

    def unread(self) -> dict[str, str]:
        if self.use_captions:
            return {**super().unread(), "templates": "photos are captioned by the texts beside them. Leave --use-captions out"}
        return super().unread() if self.templates == "prompt" else {**super().unread(), "prompt": f"captions are the phrasings of templates {self.templates}. Add --templates prompt"}

    def new_rows(self) -> dict[str, tuple[str, int | None]]:
        return {self.word: (self.initializer, self.vectors)}

    @classmethod
    def completed(cls, options: dict[str, Any], *subjects: dict[str, Any]) -> dict[str, Any]:
        noun, identifier = str(subjects[0].get("class_noun", "object")), str(subjects[0].get("identifier", "sks"))
        if "prompt" in options:  # whoever gives one wants it said
            options = {"templates": "prompt", **options}
        return {"word": word_of(identifier), "initializer": noun.split()[-1] if noun.strip() else "object", **options}

    def check(self, base: str) -> None:
        check_lower_case(self.word)

    def trains(self) -> str:
        return f"{self.vectors} vector{'s' * (self.vectors > 1)}"


class TextualInversion(Supervised):
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        self.adapters = [NewWord(base, spec.word, spec.initializer, spec.vectors)]

    def texts(self, name: str) -> Sequence[str]:
        if self.spec.templates == "prompt":
            return super().texts(name)
        return [said(template, name) for template in TEMPLATES[self.spec.templates]]

    def reaches_text(self) -> bool:
        return True

    def changes(self, prompt: str) -> bool:
        return self.spec.word in prompt

    def called(self, name: str, subject: Any) -> str:
        if self.spec.word in name:  # a stage beneath has taught it already
            return name
        return f"{self.spec.word} {name}" if self.spec.adjective else self.spec.word
