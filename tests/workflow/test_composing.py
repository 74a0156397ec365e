"""LoRAs of several runs in one picture, checkpoints that guide others, and what cannot be added."""

from __future__ import annotations

import pytest
import torch

from likeness.files.errors import UserError
from likeness.files.picture import read_settings
from likeness.files.recipe import recipe_from_dict
from likeness.model.base import Base
from likeness.sampling.options import Blend
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.stack import put_beside, put_on, stage_types


@pytest.fixture
def trained(tiny_folder, photo_folder, tmp_path):
    def run(method: str, identifier: str = "sks", **options):
        subject = {"photos": photo_folder, "class_noun": "dog", "identifier": identifier}
        stage = {"method": method, "steps": 2, "learning_rate": 1e-2, **options}
        return fit(recipe_from_dict({"base": str(tiny_folder), "subject": subject, "stages": [stage]}, stage_types()), tmp_path, Silent(), name=identifier)

    return run


def weights(base: Base) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in base.unet.state_dict().items()}


def test_additions_are_added_by_their_strengths(trained, tiny_folder):
    """W + s (α/r) B A of each, whatever the order; the base is as it was but for that."""
    first, second = trained("lora", alpha=8.0), trained("lora", "zwx", rank=2)
    plain = weights(Base.open(str(tiny_folder)))
    alone = []
    for run in (first, second):
        base = Base.open(str(tiny_folder))
        put_on(base, run.latest())
        alone.append(weights(base))
    both = Base.open(str(tiny_folder))
    put_on(both, first.latest())
    assert put_beside(both, second.latest(), 0.25) == "zwx dog"
    for name, value in weights(both).items():
        wanted = alone[0][name] + 0.25 * (alone[1][name] - plain[name])
        torch.testing.assert_close(value, wanted, atol=1e-6, rtol=1e-6)
    assert any(not torch.equal(alone[1][name], plain[name]) for name in plain)


def test_pictures_know_what_they_were_made_with(trained):
    first, second = trained("lora"), trained("lora", "zwx")
    generate(first, ["a {}"], [0], Silent(), steps=2, beside_base=False, others=[(second, 0.5)])
    (picture,) = first.pictures()
    assert picture.settings.checkpoint == f"{first.name}/2 + {second.name}/2:0.5"


def test_what_cannot_be_added_is_refused(trained):
    lora = trained("lora")
    with pytest.raises(UserError, match="adds the additions of one LoRA"):
        generate(lora, ["a {}"], [0], Silent(), steps=2, others=[(trained("dreambooth", prior_weight=0.0), 1.0)])


def test_two_words_of_the_same_name_are_told_apart(tiny_folder, photo_folder, tmp_path):
    stages = [{"method": "textual_inversion", "steps": 1}, {"method": "lora", "steps": 1}]
    recipe = recipe_from_dict({"base": str(tiny_folder), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": stages}, stage_types())
    runs = [fit(recipe, tmp_path, Silent()) for _ in range(2)]
    with pytest.raises(UserError, match="its word <sks> is another's already"):
        generate(runs[0], ["a {}"], [0], Silent(), steps=2, others=[(runs[1], 1.0)])


def test_a_dora_is_not_added(trained):
    """It sets the length of weights: at strength 0 it would still change every one."""
    with pytest.raises(UserError, match="is a DoRA"):
        generate(trained("lora"), ["a {}"], [0], Silent(), steps=2, others=[(trained("lora", "zwx", dora=True), 0.0)])


def test_another_runs_subject_has_a_number(trained):
    first, second = trained("lora"), trained("lora", "zwx")
    generate(first, ["a {} next to a {2}"], [0], Silent(), steps=1, beside_base=False, others=[(second, 0.5)])
    assert first.pictures()[0].settings.prompt == "a sks dog next to a zwx dog"
    with pytest.raises(UserError, match=r"has \{2\}, and there is 1 subject"):
        generate(first, ["a {} next to a {2}"], [0], Silent(), steps=1)


def test_two_subjects_of_one_name_are_warned_of(trained, capsys):
    first = trained("lora")
    for identifier in ("sks", "zwx"):
        generate(first, ["a {}"], [0], Progress(), steps=1, beside_base=False, others=[(trained("lora", identifier, rank=2), 0.5)])
        said = " ".join(capsys.readouterr().err.split())
        assert ("is what both subjects are called" in said) == (identifier == "sks")


def test_a_checkpoint_is_guided_by_an_earlier_one(trained):
    """DreamBlend from the run's own files; every picture says what guided it, and drawing again draws nothing new."""
    run = trained("dreambooth", checkpoints=(1,), prior_weight=0.0)
    how = Blend(alpha=3.0, largest=64)
    for guide in (1, 0):
        (path,) = generate(run, ["a {}"], [0], Silent(), steps=2, beside_base=False, guide=guide, how=how)
        assert read_settings(path).options == {"guide": guide, **how.model_dump()}  # type: ignore[union-attr]
        assert not generate(run, ["a {}"], [0], Silent(), steps=2, beside_base=False, guide=guide, how=how)
    (plain,) = generate(run, ["a {}"], [0], Silent(), steps=2, beside_base=False)
    pictures = [p.path.read_bytes() for p in run.pictures()]
    assert len(set(pictures)) == 3 and plain.read_bytes() == pictures[2]
    assert [p.labels["model"] for p in run.pictures()] == ["blended", "blended", "personalized"]


def test_what_cannot_guide_is_refused(trained):
    run, word = trained("dreambooth", prior_weight=0.0), trained("textual_inversion", "zwx", gradient_accumulation=1)
    for asked, guide, says in ((run, 2, "a step before"), (run, 1, "000001|no checkpoint|has none of step|steps"), (word, 0, "does not know the word")):
        with pytest.raises(UserError, match=says):
            generate(asked, ["a {}"], [0], Silent(), steps=2, guide=guide)
    with pytest.raises(UserError, match="--with"):
        generate(run, ["a {}"], [0], Silent(), steps=2, guide=0, others=[(trained("lora", "abc"), 1.0)])
    assert not run.pictures()
