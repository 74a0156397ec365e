"""Words for scenes: captions in many phrasings that name part of what is shown.

Among the phrasings are the templates of Textual Inversion (arXiv 2208.01618) and the prompts of DreamBench
(arXiv 2208.12242), so that what methods will ask of the base later is in its language.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .classes import CLASSES
from .contexts import CONTEXTS
from .scene import Placed, Scene

# Textual Inversion's photo templates; those that claim something are used only where it is true.
PHOTO_TEMPLATES = (
    "a photo of {}", "a rendering of {}", "a cropped photo of {}", "the photo of {}", "a good photo of {}", "a rendition of {}",
    "a depiction of {}", "an illustration of {}", "a picture of {}", "an image of {}", "a photograph of {}", "{}", "{}", "{}",
)  # fmt: skip
DARK_TEMPLATES = ("a dark photo of {}", "a dark picture of {}")
BRIGHT_TEMPLATES = ("a bright photo of {}", "a bright picture of {}")
CLOSE_TEMPLATES = ("a close-up photo of {}", "a close-up of {}")
FILLERS = ("nice", "cool", "weird", "clean", "good", "cute", "lovely", "beautiful", "dirty", "rare", "special", "favourite")
STYLE_TEMPLATES = {
    "watercolour": ("a watercolour painting of {}", "{} in watercolour", "{} in the style of a watercolour painting"),
    "pencil": ("a pencil drawing of {}", "a pencil sketch of {}", "{} in the style of a pencil drawing"),
    "pixel art": ("pixel art of {}", "a pixel art picture of {}", "{} in the style of pixel art"),
    "oil painting": ("an oil painting of {}", "{} in oil", "{} in the style of an oil painting"),
}
EDIT_WORDS = {"red": "red", "purple": "purple", "shiny": "shiny", "wet": "wet", "cube": "cube shaped"}
VIEW_TEMPLATES = {"front": ("{} seen from the front", "a front view of {}"), "side": ("a side view of {}", "{} seen from the side")}
# Words without a meaning in this world: seen now and then, so that an identifier is neutral rather than unheard of.
NEUTRAL_WORDS = ("sks", "zwx", "ktn", "pll", "ucd", "olis", "qxv", "vbn", "trv", "mnq")


@dataclass(frozen=True)
class Caption:
    """A text and what it says: names["colour"] == "red" only if the text says so. Labels are of the first object."""

    text: str
    names: dict[str, str]


def article(words: str) -> str:
    return ("an " if words[:1] in "aeiou" else "a ") + words


def accessory_words(accessory: str) -> str:
    """As DreamBench has it: "wearing a red hat", "in a chef outfit"."""
    if accessory.endswith("outfit"):
        return f"in {article(accessory)}"
    if accessory == "black top hat and monocle":
        return "wearing a black top hat and a monocle"
    return f"wearing {accessory}" if accessory == "pink glasses" else f"wearing {article(accessory)}"


def described(noun: str, colour_and_pattern: str, class_noun: str) -> str:
    """Colour and pattern stand before the noun; a person has them on: "person in red"."""
    if not colour_and_pattern:
        return noun
    return f"{noun} in {colour_and_pattern}" if class_noun == "person" else f"{colour_and_pattern} {noun}"


def caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """One way to say what a scene shows; leaves out what chance leaves out."""
    first = scene.objects[0]
    names: dict[str, str] = {"class": first.appearance.class_noun}
    text = _noun_phrase(first, rng, names)
    if len(scene.objects) == 2:
        other: dict[str, str] = {}
        text = f"{text} {rng.choice(['next to', 'beside', 'and'])} {_noun_phrase(scene.objects[1], rng, other)}"
        names["second class"] = scene.objects[1].appearance.class_noun
        if "colour" in other:
            names["second colour"] = other["colour"]
    elif rng.random() < 0.15:
        text = str(rng.choice(VIEW_TEMPLATES[first.view])).format(text)
        names["view"] = first.view
    if CONTEXTS[scene.context].words and rng.random() < 0.9:
        text = f"{text} {CONTEXTS[scene.context].words}"
        names["context"] = scene.context
    return Caption(_in_style(text, scene, rng, names), names)


def _noun_phrase(placed: Placed, rng: np.random.Generator, names: dict[str, str]) -> str:
    look, thing = placed.appearance, CLASSES[placed.appearance.class_noun]
    noun = str(rng.choice(thing.synonyms)) if thing.synonyms and rng.random() < 0.12 else thing.noun
    words = []
    if rng.random() < 0.12:
        words.append(str(rng.choice(FILLERS)))
    if placed.edit != "none" and rng.random() < 0.9:
        words.append(EDIT_WORDS[placed.edit])
        names["edit"] = placed.edit
    if placed.expression != "neutral" and rng.random() < 0.8:
        words.append(placed.expression)
        names["expression"] = placed.expression
    if rng.random() < 0.04 and (placed.size > 0.7 or placed.size < 0.58):
        words.append("large" if placed.size > 0.7 else "small")
    seen = []
    if rng.random() < 0.8:
        seen.append(look.colour)
        names["colour"] = look.colour
    if look.pattern != "plain" and rng.random() < 0.7:
        seen.append(look.pattern)
        names["pattern"] = look.pattern
    if rng.random() < 0.04:
        noun = f"{rng.choice(NEUTRAL_WORDS)} {noun}"
    phrase = " ".join([*words, described(noun, " ".join(seen), thing.noun)])
    chance = rng.random()
    phrase = article(phrase) if chance < 0.8 else f"{'the' if chance < 0.9 else 'my' if chance < 0.95 else 'one'} {phrase}"
    if placed.accessory != "none" and rng.random() < 0.92:
        phrase = f"{phrase} {accessory_words(placed.accessory)}"
        names["accessory"] = placed.accessory
    return phrase


def _in_style(text: str, scene: Scene, rng: np.random.Generator, names: dict[str, str]) -> str:
    templates = PHOTO_TEMPLATES
    if scene.style != "photo":
        if rng.random() < 0.92:
            templates, names["style"] = STYLE_TEMPLATES[scene.style], scene.style
    elif scene.brightness < 0.78 and rng.random() < 0.5:
        templates = DARK_TEMPLATES
    elif scene.brightness > 1.1 and rng.random() < 0.5:
        templates = BRIGHT_TEMPLATES
    elif len(scene.objects) == 1 and scene.objects[0].size > 0.73 and rng.random() < 0.5:
        templates = CLOSE_TEMPLATES
    template = str(rng.choice(templates))
    if scene.style == "photo" and template != "{}":
        names["style"] = "photo"
    return template.format(text)
