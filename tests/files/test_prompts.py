"""Names in prompts, with the article that they are spoken with."""

from __future__ import annotations

import pytest

from likeness.files.prompts import renamed, said


@pytest.mark.parametrize(
    ("name", "spoken"), [("sks dog", "a sks dog"), ("ohwx dog", "an ohwx dog"), ("owl", "an owl"), ("unicorn", "a unicorn"), ("uniform", "a uniform"), ("umbrella", "an umbrella"), ("one-eyed cat", "a one-eyed cat")]
)  # fmt: skip
def test_a_name_is_said_with_its_article(name, spoken):
    assert said("a {} in the snow", name) == f"{spoken} in the snow"
    assert said("a photo of {}, a {}", name) == f"a photo of {name}, {spoken}"


@pytest.mark.parametrize(
    ("prompt", "name", "other", "expected"),
    [
        ("an ohwx dog in the snow", "ohwx dog", "dog", "a dog in the snow"), ("a sks owl in the snow", "sks owl", "owl", "an owl in the snow"),
        ("An ohwx dog and the ohwx dog", "ohwx dog", "dog", "A dog and the dog"), ("a sks dog on a banana sks dog", "sks dog", "dog", "a dog on a banana dog"),
        ("a <v> dog", "<v> dog", "dog", "a dog"), ("nothing of it", "sks dog", "dog", "nothing of it"), ("a dog and dog", "dog", "guide dog", "a guide dog and guide dog"),
    ],
)  # fmt: skip
def test_another_name_takes_its_article_along(prompt, name, other, expected):
    assert renamed(prompt, name, other) == expected
