import numpy as np
import pytest
from PIL import Image

from likeness.evaluation.metrics import (
    diversity,
    drift,
    entanglement,
    identify,
    is_blank,
    prompt_similarity,
    subject_similarity_max,
    subject_similarity_mean,
)


def unit_rows(n: int, width: int = 8, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_subject_similarities_equal_the_loop_over_pairs():
    pictures, references = unit_rows(5), unit_rows(3, seed=1)
    pairs = [[sum(float(a) * float(b) for a, b in zip(picture, reference)) for reference in references] for picture in pictures]
    np.testing.assert_allclose(subject_similarity_max(pictures, references), [max(row) for row in pairs], atol=1e-6)
    np.testing.assert_allclose(subject_similarity_mean(pictures, references), [sum(row) / 3 for row in pairs], atol=1e-6)


def test_prompt_similarity_and_drift_compare_row_by_row():
    pictures, others = unit_rows(4), unit_rows(4, seed=1)
    cosines = [float(pictures[i] @ others[i]) for i in range(4)]
    np.testing.assert_allclose(prompt_similarity(pictures, others), cosines, atol=1e-6)
    np.testing.assert_allclose(drift(pictures, others), [1 - cosine for cosine in cosines], atol=1e-6)
    np.testing.assert_allclose(drift(pictures, pictures), 0, atol=1e-6)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_diversity_by_the_sum_equals_brute_force(n: int):
    pictures = unit_rows(n)
    pairs = [float(pictures[i] @ pictures[j]) for i in range(n) for j in range(n) if i != j]
    assert diversity(pictures) == pytest.approx(np.mean(pairs), abs=1e-6)  # float32 vectors


def test_identify_names_the_subject_among_distractors():
    subjects = [unit_rows(1, seed=seed) for seed in range(11)]
    candidates = [_near(subject, 4, seed) for seed, subject in enumerate(subjects)]
    pictures = np.concatenate([_near(subjects[7], 5, 99), _near(subjects[2], 1, 98)])
    assert identify(pictures, candidates).tolist() == [7] * 5 + [2]


def test_identify_is_no_lottery_for_many_references():
    """A crowd of random references has one that is near by chance; the mean does not fall for it."""
    subject = unit_rows(1)
    assert identify(_near(subject, 20, 1), [unit_rows(400, seed=2), _near(subject, 2, 3)]).tolist() == [1] * 20


def test_entanglement_equals_the_loops_over_pairs():
    pictures, scenes = unit_rows(9), ["a", "b", "a", "c", "b", "c", "a", "c", "alone"]
    pairs = [(scenes[i], scenes[j], float(pictures[i] @ pictures[j])) for i in range(8) for j in range(8) if i != j]
    within = [np.mean([c for p, q, c in pairs if p == q == scene]) for scene in "abc"]
    between = [np.mean([c for p, q, c in pairs if (p, q) == (a, b)]) for a in "abc" for b in "abc" if a != b]
    assert entanglement(pictures, scenes).mean() == pytest.approx(np.mean(within) - np.mean(between), abs=1e-6)


def test_the_interval_of_entanglement_holds_what_other_scenes_would_give():
    """The deviation of the mean of its values over draws of scenes is what one draw's values say of it: within a fifth, at 20 scenes."""
    rng, means, told = np.random.default_rng(0), [], []
    for _ in range(300):
        centres = np.repeat(rng.normal(size=(20, 1, 6)), 3, axis=1) * 0.5 + np.array([2.0, 0, 0, 0, 0, 0])
        rows = (centres + 0.3 * rng.normal(size=(20, 3, 6))).reshape(60, 6)
        values = entanglement((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), [n // 3 for n in range(60)])
        means.append(values.mean())
        told.append(values.std(ddof=1) / np.sqrt(20))
    assert np.mean(told) == pytest.approx(np.std(means), rel=0.2)


def test_entanglement_needs_two_scenes_of_two():
    with pytest.raises(ValueError, match="1 have two pictures"):
        entanglement(unit_rows(3), ["a", "a", "b"])


def test_vectors_that_are_not_unit_rows_are_refused():
    broken = unit_rows(3)
    broken[1, 0] = np.nan
    for vectors in (broken, 2 * unit_rows(3), unit_rows(3)[0]):
        with pytest.raises(ValueError, match="not rows of unit length"):
            subject_similarity_mean(vectors, unit_rows(2))
    with pytest.raises(ValueError, match="own partner"):
        prompt_similarity(unit_rows(3), unit_rows(2))
    with pytest.raises(ValueError, match="at least two"):
        diversity(unit_rows(1))
    with pytest.raises(ValueError, match="no reference"):
        subject_similarity_max(unit_rows(1), unit_rows(0))


def test_blank_pictures_are_found():
    assert is_blank(Image.new("RGB", (4, 4))) and is_blank(Image.new("L", (4, 4), 7))
    speck = Image.new("RGB", (4, 4))
    speck.putpixel((1, 1), (0, 0, 1))
    assert not is_blank(speck)


def _near(subject: np.ndarray, n: int, seed: int) -> np.ndarray:
    rows = subject + 0.2 * unit_rows(n, seed=1000 + seed)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
