"""A mistake in any stage is found before the first of them is trained."""

from __future__ import annotations

import shutil

import pytest

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.workflow.branching import stand
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Silent
from likeness.workflow.stack import stage_types

LORA = {"method": "lora", "steps": 1}
WORD = {"method": "textual_inversion", "steps": 1}
CUSTOM = {"method": "custom_diffusion", "steps": 1, "prior_weight": 0.0}
LONG = "a photo of a " * 8 + "{}"  # 32 of the forty tokens that the tiny base reads
LATE = {
    "no brackets": ([LORA, {**WORD, "word": "sks"}], r"word = 'sks' in stage 2 \(textual_inversion\): must be one word in angle brackets"),
    "no brackets of one of several": ([LORA, {**CUSTOM, "words": ["sks"]}], "must be one word in angle brackets"),
    "capitals": ([LORA, {**WORD, "word": "<Sks>"}], "Write <sks>"),
    "no initializer": ([LORA, {**WORD, "initializer": " "}], "initializer = ' ' in stage 2.*holds no word"),
    "no initializer of one of several": ([LORA, {**CUSTOM, "initializers": ["dog", ""]}], "holds no word"),
    "a word of the vocabulary": ([LORA, {**WORD, "word": "<|endoftext|>"}], "is in the vocabulary"),
    "other vectors": ([WORD, {**WORD, "vectors": 3}], "has taught <sks> as 1 vectors"),
    "other vectors than one": ([CUSTOM, {**WORD, "vectors": 3}], "has taught <sks> as 1 vectors"),
    "too many vectors": ([LORA, {**WORD, "vectors": 75}], "longer than the text encoder reads"),
    "too long": ([LORA, {"method": "dreambooth", "prior_weight": 0.0, "prompt": "a very long " * 40 + "{}"}], "longer than the text encoder reads"),
    "too long with the word beneath": ([{**WORD, "vectors": 16}, {**LORA, "prompt": LONG}], "is cut off"),
}


@pytest.fixture
def asked(tiny_folder, photo_folder):
    def recipe(*stages, photos=photo_folder):
        return recipe_from_dict({"base": str(tiny_folder), "subject": {"photos": photos, "class_noun": "dog"}, "stages": stages}, stage_types())

    return recipe


@pytest.mark.parametrize("case", LATE)
def test_it_is_refused_before_a_run_begins(case, asked, tmp_path):
    stages, says = LATE[case]
    with pytest.raises(UserError, match=says):
        fit(asked(*stages), tmp_path / "runs", Silent())
    assert not (tmp_path / "runs").exists()


def test_captions_that_are_not_there_are_missed_before_a_run_begins(asked, photo_folder, tmp_path):
    plain = shutil.copytree(photo_folder, tmp_path / "plain", ignore=shutil.ignore_patterns("0.txt"))
    with pytest.raises(UserError, match=r"use_captions: 0.png has no caption\. Put the text"):
        fit(asked(WORD, {**LORA, "use_captions": True}, photos=plain), tmp_path / "runs", Silent())
    assert not (tmp_path / "runs").exists()


def test_a_stage_on_a_run_is_rehearsed_on_what_it_learned(asked, tmp_path):
    parent = fit(asked({**WORD, "vectors": 16}), tmp_path / "runs", Silent())
    with pytest.raises(UserError, match="is cut off"):
        stand(parent, "lora", {"steps": 1, "prompt": LONG}, Silent())
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert stand(parent, "lora", {"steps": 1, "prompt": "a {}"}, Silent()).record().status == "finished"


@pytest.mark.parametrize(("stage", "begun"), [(WORD, "1 vector long, begins as 'z'"), ({**WORD, "vectors": 2}, "2 vectors long, begins as 'z w'"), (CUSTOM, "1 vector long")])
def test_an_initializer_longer_than_its_word_is_said_before_training(stage, begun, asked, tmp_path):
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    options = {"initializers": ["zwx"]} if stage is CUSTOM else {"initializer": "zwx"}
    fit(asked({**stage, **options}), tmp_path, progress)
    (line,) = [line for line in said if "pieces to this base" in line]
    assert line.startswith("warning: initializer 'zwx' is 3 pieces to this base (z w x), and <sks>") and begun in line
    assert said.index(line) < next(n for n, one in enumerate(said) if one.startswith("run: "))


@pytest.mark.parametrize("options", [{"initializer": "dog"}, {"initializer": "zwx", "vectors": 3}])
def test_an_initializer_that_is_read_whole_needs_no_word(options, asked, tmp_path):
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    fit(asked({**WORD, **options}), tmp_path, progress)
    assert not [line for line in said if "pieces to this base" in line]
