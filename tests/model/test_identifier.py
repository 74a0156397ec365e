"""T30: identifiers that a tokenizer makes something else of."""

from __future__ import annotations

import pytest

from likeness.files.errors import UserError
from likeness.model.base import Base
from likeness.model.identifier import candidates, check_words, meaning_of_its_own, meanings
from likeness.workflow.fitting import fit
from likeness.workflow.identifying import identify
from likeness.workflow.progress import Silent


@pytest.mark.parametrize(("identifier", "noun"), [("dog", "dog"), ("Dog", "dog"), ("DOG", "dog"), ("big", "big dog"), ("big-dog", "big-dog")])
def test_an_identifier_that_the_class_noun_says_is_refused(identifier, noun, tiny_base):
    with pytest.raises(UserError, match="says it already"):
        check_words(tiny_base.tokenizer, identifier, noun)


def test_part_of_a_word_is_no_word_of_it(tiny_base):
    """`at` is not in `cat`."""
    assert check_words(tiny_base.tokenizer, "at", "cat") is None
    assert check_words(tiny_base.tokenizer, "sks", "dog") is None


def test_an_identifier_of_many_pieces_is_explained(tiny_base):
    assert check_words(tiny_base.tokenizer, "xqzvw", "dog") == (
        "identifier 'xqzvw' is 5 pieces to this base (x q z v w): a shorter word, such as sks, is learned faster"
    )


@pytest.mark.parametrize("identifier", ["dog", "two words", "\N{DOG FACE}", "tab\t"])
def test_it_is_refused_before_a_run_is_made(identifier, quick_recipe, tmp_path):
    with pytest.raises(UserError, match="identifier"):
        fit(quick_recipe(identifier=identifier), tmp_path / "runs", Silent())
    assert not (tmp_path / "runs").exists()


def test_words_with_a_meaning_say_more_than_neutral_ones():
    """On the embedded base, which knows what red is."""
    found = meanings(Base.open("toybox"), ["red", "sks"], noises=1)
    assert found["sks"] < 0.2 * found["red"]


def test_a_word_with_a_meaning_is_warned_of_and_a_neutral_one_is_not():
    """T31: of "sks" for a rifle nobody was told (XavierXiao/Dreambooth-Stable-Diffusion#71)."""
    base = Base.open("toybox")
    assert meaning_of_its_own(base, "sks", "dog") is None
    assert "says 1.0 times what 'red' says" in (meaning_of_its_own(base, "red", "dog") or "")
    assert "likeness identifiers --base toybox --noun dog" in (meaning_of_its_own(base, "purple", "dog") or "")


def test_candidates_are_single_tokens():
    tokenizer = Base.open("toybox").tokenizer
    found = candidates(tokenizer, 20)
    assert len(set(found)) == 20 and all(len(tokenizer.tokenize(word)) == 1 for word in found)


@pytest.mark.parametrize(("noun", "count", "says"), [("dog", 0, "--count 0: must be 1"), (" ", 4, "--noun '': is empty")])
def test_what_is_tried_must_be_something(noun, count, says):
    with pytest.raises(UserError, match=says):
        identify("nowhere", (), noun, count, Silent())
