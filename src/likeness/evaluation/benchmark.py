"""DreamBench: the 30 subjects and 25 + 25 prompts on which DreamBooth was measured.

github.com/google/dreambooth, dataset/prompts_and_classes.txt. The one placeholder stands for identifier and class noun together
("sks dog"), so that a method which names its subject with one word fills the same template; filled with the
class noun alone it is the text for CLIP-T. Protocol: four pictures per prompt, 30 × 25 × 4 = 3,000.

Beside them: ToyBench's prompts by the same rule, the one simple prompt of Textual Inversion's protocol, the ten prompts of a DreamBooth report, what
training on one subject should leave alone, and which application a known prompt is of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..files.prompts import said
from ..world.classes import CLASSES
from ..world.subjects import known_prompts, prompts_for

_ANY = (
    "a {} in the jungle",
    "a {} in the snow",
    "a {} on the beach",
    "a {} on a cobblestone street",
    "a {} on top of pink fabric",
    "a {} on top of a wooden floor",
    "a {} with a city in the background",
    "a {} with a mountain in the background",
    "a {} with a blue house in the background",
    "a {} on top of a purple rug in a forest",
)
_OBJECT = (
    "a {} with a wheat field in the background",
    "a {} with a tree and autumn leaves in the background",
    "a {} with the Eiffel Tower in the background",
    "a {} floating on top of water",
    "a {} floating in an ocean of milk",
    "a {} on top of green grass with sunflowers around it",
    "a {} on top of a mirror",
    "a {} on top of the sidewalk in a crowded street",
    "a {} on top of a dirt road",
    "a {} on top of a white rug",
)
_LIVE = (
    "a {} wearing a red hat",
    "a {} wearing a santa hat",
    "a {} wearing a rainbow scarf",
    "a {} wearing a black top hat and a monocle",
    "a {} in a chef outfit",
    "a {} in a firefighter outfit",
    "a {} in a police outfit",
    "a {} wearing pink glasses",
    "a {} wearing a yellow shirt",
    "a {} in a purple wizard outfit",
)
_PROPERTY = (  # these change the subject itself, so they lower every likeness to it
    "a red {}",
    "a purple {}",
    "a shiny {}",
    "a wet {}",
    "a cube shaped {}",
)

DREAMBENCH_OBJECT_PROMPTS = _ANY + _OBJECT + _PROPERTY
DREAMBENCH_LIVE_PROMPTS = _ANY + _LIVE + _PROPERTY

LIVE_CLASSES = frozenset({"cat", "dog"})

# Folder in the dataset: class noun.
DREAMBENCH_SUBJECTS = {
    "backpack": "backpack",
    "backpack_dog": "backpack",
    "bear_plushie": "stuffed animal",
    "berry_bowl": "bowl",
    "can": "can",
    "candle": "candle",
    "cat": "cat",
    "cat2": "cat",
    "clock": "clock",
    "colorful_sneaker": "sneaker",
    "dog": "dog",
    "dog2": "dog",
    "dog3": "dog",
    "dog5": "dog",
    "dog6": "dog",
    "dog7": "dog",
    "dog8": "dog",
    "duck_toy": "toy",
    "fancy_boot": "boot",
    "grey_sloth_plushie": "stuffed animal",
    "monster_toy": "toy",
    "pink_sunglasses": "glasses",
    "poop_emoji": "toy",
    "rc_car": "toy",
    "red_cartoon": "cartoon",
    "robot_toy": "toy",
    "shiny_sneaker": "sneaker",
    "teapot": "teapot",
    "vase": "vase",
    "wolf_plushie": "stuffed animal",
}


def dreambench_prompts(class_noun: str) -> tuple[str, ...]:
    """The 25 templates for a subject of this class; plush animals and cartoons count as objects."""
    return DREAMBENCH_LIVE_PROMPTS if class_noun in LIVE_CLASSES else DREAMBENCH_OBJECT_PROMPTS


SIMPLE = "a photo of a {}"  # Textual Inversion's protocol (arXiv 2208.01618) as Zeng et al. use it: 64 pictures; with the class noun it asks for the class alone
TEN_PROMPTS = (  # of a toy, drawn with ten seeds each
    "a {} near a window",
    "a {} sitting on a wooden chair",
    "a {} on a bookshelf full of colorful books",
    "a {} on a sandy beach at sunset",
    "a {} standing in a kitchen on the counter",
    "a {} next to a sleeping cat on a sofa",
    "a {} inside a child's playroom surrounded by toys",
    "a {} in a city street with neon lights",
    "a {} in a forest with tall trees",
    "a {} sitting on a desk next to a laptop",
)
# Things of other classes, in words that the toybox knows too.
_UNRELATED = (
    "a photo of a cat", "a dog in the snow", "a rabbit in the jungle", "a photo of a person", "a blue backpack on the beach", "a teapot on top of a wooden floor",
    "a vase with a mountain in the background", "a candle at night under the stars", "a red car on a cobblestone street", "a robot on top of a dirt road",
    "a clock on top of a white rug", "a bowl on top of pink fabric",
)  # fmt: skip

RECONTEXTUALIZATION = "recontextualization"
_EXPRESSIONS = ("a smiling {}", "a sad {}", "a surprised {}", "an angry {}")
_KINDS = {
    **dict.fromkeys((*_ANY, *_OBJECT, *TEN_PROMPTS), RECONTEXTUALIZATION),
    **dict.fromkeys(_LIVE, "accessory"),
    **dict.fromkeys(_PROPERTY, "property"),
    **dict.fromkeys(_EXPRESSIONS, "expression"),
}


@dataclass(frozen=True)
class Protocol:
    """What is drawn of every subject: prompts for its class noun, and so many pictures of each."""

    prompts: Callable[[str], tuple[str, ...]]
    pictures: int


PROTOCOLS: dict[str, Protocol] = {
    "toybench": Protocol(lambda noun: tuple(prompt.template for prompt in prompts_for(noun)), 4),
    "dreambench": Protocol(dreambench_prompts, 4),
    "simple": Protocol(lambda noun: (SIMPLE,), 64),
    "ten": Protocol(lambda noun: TEN_PROMPTS, 10),
}


def unrelated_prompts(class_noun: str) -> tuple[str, ...]:
    """Prompts of other things than this class."""
    return tuple(prompt for prompt in _UNRELATED if f" {class_noun}" not in prompt)


def kinds_for(class_noun: str) -> Mapping[str, str]:
    """Every known prompt of a class, said with its noun, and the application that it is of: recontextualization, style, viewpoint, property, expression, accessory."""
    toy = {prompt.template: prompt.kind for prompt in known_prompts(class_noun)} if class_noun in CLASSES else {}
    return {said(template, class_noun): kind for template, kind in {**_KINDS, **toy}.items()}
