"""DreamBlend from a run's own files: every method and family that keeps early checkpoints, and the pair that is chosen for you."""

from __future__ import annotations

import pytest

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.sampling.options import Blend
from likeness.workflow.attending import attend
from likeness.workflow.choosing import to_blend
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.progress import Silent
from likeness.workflow.stack import stage_types

STRONG = Blend(alpha=30.0, until=1.0)


def trained(folder, photos, parent, method: str, several: bool):
    stage = {"method": method, "steps": 2, "learning_rate": 3e-2, "checkpoints": (1,), "prior_weight": 0.0}
    subjects = [{"photos": photos, "class_noun": "dog", "identifier": "sks"}, {"photos": photos, "class_noun": "cat", "identifier": "zwx"}]
    asked = {"base": str(folder), "subject": subjects[0], "others": subjects[1:] if several else [], "stages": [stage]}
    return fit(recipe_from_dict(asked, stage_types()), parent, Silent())


@pytest.mark.parametrize("family", ["v_prediction", "sdxl"])
@pytest.mark.parametrize(("method", "several"), [("dreambooth", False), ("lora", False), ("custom_diffusion", True)])
def test_every_method_is_guided_by_its_own_early_checkpoint(method, several, family, tiny_folders, photo_folder, tmp_path):
    """The blend is neither of the two pictures; several concepts are said in one prompt."""
    run = trained(tiny_folders[family], photo_folder, tmp_path, method, several)
    prompt = "a {} next to a {2}" if several else "a {} in the snow"
    for step, guide in ((1, None), (2, None), (2, 1)):
        generate(run, [prompt], [0], Silent(), step=step, steps=2, beside_base=False, guide=guide, how=STRONG if guide else None)
    early, late, blended = run.pictures()
    assert blended.labels["model"] == "blended" and blended.settings.options == {"guide": 1, **STRONG.model_dump()}
    assert len({picture.path.read_bytes()[-1000:] for picture in (early, late, blended)}) == 3
    if several:
        assert len(blended.settings.prompt.split("<")) == 3


def scored(run, *lines: tuple[int, float, float]):
    """scores.json with a checkpoint a line: step, likeness, obedience."""
    run.write_scores({"each": [{"file": "", "step": step, "prompt": "a dog", "seed": 0, "dino": likeness, "clip_t_class": obedience} for step, likeness, obedience in lines]})


def test_the_least_learned_guides_the_most_learned(tiny_folder, photo_folder, tmp_path):
    run = trained(tiny_folder, photo_folder, tmp_path, "dreambooth", False)
    with pytest.raises(UserError, match="likeness choose"):
        to_blend(run)
    scored(run, (1, 0.1, 0.9), (2, 0.6, 0.7), (3, 0.8, 0.2))
    assert (to_blend(run), to_blend(run, 2)) == ((1, 3), (1, 2))
    with pytest.raises(UserError, match="is no earlier than the one to guide, 1"):
        to_blend(run, 1)
    scored(run, (1, 0.1, 0.2), (2, 0.8, 0.9))
    with pytest.raises(UserError, match="Draw 2 unguided"):
        to_blend(run)


def test_the_command_blends_the_chosen_pair(tiny_folder, photo_folder, tmp_path, likeness, capsys):
    run = trained(tiny_folder, photo_folder, tmp_path, "dreambooth", False)
    words = ("generate", run.path, "a {}", "--seeds", 0, "--steps", 2, "--no-beside-base", "--guide")
    assert likeness(*words, "later") == 2 and "--guide 'later': must be the step" in capsys.readouterr().err
    assert likeness(*words, "choose") == 2 and "likeness choose" in capsys.readouterr().err
    scored(run, (1, 0.1, 0.9), (2, 0.6, 0.7))
    assert likeness(*words, "choose") == 0
    (picture,) = run.pictures()
    assert (picture.settings.options["guide"], picture.labels["checkpoint"], picture.labels["model"]) == (1, 2, "blended")


def test_maps_that_a_base_does_not_have_are_refused_before_anything_is_drawn(tiny_folder, photo_folder, tmp_path):
    run = trained(tiny_folder, photo_folder, tmp_path, "dreambooth", False)
    with pytest.raises(UserError, match="has 4 pixels a side. Give 4 or more"):
        generate(run, ["a {}"], [0], Silent(), steps=2, guide=1, how=Blend(largest=3))
    with pytest.raises(UserError, match="--blend.alpha: nothing guides"):
        generate(run, ["a {}"], [0], Silent(), steps=2, how=Blend(alpha=1.0))
    with pytest.raises(UserError, match="--blend.alpha: nothing guides"):
        attend(run, "a {}", [0], Silent(), [None], how=Blend(alpha=1.0))
    assert not run.pictures()
