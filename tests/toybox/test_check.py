"""The check's own measures, on pictures and vectors whose answer is known."""

from __future__ import annotations

from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from likeness.evaluation.encoders import CLIP
from likeness.evaluation.loading import EMBEDDED
from likeness.evaluation.statistics import Estimate
from likeness.model.cascade import Upscaler
from likeness.model.folder import TOYBOX, TOYBOX_UPSCALER
from likeness.toybox import asked_scenes, check, data, models, variety
from likeness.toybox.questions import QUESTIONS
from likeness.world.captions import caption
from likeness.world.classes import CLASSES
from likeness.world.contexts import CONTEXTS
from likeness.world.drawing import draw
from likeness.world.random_scenes import held_out
from likeness.world.scene import COLOURS


class KnowsTheirTexts:
    """A judge whose pictures say their text in their `info`, and whose vectors are one-hot."""

    def __init__(self, texts: list[str]):
        self.known = {text: n for n, text in enumerate(texts)}

    def texts(self, texts: list[str]) -> np.ndarray:
        return np.eye(len(self.known), dtype=np.float32)[[self.known[t] for t in texts]]

    def pictures(self, images: list[Image.Image]) -> np.ndarray:
        return self.texts([str(image.info["text"]) for image in images])


def test_answers_are_counted_against_the_truth():
    texts = QUESTIONS["colour"].among("dog")
    clip = cast(CLIP, KnowsTheirTexts(list(texts.values())))
    assert set(texts) == set(COLOURS)
    images = [Image.new("RGB", (8, 8)) for _ in range(4)]
    for image, colour in zip(images, ("red", "red", "blue", "teal")):
        image.info["text"] = texts[colour]
    truths = [("dog", colour) for colour in ("red", "blue", "blue", "teal")]
    assert check.answered(clip, images, "colour", cast(Any, truths)).value == 0.75
    assert check.answered(clip, images, "colour", cast(Any, truths), ["one", "one", "two", "two"]).n == 2


@pytest.mark.parametrize(
    ("bar", "low", "high", "says"),
    [((0.9, np.inf), 0.91, 0.95, "reached"), ((0.9, np.inf), 0.85, 0.95, "open: the interval holds it"), ((0.9, np.inf), 0.8, 0.89, "NOT reached"),
     ((0, 0.1), 0.05, 0.2, "open: the interval holds it"), ((0, 0.1), 0.2, 0.3, "NOT reached"), ((0.9, 1.1), 0.95, 1.05, "reached"), (None, 0.1, 0.2, "")],
)  # fmt: skip
def test_a_bar_is_reached_by_the_whole_interval(bar, low, high, says):
    assert check.Measured("figure", Estimate((low + high) / 2, low, high, 9), bar).verdict == says


def test_of_a_pair_the_order_does_not_matter():
    clip = cast(CLIP, KnowsTheirTexts(list(QUESTIONS["pair"].texts.values())))
    scene, prompt = next(iter(asked_scenes.pair_scenes(1)))
    first, second = (o.appearance.class_noun for o in scene.objects)
    third = next(noun for noun in CLASSES if noun not in (first, second))
    for pair, value in (((first, second), 1.0), ((second, first), 1.0), ((first, third), 0.0)):
        image = Image.new("RGB", (8, 8))
        image.info["text"] = QUESTIONS["pair"].texts[pair]
        assert check.answered(clip, [image], "pair", check.facts([scene], "pair")).value == value
    assert first in prompt and second in prompt


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_answer_has_a_text_of_its_own(question):
    texts = QUESTIONS[question].texts
    assert len(set(texts.values())) == len(texts) > 10
    scenes = [scene for scene, _ in {"pair": asked_scenes.pair_scenes, "accessory": asked_scenes.dressed_scenes}.get(question, asked_scenes.held_out_scenes)(20)]
    assert all(QUESTIONS[question].answer(data.truth_of(scene)) in texts for scene in scenes)


def test_the_measured_scenes_are_held_out_and_their_captions_possible():
    for scene, prompt in (*asked_scenes.held_out_scenes(20), *asked_scenes.dressed_scenes(20), *asked_scenes.pair_scenes(20)):
        for look in (placed.appearance for placed in scene.objects):
            assert held_out(look.class_noun, look.colour, scene.context)
            assert look.colour in prompt and look.class_noun in prompt
        assert CONTEXTS[scene.context].words in prompt and accessory_said(scene.objects[0].accessory, prompt)
        assert caption(scene, np.random.default_rng(0)).names["class"] == scene.objects[0].appearance.class_noun


def accessory_said(accessory: str, prompt: str) -> bool:
    return accessory == "none" or all(word in prompt for word in accessory.split())


def test_what_settings_were_chosen_on_is_not_what_is_measured():
    chosen, measured = ({prompt + str(scene.seed) for scene, prompt in asked_scenes.held_out_scenes(200, *seed)} for seed in ((20_260,), ()))
    assert not chosen & measured


def pictures_of(colours: np.ndarray) -> list[list[Image.Image]]:
    """[seeds, prompts, 3] -> pictures of one colour each"""
    size = (models.SIZE, models.SIZE)
    return [[Image.new("RGB", size, tuple(int(c) for c in colour)) for colour in row] for row in colours]


def test_a_cast_of_the_seed_is_found_and_none_is_none():
    rng = np.random.default_rng(1)
    prompts, noise = rng.uniform(80, 160, (1, 12, 3)), rng.uniform(-10, 10, (16, 12, 3))
    seeds = rng.uniform(-60, 60, (16, 1, 3))
    free, cast_ = variety.seed_cast(pictures_of(prompts + noise)), variety.seed_cast(pictures_of(prompts + noise + seeds))
    assert free.low is not None and free.low < 0.05 and abs(free.value) < 0.15
    assert cast_.value > 0.9


def test_the_correlation_is_that_of_the_analysis_of_variance():
    """Against the textbook's one-way intraclass correlation, group by group in loops."""
    rng = np.random.default_rng(2)
    colours = rng.integers(60, 190, (6, 5, 3)).astype(float)
    ours = variety.seed_cast(pictures_of(colours)).value
    centred = colours - colours.mean(axis=0)
    between = within = 0.0
    for s, c in product(range(6), range(3)):
        mean = centred[s, :, c].mean()
        between += 5 * mean**2 / 5  # the seeds' mean is 0; 6 - 1 degrees of freedom
        within += sum((value - mean) ** 2 for value in centred[s, :, c]) / (6 * 4)
    assert ours == pytest.approx((between - within) / (between + 4 * within))


def test_a_tint_is_counted_in_levels_and_light_is_none():
    """Seeds that move red by ±8 levels and blue against it; seeds that only change the brightness move nothing."""
    grey, signs = np.full((16, 12, 3), 120.0), np.where(np.arange(16) % 2, 1, -1)[:, None, None]
    tinted = variety.seed_tint(pictures_of(grey + 8 * signs * np.array([1, 0, -1])))
    assert tinted.value == pytest.approx(8 * np.sqrt(2 / 3 * 16 / 15), rel=1e-6)
    assert variety.seed_tint(pictures_of(grey * (1 + 0.3 * signs))).value == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("value", "bar", "said"), [(0.97, (0.95, np.inf), "bar 0.95: reached"), (0.9, (0.95, np.inf), "NOT"), (0.3, (0, 0.1), "at most 0.1: NOT")])
def test_a_line_says_whether_its_bar_is_reached(value: float, bar: tuple[float, float], said: str):
    assert said in str(check.Measured("class", Estimate(value, value, value, 5), bar))


@pytest.mark.parametrize(
    ("given", "measured"), [((), ["judges", "base", "upscaler"]), (("base",), ["base"]), (("judges",), ["judges"]), (("upscaler",), ["upscaler"]), (("base", "judges"), ["judges", "base"])]
)  # fmt: skip
def test_what_is_given_is_measured_or_else_what_is_embedded(given, measured, monkeypatch):
    folders, asked = {"base": TOYBOX, "judges": EMBEDDED, "upscaler": TOYBOX_UPSCALER}, []
    for name in folders:
        monkeypatch.setattr(check, f"check_{name}", lambda *_, name=name: asked.append(name))
    assert check.check(print, {name: folders[name] for name in given}) == []
    assert asked == measured


def test_the_second_stage_is_measured_against_bicubic(monkeypatch):
    """Bicubic enlargements in the place of its own are no better, the truth itself is by far."""
    truth = [draw(scene, 2 * models.SIZE) for scene, _ in asked_scenes.held_out_scenes(4)]
    small = [picture.resize((models.SIZE, models.SIZE), Image.Resampling.BOX) for picture in truth]
    shown = [[picture.resize(truth[0].size, Image.Resampling.BICUBIC) for picture in small], [picture.point(lambda level: min(level + 1, 255)) for picture in truth]]
    monkeypatch.setattr(check, "enlarge", lambda *_: iter(shown.pop(0)))
    no_better, better = (check.sharpened(cast(Upscaler, None), small, truth).value for _ in range(2))
    assert no_better == 0 and better > 10


def test_the_embedded_second_stage_is_better_than_bicubic(monkeypatch):
    monkeypatch.setattr(check, "ENLARGED", 12)
    true, passed = check.check(lambda line: None, {"upscaler": TOYBOX_UPSCALER})
    assert true.estimate.value > 0.8 and passed.estimate.value > 0.8


def test_the_base_is_asked_for_as_many_pictures_as_its_progress_counts(monkeypatch):
    """Of a base that draws the same eight scenes in turn, whatever is asked: it is seldom right."""
    for name, value in (("PICTURES", 32), ("SAME_PROMPTS", 4), ("EACH", 4)):
        monkeypatch.setattr(check, name, value)
    shown = [draw(scene, models.SIZE) for scene, _ in asked_scenes.held_out_scenes(8, 1)]
    monkeypatch.setattr(check, "sample", lambda base, texts, seeds, *_, **__: (shown[n % 8] for n, _ in enumerate(texts)))
    counted: list[int] = []
    rows = check.check(lambda line: None, {"base": TOYBOX}, lambda: counted.append(1))
    assert len(counted) == 8 * 32
    found = {row.what: row.estimate.value for row in rows}
    assert found["VAE: dB on renders it never saw"] > 30 and found["base on held-out combinations: all three in one picture"] < 0.2
    assert [row.bar is not None for row in rows].count(True) == 9
