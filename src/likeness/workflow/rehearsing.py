"""What the stages of a recipe will read, asked of the base before any of them is trained: new words, what they begin as, and captions."""

from __future__ import annotations

from collections.abc import Sequence

from ..files.recipe import Recipe
from ..files.subject import Photo
from ..learning.method import Method, Subject
from ..learning.supervised import Supervised
from ..model.base import Base
from .stack import method_class


def rehearse(recipe: Recipe, base: Base, photos: Sequence[Photo], first: int = 0) -> None:
    """Refuse words and captions that a stage could not learn; raises UserError. The base is left as it was.

    first  number of the first stage that is yet to be trained
    """
    names = [subject.class_noun for subject in recipe.subjects]
    try:
        for number, stage in enumerate(recipe.stages):
            for word, (initializer, vectors) in stage.new_rows().items():
                if word not in base.words:
                    base.check_word(word)
                    base.pieces(initializer)
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


def _subject(recipe: Recipe, number: int, called: str, photos: Sequence[Photo]) -> Subject:
    asked, shown = recipe.subjects[number], [photo for photo in photos if photo.image and photo.subject == number and not photo.of_class]
    return Subject([photo.image for photo in shown if photo.image], asked.class_noun, asked.identifier, called, [photo.caption for photo in shown])
