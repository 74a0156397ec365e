"""The classes of the toybox world: table of contents of everything that can be drawn as a subject."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import animals, gear, person, things
from .anchors import Anchors
from .canvas import Pen
from .scene import Look


@dataclass(frozen=True)
class ObjectClass:
    noun: str
    draw: Callable[[Pen, Look, str], Anchors]
    live: bool = False  # live classes wear the accessories
    synonyms: tuple[str, ...] = ()  # further words that captions use for it


CLASSES: dict[str, ObjectClass] = {
    c.noun: c
    for c in (
        ObjectClass("dog", animals.dog, live=True, synonyms=("puppy",)),
        ObjectClass("cat", animals.cat, live=True, synonyms=("kitten",)),
        ObjectClass("rabbit", animals.rabbit, live=True, synonyms=("bunny",)),
        ObjectClass("person", person.person, live=True),
        ObjectClass("backpack", things.backpack),
        ObjectClass("teapot", things.teapot),
        ObjectClass("vase", things.vase),
        ObjectClass("candle", things.candle),
        ObjectClass("bowl", things.bowl),
        ObjectClass("can", things.can),
        ObjectClass("robot", gear.robot),
        ObjectClass("toy", gear.toy, synonyms=("monster", "toy monster")),
        ObjectClass("sneaker", gear.sneaker, synonyms=("shoe",)),
        ObjectClass("boot", gear.boot),
        ObjectClass("car", gear.car),
        ObjectClass("clock", gear.clock, synonyms=("alarm clock",)),
    )
}
LIVE_CLASSES = tuple(noun for noun, c in CLASSES.items() if c.live)
