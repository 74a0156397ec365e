"""T19: what cannot fit is refused with its numbers before any network is loaded."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.model.base import Base
from likeness.workflow import preflight
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Silent
from likeness.workflow.stack import stage_types


@pytest.mark.parametrize(("what", "advice"), [("memory", "train less of it"), ("disk", "--checkpoints")])
def test_too_little_room_is_refused_before_loading_and_force_tries(what, advice, quick_recipe, tmp_path, monkeypatch):
    opened = []
    original = Base.open
    monkeypatch.setattr(Base, "open", lambda *a: opened.append(a) or original(*a))
    monkeypatch.setattr(preflight, f"free_{what}", lambda *a: 1000)
    with pytest.raises(UserError, match=rf"^{what}: this recipe needs at least .* MiB \(.*\), and 0 MiB are free.*{advice}.*--force"):
        fit(quick_recipe(prior_weight=0.0), tmp_path / "runs", Silent())
    assert not opened and not (tmp_path / "runs").exists()
    assert fit(quick_recipe(prior_weight=0.0), tmp_path / "runs", Silent(), force=True).record().status == "finished"


def test_the_estimates_are_below_what_is_used(quick_recipe, tiny_folder, tmp_path, monkeypatch):
    """A refusal must be certain: a run that keeps every checkpoint writes at least what was asked for."""
    asked: dict[str, int] = {}
    monkeypatch.setattr(preflight, "_refuse", lambda what, free, needed, *_: asked.update({what: needed}))
    run = fit(quick_recipe(prior_weight=0.0, checkpoints=(1, 2), save_every=1), tmp_path / "runs", Silent())
    numbers = sum(value.numel() for path in tiny_folder.glob("*/*.safetensors") for value in load_file(path).values())
    trained = sum(p.numel() for p in Base.open(str(tiny_folder)).unet.parameters())
    assert asked["memory"] == 4 * numbers + 12 * trained
    written = sum(path.stat().st_size for path in run.path.rglob("*.safetensors"))
    assert 0.9 * written < asked["disk"] <= 1.4 * written  # at its fullest there was one state more


def test_small_trainings_ask_for_the_networks_alone(quick_recipe, tiny_folder, tmp_path, monkeypatch):
    asked: dict[str, int] = {}
    monkeypatch.setattr(preflight, "_refuse", lambda what, free, needed, *_: asked.update({what: needed}))
    lora = {"base": str(tiny_folder), "subject": {"photos": "x", "class_noun": "dog"}, "stages": [{"method": "lora"}]}
    preflight.check_room(recipe_from_dict(lora, stage_types()), tiny_folder, tmp_path)
    small = asked["memory"]
    preflight.check_room(quick_recipe(), tiny_folder, tmp_path)
    assert asked["memory"] > small and asked["disk"] > 0


def test_a_whole_u_net_counts_for_whichever_method_trains_it(tiny_folder, photo_folder, tmp_path, monkeypatch):
    asked: dict[str, int] = {}
    monkeypatch.setattr(preflight, "_refuse", lambda what, free, needed, *_: asked.update({what: needed}))

    def needed(**stage) -> int:
        content = {"base": str(tiny_folder), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [stage]}
        preflight.check_room(recipe_from_dict(content, stage_types()), tiny_folder, tmp_path)
        return asked["memory"]

    whole = needed(method="dreambooth")
    copy = 4 * sum(p.numel() for p in Base.open(str(tiny_folder)).unet.parameters())
    assert needed(method="ddpo", trained="full", kl_weight=0.0) == whole == needed(method="ddpo", trained="full", kl_weight=0.1) - copy
    assert needed(method="lcm", student="full", average=0.0) == whole + copy == needed(method="lcm", student="full") - copy
    assert needed(method="lcm") == needed(method="ddpo") < whole
