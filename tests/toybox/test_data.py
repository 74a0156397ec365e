"""The rendered sets: the same whoever draws them, and apart from each other."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.toybox import data
from likeness.toybox.individuals import SEED
from likeness.world.random_scenes import NEUTRALS, calmed, random_scene
from likeness.world.scene import Scene
from likeness.world.subjects import admissible


def test_a_scene_depends_on_its_number_alone():
    assert data.base_scene(0, 7) == data.base_scene(0, 7)
    assert data.judges_scene(0, 7) == data.judges_scene(0, 7)
    assert len({str(scene) for scene in (data.base_scene(0, 7), data.base_scene(0, 8), data.base_scene(1, 7))}) == 3


def test_no_set_shows_what_another_shows():
    """Of one seed, and the check's own seed beside it."""
    shown = [{scene_of(0, k, kind) for k in range(200)} for kind in data.SETS]
    checked = {scene_of(SEED, k, kind) for k in range(200) for kind in data.SETS}
    assert len(set.union(*shown, checked)) == sum(map(len, shown)) + len(checked)


def scene_of(seed: int, k: int, kind: str) -> Scene:
    return data.base_scene(seed, k, kind) if kind in (*data.ALONE, "check") else data.judges_scene(seed, k, kind)[0]


def test_every_scene_of_both_sets_is_admissible():
    assert all(admissible(data.base_scene(1, k)) and admissible(data.judges_scene(1, k)[0]) for k in range(300))


@pytest.mark.slow
def test_any_number_of_workers_draws_the_same_pictures(tmp_path):
    for workers in (1, 2):
        data.render(tmp_path / str(workers), "base", 2 * data.SHARD, 16, seed=0, workers=workers)
    one, two = (data.read(tmp_path / str(workers), "base", 2 * data.SHARD) for workers in (1, 2))
    assert np.array_equal(one.take(np.arange(len(one))), two.take(np.arange(len(two))))
    assert (one.captions, one.truths) == (two.captions, two.truths)


def test_calm_scenes_keep_what_words_name():
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng) for _ in range(300)]
    calm = [calmed(rng, scene) for scene in scenes]
    looks = [(a.appearance, b.appearance) for s, c in zip(scenes, calm) for a, b in zip(s.objects, c.objects)]
    assert all((a.class_noun, a.colour) == (b.class_noun, b.colour) for a, b in looks)
    assert all(b.pattern in ("plain", a.pattern) and len({b.colour, b.second, b.accent}) == 3 for a, b in looks)
    neutral = [np.mean([{a.second, a.accent} <= set(NEUTRALS) for a in which]) for which in zip(*looks)]
    assert neutral[0] < 0.15 < 0.5 < neutral[1]
