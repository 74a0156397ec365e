from collections import Counter

from likeness.evaluation.benchmark import (
    DREAMBENCH_LIVE_PROMPTS,
    DREAMBENCH_OBJECT_PROMPTS,
    DREAMBENCH_SUBJECTS,
    LIVE_CLASSES,
    dreambench_prompts,
)


def test_counts_are_dreambench_s():
    assert len(DREAMBENCH_SUBJECTS) == 30 and len(set(DREAMBENCH_SUBJECTS.values())) == 15
    assert sum(noun in LIVE_CLASSES for noun in DREAMBENCH_SUBJECTS.values()) == 9
    for prompts in (DREAMBENCH_OBJECT_PROMPTS, DREAMBENCH_LIVE_PROMPTS):
        assert len(prompts) == len(set(prompts)) == 25
        assert all(Counter(prompt)["{"] == 1 and " {}" in prompt for prompt in prompts)


def test_live_list_differs_in_prompts_11_to_20_only():
    same = [a == b for a, b in zip(DREAMBENCH_OBJECT_PROMPTS, DREAMBENCH_LIVE_PROMPTS)]
    assert same == [True] * 10 + [False] * 10 + [True] * 5


def test_live_prompts_are_for_cats_and_dogs():
    assert dreambench_prompts("dog")[10].format("sks dog") == "a sks dog wearing a red hat"
    assert dreambench_prompts("teapot")[10].format("teapot") == "a teapot with a wheat field in the background"
    assert dreambench_prompts("stuffed animal") == DREAMBENCH_OBJECT_PROMPTS
