"""The scale of LoRA's additions: what was asked, and what runs of before meant."""

from __future__ import annotations

import pytest

from likeness.files.recipe import recipe_from_dict, recipe_to_dict
from likeness.methods.lora import LoRA, Spec
from likeness.model.base import Base
from likeness.workflow.stack import stage_of, stage_types


def scale_of(spec: Spec, folder) -> float:
    (layer, *_) = LoRA(spec, Base(folder, "tiny")).adapters[0].layers.values()  # type: ignore[attr-defined]
    return layer.scaling["default"]


@pytest.mark.parametrize("rank", [4, 9])
@pytest.mark.parametrize("stabilized", [False, True])
def test_alpha_that_is_left_open_is_a_scale_of_one(stabilized, rank, tiny_folder):
    assert scale_of(Spec(rank=rank, rank_stabilized=stabilized), tiny_folder) == pytest.approx(1.0)
    recipe = recipe_from_dict(asked(rank=rank, rank_stabilized=stabilized), stage_types())
    again = recipe_from_dict(recipe_to_dict(recipe), stage_types())
    assert again == recipe and scale_of(again.stages[0], tiny_folder) == pytest.approx(1.0)  # type: ignore[arg-type]


def asked(**options) -> dict:
    return {"subject": {"photos": "x", "class_noun": "dog"}, "stages": [{"method": "lora", **options}]}


def test_a_run_of_before_keeps_the_scale_that_it_was_trained_with(tiny_folder):
    """It took the rank for alpha there too; its card says null and its recipe nothing, beside all other options."""
    saved = {**Spec(rank=9, rank_stabilized=True).model_dump(mode="json"), "alpha": None}
    assert scale_of(stage_of({"method": "lora", "spec": saved}), tiny_folder) == pytest.approx(3.0)  # type: ignore[arg-type]
    del saved["alpha"]
    recipe = recipe_from_dict(asked(**{name: value for name, value in saved.items() if value is not None}), stage_types())
    assert scale_of(recipe.stages[0], tiny_folder) == pytest.approx(3.0)  # type: ignore[arg-type]
