"""Recipes and sweeps are data: each is whole, says where it is from, and runs; what is continued is continued once."""

from __future__ import annotations

import json

import pytest

from likeness.files.errors import UserError
from likeness.files.recipe import continued_in, stages_in
from likeness.methods import packaged_recipes, packaged_sweeps, sentence_of
from likeness.workflow.cells import Drawing
from likeness.workflow.comparing import compare
from likeness.workflow.grid import Asked, cells_of
from likeness.workflow.progress import Silent
from likeness.workflow.recipes import expanded, packaged_continuations, packaged_recipe, recipe_for
from likeness.workflow.stack import stage_types

BISCUIT = {"photos": "toybox:biscuit"}
CONTINUED = '[[stages]]\nmethod = "lora"\nsteps = 1\nrank = 2\n\n[[continued]]\nsteps = 2\nlearning_rate = 1e-3\n'


@pytest.mark.parametrize("name", packaged_recipes())
def test_a_packaged_recipe_is_whole_for_the_toybox_and_for_any_base(name):
    own = [stage_types()[table.pop("method")](**table) for table in stages_in(packaged_recipes()[name])]
    twin = packaged_recipe(name, BISCUIT)
    assert [stage.method for stage in own] == [stage.method for stage in twin.stages]
    for stage, changes in ((own[-1], continued_in(packaged_recipes()[name])), (twin.stages[-1], packaged_continuations(name))):
        for change in changes:
            type(stage)(**{**stage.model_dump(), **change})
            assert change["steps"] > stage.steps


@pytest.mark.parametrize("name", packaged_sweeps())
def test_a_packaged_sweep_is_whole(name):
    cells = cells_of(Asked([name], ["toybox:biscuit"]))
    assert len({cell.asked.model_dump_json() for cell in cells}) == len(cells) > 1


@pytest.mark.parametrize("path", [*packaged_recipes().values(), *packaged_sweeps().values()], ids=lambda path: path.stem)
def test_each_says_its_command_and_what_was_measured(path):
    said = sentence_of(path)
    assert f"likeness {'compare' if path.parent.name == 'sweeps' else 'train'} {path.stem} " in said.replace(f"train {path.stem}.", f"train {path.stem} ")
    assert "On the toybox" in said


def test_face_and_monster_toy_are_the_studys():
    for name, first, then in (("face", (300, 1.0), {"steps": 1200, "class_pictures": 200}), ("monster_toy", (600, 1.0), {"steps": 1200, "prior_weight": 0.5})):
        (stage,), (changes,) = stages_in(packaged_recipes()[name]), continued_in(packaged_recipes()[name])
        assert (stage["steps"], stage["prior_weight"]) == first and then.items() <= changes.items()
        assert (stage["learning_rate"], stage["gradient_accumulation"], stage["class_pictures"], stage["train_text_encoder"]) == (1e-6, 2, 150, True)


def test_a_sweeps_settings_give_way_to_a_bases_advice_and_to_what_is_varied():
    settings = expanded(["vectors"])["textual_inversion:vectors=2"]
    stage = recipe_for("textual_inversion", {"vectors": 2}, BISCUIT, settings=settings | {"weight_decay": 0.5}).stages[0]
    assert (stage.steps, stage.vectors, stage.weight_decay) == (200, 2, 0.5)  # type: ignore[attr-defined]


def test_what_is_no_sweep_is_said(tmp_path):
    for content in ('recipes = "lora"', "recipes = []", "recipes = [3]"):
        (tmp_path / "mine.toml").write_text(content)
        with pytest.raises(UserError, match="is no sweep"):
            expanded([str(tmp_path / "mine.toml")])
    (tmp_path / "mine.toml").write_text("continued = 3")
    with pytest.raises(UserError, match="continued must be tables"):
        continued_in(tmp_path / "mine.toml")


def test_a_grid_goes_on_where_a_recipe_does_and_only_once(tmp_path):
    (tmp_path / "small.toml").write_text(CONTINUED)
    (tmp_path / "mine.toml").write_text(f'recipes = ["{tmp_path}/small.toml"]')
    asked = Asked([str(tmp_path / "mine.toml")], ["toybox:biscuit"], drawing=Drawing(prompts=(0,)))
    first, second = (compare(asked, tmp_path / "grid", Silent()) for _ in range(2))
    assert first == second and "continued" in first["cells"][0]["run"]
    seconds = [json.loads(path.read_text())["seconds"] for path in (tmp_path / "grid").glob("*/run.json")]
    assert len(seconds) == 2 and first["cells"][0]["train_seconds"] == pytest.approx(sum(seconds))  # of both trainings
    assert len(list((tmp_path / "grid").glob("*/scores.json"))) == 1


@pytest.mark.parametrize("method", ["dreambooth", "lora", "custom_diffusion"])
def test_options_of_class_pictures_are_refused_where_none_are_learned_from(method):
    """The toybox advises no prior preservation: whoever asks for class pictures there would wait for them in vain."""
    with pytest.raises(UserError, match="--class-pictures: nothing learns from class pictures, .* Add --prior-weight 1"):
        recipe_for(method, {"class_pictures": 100}, {"photos": "toybox:biscuit"})
    assert recipe_for(method, {"class_pictures": 100, "prior_weight": 1.0}, {"photos": "toybox:biscuit"}).stages[0].class_pictures == 100  # type: ignore[attr-defined]


UNREAD = [
    ("lora", {"text_targets": "attention+feedforward"}, {"train_text_encoder": True}), ("ddpo", {"trained": "full", "rank": 16}, {"trained": "lora"}),
    ("lcm", {"student": "full", "alpha": 8}, {"student": "lora"}), ("lcm", {"zero_init": False}, {"student": "full"}),
    ("textual_inversion", {"prompt": "a {}", "templates": "style"}, {"templates": "prompt"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "chosen", "read"), UNREAD)
def test_options_that_nothing_reads_are_refused(method, chosen, read):
    """The base's advice may hold them; whoever types one meant something else."""
    with pytest.raises(UserError, match="or leave it out"):
        recipe_for(method, chosen, {"photos": "toybox:biscuit"})
    assert recipe_for(method, {**chosen, **read}, {"photos": "toybox:biscuit"})
    assert recipe_for("lcm", {"student": "full"}, {"photos": "toybox:biscuit"})


def test_a_phrase_that_is_typed_alone_is_the_caption():
    stage = recipe_for("textual_inversion", {"prompt": "a drawing of {}"}, {"photos": "toybox:biscuit"}).stages[0]
    assert (stage.prompt, stage.templates) == ("a drawing of {}", "prompt")  # type: ignore[attr-defined]
