"""Which checkpoint is taken, on pictures whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.evaluation.operating_points import choose_checkpoint, pareto_front
from likeness.evaluation.statistics import bootstrap, bootstrap_of, f1

PROMPTS = [f"a dog, {n}" for n in range(12)]


def pictures(means: dict[int, tuple[float, float]], noise: float = 0.01, seeds: int = 2) -> list[dict]:
    """Steps with means of likeness and obedience, and a little chance that all steps of a picture share in part."""
    rng = np.random.default_rng(0)
    lines = []
    for prompt in PROMPTS:
        for seed in range(seeds):
            together = rng.normal(0, 5 * noise, 2)
            for step, mean in means.items():
                dino, clip = np.array(mean) + together + rng.normal(0, noise, 2)
                lines.append({"step": step, "prompt": prompt, "seed": seed, "dino": float(dino), "clip_t_class": float(clip), "file": f"{step}.png"})
    return lines


def test_the_checkpoint_between_the_ends_is_taken():
    choice = choose_checkpoint(pictures({100: (0.3, 0.8), 200: (0.6, 0.7), 400: (0.7, 0.4)}))
    assert choice is not None
    assert (choice.step, choice.underfit, choice.overfit, choice.alike) == (200, 100, 400, ())
    assert [point.best for point in choice.points] == [True, True, True]
    assert "clearly above the others" in choice.reason


def test_what_chance_alone_parts_is_named():
    choice = choose_checkpoint(pictures({100: (0.3, 0.8), 200: (0.6, 0.7), 300: (0.6, 0.7), 400: (0.5, 0.6)}))
    assert choice is not None
    assert {choice.step, *choice.alike} == {200, 300}
    assert "no clear winner over" in choice.reason
    assert not choice.points[-1].best


def test_only_pictures_that_all_checkpoints_have_are_compared():
    lines = pictures({100: (0.5, 0.5), 200: (0.4, 0.4)})
    extra = [{**line, "prompt": "another", "dino": 0.99, "clip_t_class": 0.99} for line in lines if line["step"] == 200]
    choice = choose_checkpoint([*lines, *extra])
    assert choice is not None and choice.step == 100
    assert choice.points[1].subject.n == len(PROMPTS)


@pytest.mark.parametrize("lines", [[], pictures({100: (0.5, 0.5)}), [*pictures({1: (0.5, 0.5)}), *({**p, "seed": 9} for p in pictures({2: (0.5, 0.5)}))]])
def test_without_two_comparable_checkpoints_there_is_no_choice(lines):
    assert choose_checkpoint(lines) is None


def test_the_f1_is_that_of_the_means():
    lines = pictures({100: (0.3, 0.8), 200: (0.6, 0.7)})
    choice = choose_checkpoint(lines)
    assert choice is not None
    means = [np.mean([line[key] for line in lines if line["step"] == 100]) for key in ("dino", "clip_t_class")]
    assert choice.points[0].f1.value == pytest.approx(f1(*means))


def test_a_bootstrap_of_one_mean_is_the_plain_bootstrap():
    values, groups = np.random.default_rng(1).normal(size=20), [n // 2 for n in range(20)]
    assert bootstrap_of(lambda mean: mean, [values], groups) == bootstrap(values, groups)
    doubled = bootstrap_of(lambda a, b: a - b, [3 * values, values], groups)
    plain = bootstrap(2 * values, groups)
    assert (doubled.value, doubled.low, doubled.high) == pytest.approx((plain.value, plain.low, plain.high))


def test_pareto_front_keeps_what_nothing_beats():
    points = np.array([[0.3, 0.6], [0.2, 0.7], [0.2, 0.6], [0.1, 0.9], [0.3, 0.6]])
    assert pareto_front(points).tolist() == [0, 1, 3, 4]  # equals beat nobody, so both stay
