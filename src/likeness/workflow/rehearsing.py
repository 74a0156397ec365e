"""What the stages of a recipe will read, asked of the base before any of them is trained: new words, what they begin as, and captions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..files.recipe import Recipe
from ..files.subject import Photo
from ..learning.method import Method, Subject
from ..learning.supervised import Supervised
from ..methods.custom_diffusion import RARE
from ..model.base import Base
from .stack import method_class


def rehearse(recipe: Recipe, base: Base, photos: Sequence[Photo], say: Callable[[str], None], first: int = 0) -> None:
    """Refuse words and captions that a stage could not learn; raises UserError. The base is left as it was.

    say    hears of a word that begins as less than its initializer
    first  number of the first stage that is yet to be trained
    """
    names = [subject.class_noun for subject in recipe.subjects]
    try:
        for number, stage in enumerate(recipe.stages):
            for word, (initializer, vectors) in stage.new_rows().items():
                if word not in base.words:
                    base.check_word(word)
                    pieces = base.pieces(initializer)
                    if len(pieces) > (vectors or 1) and initializer not in RARE and number >= first:  # what means nothing may begin as any piece of it
                        say(f"warning: {_cut_short(word, initializer, pieces, vectors)}")
                    base.words[word] = tuple(range(at := -1 - sum(map(len, base.words.values())), at - (vectors or 1), -1))  # of no row: they are only counted
            kind = method_class(stage.method)
            if not issubclass(kind, Supervised):
                if kind.called is not Method.called:  # what it calls a subject, it says once it is attached
                    return
                continue
            method = kind.unattached(stage, base)
            subjects = [_subject(recipe, n, name, photos) for n, name in enumerate(names)]
            if number >= first:
                for subject in subjects:
                    method.captions(subject)
            names = [method.called(name, subject) for name, subject in zip(names, subjects)]
    finally:
        base.words.clear()


def _cut_short(word: str, initializer: str, pieces: Sequence[str], vectors: int | None) -> str:
    more = f"Give --vectors {len(pieces)}, or an initializer" if vectors else "Give an initializer"
    begun = f"{vectors or 1} vector{'s' * ((vectors or 1) > 1)}"
    return f"initializer {initializer!r} is {len(pieces)} pieces to this base ({' '.join(pieces)}), and {word}, {begun} long, begins as {' '.join(pieces[: vectors or 1])!r}. {more} of fewer pieces"


def _subject(recipe: Recipe, number: int, called: str, photos: Sequence[Photo]) -> Subject:
    asked, shown = recipe.subjects[number], [photo for photo in photos if photo.image and photo.subject == number and not photo.of_class]
    return Subject([photo.image for photo in shown if photo.image], asked.class_noun, asked.identifier, called, [photo.caption for photo in shown])
