"""ToyBench's subjects and prompts: thirty named individuals, their photos, and the true picture of any prompt.

Ten subjects are held out: they serve the last measurement and nothing else. No appearance near a named
subject's is ever shown to the base or the judges (`admissible`).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from .captions import accessory_words, article, described
from .classes import CLASSES
from .contexts import CONTEXTS
from .random_scenes import random_appearance, random_light, random_placement, shows_held_out
from .scene import EXPRESSIONS, STYLES, Appearance, Scene

DISTRACTORS = 10  # of the same words, whom a subject is named among
NEAR = 2  # of the five named features that may differ at most for an appearance to count as near
_NAMES = {
    "biscuit": "dog", "pepper": "dog", "bruno": "dog", "mimi": "cat", "shadow": "cat", "clover": "rabbit", "hazel": "rabbit",
    "nora": "person", "trekker": "backpack", "daypack": "backpack", "earl": "teapot", "amphora": "vase", "bud": "vase",
    "wick": "candle", "ramen": "bowl", "fizz": "can", "bolt": "robot", "gizmo": "robot", "grumble": "toy", "dash": "sneaker",
}  # fmt: skip
_HELD_OUT_NAMES = {
    "rex": "dog", "tiger": "cat", "flop": "rabbit", "omar": "person", "satchel": "backpack", "oolong": "teapot",
    "rusty": "robot", "snarl": "toy", "beetle": "car", "chime": "clock",
}  # fmt: skip


@dataclass(frozen=True)
class NamedSubject:
    name: str
    appearance: Appearance
    held_out: bool

    @property
    def class_noun(self) -> str:
        return self.appearance.class_noun

    @property
    def describable(self) -> str:
        """Every word that a prompt can say of it: "red striped dog", "person in red"."""
        a = self.appearance
        return described(a.class_noun, a.colour if a.pattern == "plain" else f"{a.colour} {a.pattern}", a.class_noun)


def seed_of(text: str) -> int:
    return zlib.crc32(text.encode())


def _subject(name: str, noun: str, held_out: bool) -> NamedSubject:
    return NamedSubject(name, random_appearance(np.random.default_rng(seed_of(f"subject/{name}")), noun), held_out)


SUBJECTS: dict[str, NamedSubject] = {
    **{name: _subject(name, noun, False) for name, noun in _NAMES.items()},
    **{name: _subject(name, noun, True) for name, noun in _HELD_OUT_NAMES.items()},
}
OPEN_SUBJECTS = tuple(s for s in SUBJECTS.values() if not s.held_out)
REPORTED = ("earl", "pepper", "bolt", "nora", "dash", "ramen", "shadow", "grumble", "amphora", "wick")  # ten open subjects of ten classes, three of them alive; settings are chosen on the others


def differences(a: Appearance, b: Appearance) -> int:
    """How many of the five features that have names (three colours, pattern, emblem) differ; six for another class."""
    if a.class_noun != b.class_noun:
        return 6
    return sum(getattr(a, f) != getattr(b, f) for f in ("colour", "second", "accent", "pattern", "emblem"))


def near_named(appearance: Appearance) -> bool:
    return any(differences(appearance, s.appearance) <= NEAR for s in SUBJECTS.values())


def admissible(scene: Scene) -> bool:
    """Whether a scene may be shown to the base and the judges in training."""
    return not shows_held_out(scene) and not any(near_named(o.appearance) for o in scene.objects)


def distractors(subject: NamedSubject, count: int) -> list[Appearance]:
    """Others of the subject's class that share all that a prompt can say: colour and pattern."""
    rng = np.random.default_rng(seed_of(f"distractors/{subject.name}"))
    found: list[Appearance] = []
    while len(found) < count:
        other = random_appearance(rng, subject.class_noun)
        other = replace(other, colour=subject.appearance.colour, pattern=subject.appearance.pattern)
        if len({other.colour, other.second, other.accent}) == 3 and differences(other, subject.appearance) >= 2:
            found.append(other)
    return found


def lookalikes(subject: NamedSubject, count: int) -> list[Appearance]:
    """Others of whom the same words are true, for floors: none of those whom the subject is named among, who could never pass for it."""
    return distractors(subject, DISTRACTORS + count)[DISTRACTORS:]


def photo_scenes(appearance: Appearance, count: int, seed: int, contexts: tuple[str, ...] | None = None) -> list[Scene]:
    """Photographs of one individual as its owner would take them: both views, several places, no costume, no edit."""
    rng = np.random.default_rng(seed)
    places = contexts or tuple(rng.permutation(["studio", "street", "floor", "beach", "rug", "dirt", "city", "white_rug"]))
    scenes = []
    for k in range(count):
        placed = random_placement(rng, appearance, 0.5 + rng.uniform(-0.08, 0.08), rng.uniform(0.58, 0.76))
        placed = replace(placed, view="front" if k % 2 == 0 else "side")
        scenes.append(Scene((placed,), str(places[k % len(places)]), seed=int(rng.integers(2**31)), **random_light(rng)))
    return scenes


def photos_of(subject: NamedSubject) -> list[Scene]:
    """The four to six photos that a method is given."""
    seed = seed_of(f"photos/{subject.name}")
    return photo_scenes(subject.appearance, 4 + seed % 3, seed)


def pair_scene(first: Appearance, second: Appearance, context: str, seed: int) -> Scene:
    """Two individuals side by side, either of them on the left."""
    rng = np.random.default_rng(seed)
    xs = (0.28, 0.72) if rng.random() < 0.5 else (0.72, 0.28)
    placed = tuple(random_placement(rng, one, x + rng.uniform(-0.03, 0.03), rng.uniform(0.42, 0.5)) for one, x in zip((first, second), xs))
    return Scene(placed, context, seed=int(rng.integers(2**31)), **random_light(rng))


@dataclass(frozen=True)
class ToyPrompt:
    """A prompt with a hole for the subject's name, and what is true in its picture."""

    template: str  # "a {} in the jungle"
    context: str = "studio"
    accessory: str = "none"
    edit: str = "none"
    style: str = "photo"
    view: str | None = None
    expression: str = "neutral"
    kind: str = "recontextualization"

    def scene(self, appearance: Appearance, seed: int) -> Scene:
        """The true scene of this prompt for an individual; the seed varies what the prompt leaves open."""
        rng = np.random.default_rng(seed)
        placed = random_placement(rng, appearance, 0.5 + rng.uniform(-0.1, 0.1), rng.uniform(0.56, 0.74))
        placed = replace(placed, accessory=self.accessory, edit=self.edit, expression=self.expression, view=self.view or placed.view)
        return Scene((placed,), self.context, self.style, seed=int(rng.integers(2**31)), **random_light(rng))


_SCENES = ("jungle", "snow", "mountain", "house", "wheat", "autumn", "tower", "water", "milk", "sunflowers", "mirror", "crowd", "fabric")
_SHARED = (
    *(ToyPrompt(f"a {{}} {CONTEXTS[c].words}", context=c) for c in _SCENES),
    ToyPrompt("a red {}", edit="red", kind="property"),
    ToyPrompt("a purple {}", edit="purple", kind="property"),
    ToyPrompt("a shiny {}", edit="shiny", kind="property"),
    ToyPrompt("a wet {}", edit="wet", kind="property"),
    ToyPrompt("a cube shaped {}", edit="cube", kind="property"),
    ToyPrompt("a side view of a {}", view="side", kind="viewpoint"),
    ToyPrompt("a {} seen from the front", view="front", kind="viewpoint"),
)
_DRAWN = {"watercolour": "a watercolour painting of a {}", "pencil": "a pencil drawing of a {}",
          "pixel art": "pixel art of a {}", "oil painting": "an oil painting of a {}"}  # fmt: skip
_WORN = ("red hat", "rainbow scarf", "chef outfit", "pink glasses", "purple wizard outfit")
LIVE_PROMPTS: tuple[ToyPrompt, ...] = (
    *_SHARED, *(ToyPrompt(f"a {{}} {accessory_words(w)}", accessory=w, kind="accessory") for w in _WORN),
)  # fmt: skip
OBJECT_PROMPTS: tuple[ToyPrompt, ...] = (
    *_SHARED, *(ToyPrompt(_DRAWN[s], style=s, kind="style") for s in STYLES[1:]),
    ToyPrompt(f"a {{}} {CONTEXTS['night'].words}", context="night"),
)  # fmt: skip
EXPRESSION_PROMPTS = tuple(ToyPrompt(f"{article(mood)} {{}}", expression=mood, kind="expression") for mood in EXPRESSIONS[1:])  # of whom has a face to show them


_EVERYWHERE = tuple(ToyPrompt(f"a {{}} {place.words}", context=name) for name, place in CONTEXTS.items() if place.words)


def prompts_for(class_noun: str) -> tuple[ToyPrompt, ...]:
    """ToyBench's twenty-five prompts for a class."""
    return LIVE_PROMPTS if CLASSES[class_noun].live else OBJECT_PROMPTS


def known_prompts(class_noun: str) -> tuple[ToyPrompt, ...]:
    """Every prompt of a class whose true picture the world can draw: ToyBench's, its other places, and expressions of a person."""
    asked = prompts_for(class_noun)
    elsewhere = tuple(prompt for prompt in _EVERYWHERE if prompt.template not in {p.template for p in asked})
    return (*asked, *elsewhere, *(EXPRESSION_PROMPTS if class_noun == "person" else ()))
