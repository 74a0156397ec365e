"""New words as they are written."""

from __future__ import annotations

import pytest

from likeness.files.errors import UserError
from likeness.files.words import check_lower_case, word_of


@pytest.mark.parametrize(("identifier", "word"), [("sks", "<sks>"), ("Biscuit", "<biscuit>"), ("<My-Dog>", "<my-dog>")])
def test_an_identifier_becomes_a_word_in_lower_case(identifier, word):
    assert word_of(identifier) == word
    check_lower_case(word)


def test_capitals_in_a_word_to_be_taught_are_refused():
    with pytest.raises(UserError, match="Write <biscuit>"):
        check_lower_case("<sks>", "<Biscuit>")
