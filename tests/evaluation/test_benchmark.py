from collections import Counter

from likeness.evaluation.benchmark import (
    DREAMBENCH_LIVE_PROMPTS,
    DREAMBENCH_OBJECT_PROMPTS,
    DREAMBENCH_SUBJECTS,
    LIVE_CLASSES,
    PROTOCOLS,
    dreambench_prompts,
    kinds_for,
    unrelated_prompts,
)
from likeness.files.prompts import said


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


def test_every_prompt_of_a_benchmark_has_an_application():
    for noun in ("dog", "backpack", "person"):
        kinds = kinds_for(noun)
        for name, protocol in PROTOCOLS.items():
            if name != "simple" and not (name == "dreambench" and noun == "person"):
                assert {said(template, noun) for template in protocol.prompts(noun)} <= set(kinds), name
    assert kinds_for("dog")["a dog wearing a red hat"] == "accessory" and kinds_for("vase")["a cube shaped vase"] == "property"
    assert kinds_for("person")["an angry person"] == "expression" and kinds_for("vase")["a watercolour painting of a vase"] == "style"
    assert Counter(kinds_for("dog")[said(prompt, "dog")] for prompt in dreambench_prompts("dog")) == {"recontextualization": 10, "accessory": 10, "property": 5}
    assert kinds_for("stuffed animal")["a stuffed animal in the snow"] == "recontextualization"  # no class of the toybox


def test_protocols_have_the_published_numbers():
    assert {name: (len(protocol.prompts("dog")), protocol.pictures) for name, protocol in PROTOCOLS.items()} == {
        "toybench": (25, 4), "dreambench": (25, 4), "simple": (1, 64), "ten": (10, 10),
    }  # fmt: skip


def test_unrelated_prompts_do_not_name_the_class():
    for noun in ("dog", "cat", "person", "teapot", "vase"):
        prompts = unrelated_prompts(noun)
        assert len(prompts) >= 10 and not any(noun in prompt.split() for prompt in prompts)
