import math

import numpy as np
import pytest

from likeness.evaluation.statistics import (
    Estimate,
    _student_quantile,
    auc,
    binomial_preference,
    bootstrap,
    bootstrap_of,
    deviations,
    f1,
    mean_of,
    paired_difference,
    relative_change,
    share,
    share_of_way,
    verdict,
    wilson,
)


def test_estimate_prints_its_interval():
    assert str(Estimate(0.8124, 0.79, 0.8331, 25)) == "0.812 [0.790, 0.833]"
    assert str(Estimate(0.8124, None, None, 1)) == "0.812 [no interval, n = 1]"


def test_bootstrap_interval_holds_the_mean_19_times_in_20():
    draws = np.random.default_rng(0).normal(size=(400, 12))
    estimates = [bootstrap(draw, seed=seed) for seed, draw in enumerate(draws)]
    covered = np.mean([e.low <= 0 <= e.high for e in estimates if e.low is not None and e.high is not None])
    assert 0.91 <= covered <= 0.98  # 0.95 ± three standard errors of 400 draws, and a percent for the method


@pytest.mark.parametrize("groups", [2, 3, 4, 5])
def test_few_groups_name_a_winner_of_pure_noise_once_in_twenty(groups):
    """Percentiles did so in .49, .24, .14 and .08 of draws."""
    draws = np.random.default_rng(groups).normal(size=(1000, groups))
    named = np.mean([verdict(paired_difference(draw, np.zeros(groups))) != "no clear winner" for draw in draws])
    assert named == pytest.approx(0.05, abs=0.021)  # three standard errors of 1000 draws


@pytest.mark.parametrize("seed", range(3))
def test_of_few_groups_of_one_size_the_interval_is_students(seed):
    """t of four degrees of freedom, 2.7764 in the tables, on the groups' means; and for a function of means that on its pseudo-values, here by their definition."""
    values = np.random.default_rng(seed).normal(3, size=(5, 4))
    groups = np.repeat(np.arange(5), 4).tolist()
    found = bootstrap(values.ravel(), groups)
    half = 2.7764 * values.mean(axis=1).std(ddof=1) / np.sqrt(5)
    assert (found.low, found.high) == (pytest.approx(values.mean() - half, rel=0.002), pytest.approx(values.mean() + half, rel=0.002))
    square = bootstrap_of(lambda mean: mean**2, [values.ravel()], groups)
    pseudo = [5 * values.mean() ** 2 - 4 * np.delete(values, n, 0).mean() ** 2 for n in range(5)]
    assert square.high == pytest.approx(values.mean() ** 2 + 2.7764 * np.std(pseudo, ddof=1) / np.sqrt(5), rel=0.002)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 24])
def test_students_quantile_leaves_the_fortieth_part_above_it(freedom):
    """The density by its formula, summed numerically up to the quantile: within what 1 % of the quantile makes."""
    low, high = (_density_up_to(_student_quantile(freedom) * scale, freedom) for scale in (0.99, 1.01))
    assert low < 0.475 < high
    assert _student_quantile(1) == pytest.approx(12.706204736)


def _density_up_to(end: float, freedom: int) -> float:
    t = np.linspace(0, end, 20001)
    density = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi) * (1 + t**2 / freedom) ** (-(freedom + 1) / 2)
    return float(((density[1:] + density[:-1]) / 2 * np.diff(t)).sum())


def test_what_few_groups_cannot_say_is_not_said():
    assert bootstrap([1.0, 1.0, 1.0]) == Estimate(1.0, 1.0, 1.0, 3)  # all alike
    assert {estimate.low for estimate in deviations([0.0, 1.0, 2.0, 3.5], ["a", "a", "b", "b"])} == {None}
    everything, between, inside = deviations([0.0, 1.0, 2.0, 2.0, 9.0, 9.0], ["a", "a", "b", "b", "c", "c"])
    assert everything.low and between.low and inside.low is None  # without the first nothing lies apart within
    assert relative_change([1.0, 2.0], [0.0, 1.0]).low is None  # without the second there is nothing to divide by


def test_bootstrap_counts_groups_not_pictures():
    """Ten copies of each value tell nothing new: the interval is that of the values themselves."""
    values = np.random.default_rng(0).normal(size=20)
    once, copied = bootstrap(values), bootstrap(np.repeat(values, 10), groups=[f"prompt {i // 10}" for i in range(200)])
    assert copied.n == 20 and copied.value == pytest.approx(once.value)
    assert copied.low == pytest.approx(once.low) and copied.high == pytest.approx(once.high)
    alone = bootstrap(np.repeat(values, 10))
    assert alone.low is not None and once.low is not None and alone.low > once.low


def test_bootstrap_is_reproducible_and_knows_when_it_has_no_interval():
    assert bootstrap([1.0, 2.0, 4.0]) == bootstrap([1.0, 2.0, 4.0])
    assert bootstrap([1.0, 3.0], groups=["a", "a"]) == Estimate(2.0, None, None, 1)
    for values in ([], [1.0, float("nan")]):
        with pytest.raises(ValueError):
            bootstrap(values)
    with pytest.raises(ValueError, match="2 values but 1 group labels"):
        bootstrap([1.0, 2.0], groups=["a"])


def test_paired_difference_sees_what_two_intervals_hide():
    """Prompts differ more than methods do; the pairing takes the prompts out."""
    prompts = np.random.default_rng(0).normal(size=30)
    first, second = prompts + 0.1 + 0.02 * np.random.default_rng(1).normal(size=30), prompts
    names = ("LoRA", "DreamBooth")
    assert verdict(paired_difference(first, second), names).startswith("LoRA is higher by 0.")
    lows, highs = bootstrap(first).low, bootstrap(second).high
    assert lows is not None and highs is not None and lows < highs
    assert verdict(paired_difference(second, first), names).startswith("DreamBooth is higher by 0.")


def test_no_winner_without_evidence():
    noise = np.random.default_rng(0).normal(size=30)
    assert verdict(paired_difference(noise, np.zeros(30))) == "no clear winner"
    assert verdict(paired_difference([1.0, 1.0], [0.0, 0.0], groups=["a", "a"])).startswith("no clear winner")
    with pytest.raises(ValueError, match="not pairs"):
        paired_difference([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("successes", "n", "percent", "p_value", "low", "high"),
    [
        (608, 995, 61.11, 2.5e-12, 58.1, 64.1),
        (395, 639, 61.82, 2.5e-9, 58.1, 65.6),
        (362, 516, 70.16, 2.4e-20, 66.2, 74.1),
        (530, 729, 72.70, 1.5e-35, 69.5, 75.9),
    ],
)
def test_preferences_equal_the_four_rows_of_dreamblend(successes, n, percent, p_value, low, high):
    preference = binomial_preference(successes, n)
    assert round(100 * preference.share, 2) == percent
    # Printed with one digit, in the second row rounded up from 58.048 by way of 58.05.
    assert [100 * preference.low, 100 * preference.high] == pytest.approx([low, high], abs=0.053)
    assert preference.p_value == pytest.approx(p_value, rel=0.03)  # printed with two digits


def test_binomial_test_is_two_sided_and_never_above_one():
    assert binomial_preference(5, 10).p_value == 1.0
    assert binomial_preference(8, 10).p_value == binomial_preference(2, 10).p_value == pytest.approx(112 / 1024)


def test_wilson_stays_within_bounds_and_equals_the_textbook():
    estimate = wilson(8, 10)
    assert (estimate.low, estimate.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    none, every = wilson(0, 5), wilson(5, 5)
    assert (none.low, every.high) == (0.0, 1.0) and none.high == pytest.approx(0.4345, abs=1e-4)
    with pytest.raises(ValueError):
        wilson(3, 2)


def test_a_share_is_as_sure_as_its_prompts_are_many():
    """Four pictures of each of ten prompts, right or wrong together: Wilson's interval over pictures held the truth in .80 of draws."""
    rng, prompts = np.random.default_rng(0), np.repeat(np.arange(10), 4).tolist()
    found = [share(np.repeat(rng.random(10) < 0.6, 4), prompts) for _ in range(400)]
    assert np.mean([e.low <= 0.6 <= e.high for e in found if e.low is not None and e.high is not None]) >= 0.92  # .95 less three standard errors
    assert all(e.low is not None and e.high is not None and 0 <= e.low <= e.value <= e.high <= 1 and e.n == 10 for e in found)


def test_where_prompts_agree_a_share_is_wilsons_of_as_many_as_there_are():
    for yes in (True, False):
        assert share([yes] * 8, ["a"] * 4 + ["b"] * 4) == wilson(2 * yes, 2)
    assert share([True, False, True, False], ["a", "a", "b", "b"]) == wilson(1, 2)


def test_f1_equals_the_table_of_dreamblend():
    assert round(f1(0.308, 0.675), 4) == 0.4230
    assert f1(-0.1, 0.5) == 0.0
    assert f1(np.array([0.308, -0.1]), np.array([0.675, 0.5])).tolist() == [f1(0.308, 0.675), 0.0]


def test_auc_counts_pairs():
    randomness = np.random.default_rng(0)
    positives, negatives = randomness.normal(1, 1, (80, 3)), randomness.normal(0, 1, (80, 2)).round(1)
    wins = [float(p > q) + 0.5 * float(p == q) for p in positives.ravel() for q in negatives.ravel()]
    estimate = auc(list(positives), list(negatives))
    assert estimate.value == pytest.approx(np.mean(wins)) and estimate.n == 80
    assert estimate.low is not None and estimate.high is not None
    assert estimate.low < 0.7602 < estimate.high  # Φ(1/√2), the truth
    assert auc([np.ones(2)] * 2, [np.ones(2)] * 2).value == 0.5
    assert auc([np.array([2.0, 3.0])] * 6, [np.array([0.0, 1.0])] * 6) == Estimate(1.0, 1.0, 1.0, 6)


def test_auc_has_one_threshold_for_all_groups():
    """Each group's own positives are above its own negatives, and below the other's."""
    low, high = (np.array([0.0]), np.array([1.0])), (np.array([2.0]), np.array([3.0]))
    assert auc([low[1], high[1]], [low[0], high[0]]).value == 0.75


def test_the_interval_of_an_auc_covers_the_truth_where_groups_are_alike_within():
    randomness, inside = np.random.default_rng(1), 0
    for _ in range(200):
        shift = randomness.normal(0, 1, (40, 1))
        found = auc(list(1.5 + shift + randomness.normal(0, 0.5, (40, 5))), list(randomness.normal(0, 0.5, (40, 5))))
        assert found.low is not None and found.high is not None
        inside += found.low <= 0.88966 <= found.high  # Φ(1.5/√1.5)
    assert inside / 200 > 0.91
    assert auc([np.ones(2)] * 3, [np.zeros(2)] * 3).low is None


def test_an_auc_without_negatives_is_refused():
    with pytest.raises(ValueError, match="needs both"):
        auc([np.ones(2)], [np.ones(0)])


def test_share_of_way_runs_from_floor_to_ceiling():
    floor, ceiling = Estimate(0.4, 0.39, 0.41, 9), Estimate(0.8, 0.79, 0.81, 9)
    half = share_of_way(Estimate(0.6, 0.58, 0.62, 20), floor, ceiling)
    assert half.value == pytest.approx(0.5) and half.n == 9
    assert half.low is not None and half.high is not None
    assert half.high - half.low == pytest.approx(2 * np.sqrt(0.02**2 + 0.005**2 + 0.005**2) / 0.4)
    assert share_of_way(floor, floor, ceiling).value == 0 and share_of_way(ceiling, floor, ceiling).value == 1
    assert share_of_way(half, Estimate(0.5, 0.4, 0.6, 9), Estimate(0.55, 0.45, 0.65, 9)).low is None  # not apart


def test_deviations_are_of_all_of_the_prompts_and_of_the_seeds():
    """As numpy divides; with as many seeds for each prompt the squares add up."""
    values = np.random.default_rng(0).normal(size=(5, 4)) + np.arange(5)[:, None]
    everything, prompts, seeds = deviations(values.ravel(), np.repeat(np.arange(5), 4))
    assert everything.value == pytest.approx(values.std())
    assert prompts.value == pytest.approx(values.mean(axis=1).std())
    assert seeds.value == pytest.approx(np.sqrt(values.var(axis=1).mean()))
    assert everything.value**2 == pytest.approx(prompts.value**2 + seeds.value**2)
    assert everything.n == 5 and everything.low is not None and everything.low < everything.value


@pytest.mark.parametrize("groups", [4, 10])
def test_deviations_intervals_cover_the_truth(groups):
    chance, truths, covered = np.random.default_rng(0), np.sqrt([2, 1.5, 0.5]), np.zeros(3)
    for _ in range(400):
        values = chance.normal(size=(groups, 1)) + chance.normal(size=(groups, 2))
        found = deviations(values.ravel(), np.repeat(np.arange(groups), 2))
        covered += [(e.low or 0) <= truth <= (e.high or 0) for e, truth in zip(found, truths, strict=True)]
    assert (covered / 400 >= 0.91).all()


def test_relative_change_is_that_of_the_means():
    """A DreamBooth report's row: .268 before, .253 after, -5.6 %."""
    change = relative_change([0.243, 0.263], [0.278, 0.258])
    assert round(100 * change.value, 1) == -5.6


def test_the_interval_of_a_cosine_is_one_of_cosines():
    """Of three prompts Student's would pass 1; of a score without bounds it does, and nothing else differs."""
    values, prompts = [0.99, 0.98, 0.6], ["a", "b", "c"]
    cosine, other = mean_of("dino", values, prompts), mean_of("aesthetic", values, prompts)
    assert cosine.high == 1 and other.high > 1 and (cosine.value, cosine.low) == (other.value, other.low)
