"""Recipes: what is written is read back, and every mistake is one line that helps (T38)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from likeness.evaluation.options import Encoders
from likeness.files.errors import UserError
from likeness.files.recipe import Recipe, Settle, Stage, SubjectSpec, changed, read_recipe, recipe_from_dict, recipe_to_dict, write_recipe
from likeness.sampling.options import Blend, Edit


class DreamBooth(Stage):
    method: ClassVar[str] = "dreambooth"
    prior_weight: float = Field(default=1.0, ge=0, description="Weight of the prior term.")
    threshold: float | None = Field(default=None, description="None: off.")


class LoRA(Stage):
    method: ClassVar[str] = "lora"
    rank: int = Field(default=4, ge=1, description="Rank.")


STAGES: dict[str, type[Stage]] = {"dreambooth": DreamBooth, "lora": LoRA}


def recipe(**changes: object) -> Recipe:
    stages = (DreamBooth(steps=800, checkpoints=(400, 200), threshold=0.25), LoRA(learning_rate=1e-4))
    known = {"subject": SubjectSpec(photos=Path("photos/dog"), class_noun='the "best" dog\nüber'), "stages": stages}
    return Recipe.model_validate({**known, **changes})


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(tmp_path: Path, stage: str = "", top: str = "", subject: str = 'photos = "p"\nclass_noun = "dog"') -> str:
    text = f'{top}\n[subject]\n{subject}\n[[stages]]\nmethod = "dreambooth"\n{stage}\n'
    with pytest.raises(UserError) as error:
        read_recipe(written(tmp_path, text), STAGES)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{tmp_path / 'recipe.toml'}: ")


@pytest.mark.parametrize("changes", [{}, {"threads": 2, "seed": 2**63 - 1, "base": "org/model"}])
def test_recipe_read_back_is_equal(tmp_path: Path, changes: dict[str, object]):
    asked = recipe(**changes)
    assert read_recipe(written(tmp_path, write_recipe(asked)), STAGES) == asked


def test_every_option_is_written_out():
    table = recipe_to_dict(recipe())["stages"][1]
    assert set(table) == {"method", *LoRA.model_fields}


def test_file_with_byte_order_mark_is_read(tmp_path: Path):
    (tmp_path / "recipe.toml").write_bytes(b"\xef\xbb\xbf" + write_recipe(recipe()).encode())
    assert read_recipe(tmp_path / "recipe.toml", STAGES) == recipe()


def test_last_step_is_always_a_checkpoint():
    with pytest.raises(ValueError, match="valid integer"):
        DreamBooth(steps=800, checkpoints="5-1:2")  # type: ignore[arg-type]  # from the end to the beginning there is none
    assert DreamBooth(steps=800, checkpoints=(400, 200)).checkpoint_steps == (200, 400, 800)
    assert DreamBooth(steps=800, checkpoints="50,100-400:100").checkpoints == (50, 100, 200, 300, 400)  # type: ignore[arg-type]
    assert len(DreamBooth(steps=1000, checkpoints="dreamblend").checkpoints) == 48  # type: ignore[arg-type]


def test_every_option_has_a_sentence():
    for options in (Stage, SubjectSpec, Recipe, Settle, Blend, Edit, Encoders):
        for name, field in options.model_fields.items():
            assert (field.description or "").endswith("."), name


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ("learing_rate = 1e-4", "unknown option 'learing_rate' in stage 1 (dreambooth): did you mean 'learning_rate'?"),
        ("learning-rate = 1e-4", "unknown option 'learning-rate' in stage 1 (dreambooth): did you mean 'learning_rate'?"),
        ("learning_rate = -1e-4", "learning_rate = -0.0001 in stage 1 (dreambooth): must be greater than 0"),
        ("learning_rate = nan", "learning_rate = nan in stage 1 (dreambooth): must be a finite number"),
        (
            'steps = "many"',
            "steps = 'many' in stage 1 (dreambooth): must be a valid integer, unable to parse string as an integer",
        ),
        ("steps = true", "steps = True in stage 1 (dreambooth): must be a number"),
        ('mixed_precision = "fp61"', "mixed_precision = 'fp61' in stage 1 (dreambooth): must be 'no' or 'bf16'"),
        ("checkpoints = [900]", "stage 1 (dreambooth): checkpoints: 900 is no step of this stage, they are 1 to 400"),
        ("warmup_steps = 401", "stage 1 (dreambooth): warmup_steps: 401 is more than all 400 steps"),
        ('checkpoints = ["a"]', "checkpoints.0 = 'a' in stage 1 (dreambooth): must be a valid integer"),
    ],
)
def test_mistake_in_a_stage_is_one_line_that_helps(tmp_path: Path, stage: str, says: str):
    assert complaint(tmp_path, stage).startswith(says)


def test_mistake_in_the_subject_is_one_line_that_helps(tmp_path: Path):
    assert complaint(tmp_path, subject='photos = "p"').startswith("subject needs 'class_noun': What the subject is")
    assert "did you mean 'class_noun'?" in complaint(tmp_path, subject='photos = "p"\nclas_noun = "dog"\nclass_noun = "dog"')


def test_mistake_at_the_top_is_one_line_that_helps(tmp_path: Path):
    assert complaint(tmp_path, top="sede = 1") == "unknown option 'sede' in the recipe: did you mean 'seed'?"
    assert complaint(tmp_path, top="seed = -1").startswith("seed = -1 in the recipe: must be greater than or equal to 0")


def test_number_as_text_is_taken_for_a_number():
    again = recipe_from_dict(
        {"subject": {"photos": "p", "class_noun": "dog"}, "stages": [{"method": "lora", "learning_rate": "1e-4"}]}, STAGES
    )
    assert again.stages[0].learning_rate == 1e-4


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([{"method": "dreamboth"}], "unknown method 'dreamboth' in stage 1: did you mean 'dreambooth'?"),
        ([{"method": "zzz"}], "unknown method 'zzz' in stage 1: known: dreambooth, lora."),
        ([{"steps": 1}], "stage 1 names no method; known: dreambooth, lora"),
        (["lora"], "stage 1 names no method; known: dreambooth, lora"),
        ([], "the recipe has no stages. Add a [[stages]] table with a method."),
        ("lora", "the recipe has no stages. Add a [[stages]] table with a method."),
    ],
)
def test_unknown_method_is_one_line_that_helps(stages: object, says: str):
    with pytest.raises(UserError) as error:
        recipe_from_dict({"subject": {"photos": "p", "class_noun": "dog"}, "stages": stages}, STAGES)
    assert str(error.value) == says


@pytest.mark.parametrize(("text", "line"), [("seed = 1\nbase toybox\n", "line 2"), ('seed = 1\nbase = "toy', "line 2")])
def test_broken_toml_names_the_line(tmp_path: Path, text: str, line: str):
    with pytest.raises(UserError, match=f"not valid TOML.*{line}"):
        read_recipe(written(tmp_path, text), STAGES)


def test_file_that_is_no_recipe_is_one_line(tmp_path: Path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a text file in UTF-8"):
        read_recipe(tmp_path / "binary.toml", STAGES)
    with pytest.raises(UserError, match="No such file"):
        read_recipe(tmp_path / "nowhere.toml", STAGES)


def test_changed_names_what_differs_and_nothing_else():
    old = recipe()
    new = recipe(seed=1, stages=(old.stages[0].model_copy(update={"steps": 900}),))
    difference = changed(old, new)
    assert difference["seed"] == (0, 1) and difference["stages.0.steps"] == (800, 900)
    assert difference["stages.1.method"] == ("lora", None)
    assert {name.split(".")[1] for name in difference if "." in name} == {"0", "1"}
    assert [name for name in difference if name.startswith("stages.0")] == ["stages.0.steps"]
    assert changed(old, old) == {}


def test_a_second_subject_can_be_written_under_a_recipe(tmp_path: Path):
    """`others = []` above it would forbid the table."""
    text = write_recipe(recipe()) + '\n[[others]]\nphotos = "cats"\nclass_noun = "cat"\nidentifier = "zwx"\n'
    assert [subject.class_noun for subject in read_recipe(written(tmp_path, text), STAGES).subjects] == ['the "best" dog\nüber', "cat"]
