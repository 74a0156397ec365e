import pytest

from likeness.evaluation.statistics import Estimate
from likeness.report.reading import Scores
from likeness.report.verdict import sentence


def scores(half: float = 0.02, **values: float | tuple[float, float]) -> Scores:
    """name=dino or name=(dino, clip_t)"""
    names = {"floor": "floor: another dog", "ceiling": "ceiling: unseen photos"}
    rows = {}
    for name, value in values.items():
        dino, *clip_t = value if isinstance(value, tuple) else (value,)
        found = {"dino": dino, **({"clip_t": clip_t[0]} if clip_t else {})}
        rows[names.get(name, name)] = {metric: Estimate(v, v - half, v + half, 25) for metric, v in found.items()}
    return Scores({}, rows, [])


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (scores(personalized=0.8, base=0.5, floor=0.4, ceiling=0.9), "look clearly like the subject, 80% ["),
        (scores(personalized=0.6, base=0.5, floor=0.4, ceiling=0.9), "look partly like the subject, 40% ["),
        (scores(personalized=0.5, base=0.5, floor=0.4, ceiling=0.9), "look a little like the subject, 20% ["),
        (
            scores(personalized=0.41, base=0.5, floor=0.4, ceiling=0.9),
            "not clear that the pictures look more like the subject than another dog",
        ),
        (
            scores(personalized=0.8, base=0.5),
            "look more like the subject than the base model's do (0.800 [0.780, 0.820] against 0.500",
        ),
        (scores(personalized=0.3, base=0.5, floor=0.5, ceiling=0.9), "look less like the subject than another dog"),
        (scores(personalized=0.3, base=0.5), "look less like the subject"),
        (scores(personalized=0.5, base=0.5), "It is not clear that the pictures look more like"),
        (scores(personalized=0.5), "with nothing yet to compare it with"),
        (
            scores(personalized=(0.8, 0.2), base=(0.5, 0.3)),
            "follow the prompts less closely than the base model's do (0.200 against 0.300)",
        ),
        (scores(personalized=(0.8, 0.3), base=(0.5, 0.2)), "follow the prompts more closely"),
        (scores(personalized=(0.8, 0.3), base=(0.5, 0.31)), "does not clearly differ from the base model"),
    ],
)
def test_sentence_says_what_the_intervals_allow(measured: Scores, words: str):
    assert words in sentence(measured) and sentence(measured).endswith(".")


def test_wide_intervals_take_the_claim_back():
    """The same means as "clearly", with wider and wider whiskers, at last as wide as the way itself."""
    means = {"personalized": 0.8, "base": 0.5, "floor": 0.4, "ceiling": 0.9}
    assert "clearly" in sentence(scores(half=0.03, **means))
    assert "how much more is uncertain: 80% [2%, 158%]" in sentence(scores(half=0.3, **means))
    assert "not clear" in sentence(scores(half=0.33, **means))
    assert "against" in sentence(scores(half=0.4, **means))  # floor and ceiling are not apart: base instead


def test_nothing_measured_says_nothing():
    assert sentence(scores(base=0.5)) == sentence(Scores({}, {}, [])) == ""
