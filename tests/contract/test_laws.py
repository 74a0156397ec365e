"""Laws 1-4, 7 and 9-11 of design.md: what holds of a method by itself."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict, recipe_to_dict
from likeness.learning.denoising import Batch
from likeness.learning.method import Subject
from likeness.learning.prior import class_pictures
from likeness.methods import METHODS
from likeness.workflow.fitting import fit
from likeness.workflow.photos import gather
from likeness.workflow.progress import Silent
from likeness.workflow.recipe_facts import several_subjects
from likeness.workflow.stack import method_class, read_card, stage_types


def test_constructing_changes_no_picture(method, prediction, attach, open_base):
    """Law 1."""
    attached = attach(method, prediction)
    changed = attached.pictures("a photo of a dog", "a cat in the snow")
    attached.base = open_base(prediction)
    assert changed == attached.pictures("a photo of a dog", "a cat in the snow")


def test_only_declared_parameters_move(method, prediction, attach):
    """Law 2. Bit-identical, buffers and embedding rows too."""
    attached = attach(method, prediction)
    declared = {id(p) for group in attached.method.parameter_groups() for p in group["params"]}
    moving = {f"{part}.{name}" for part, network in attached.base.parts.items() for name, p in network.named_parameters() if id(p) in declared}
    before = attached.everything()
    attached.trained()
    moved = {name for name, value in attached.everything().items() if not torch.equal(value, before[name])}
    assert moved and moved <= moving


def test_the_loss_falls_on_one_photo(method, prediction, attach, subject, case):
    """Law 3: on noise and timesteps that were not trained on."""
    if case.learns is None:
        pytest.skip("its loss is no measure; a test of its own shows that its reward rises")
    photos = subject.photos[:1]
    if case.needs_words:
        if prediction != "v_prediction":
            pytest.skip("learns on the embedded base, which predicts v")
        prediction, photos = "toybox", [p.image for p in gather("toybox:biscuit", 64)[:1]]
    attached = attach(method, prediction, subject=Subject(photos, "dog", "sks"), steps=40, **case.learns)
    unseen = attached.batches(20, start=1000)
    before = attached.loss(unseen)
    attached.trained()
    assert attached.loss(unseen) < 0.95 * before


def test_restored_weights_draw_the_same_picture(method, prediction, attach, tmp_path):
    """Law 4, through a file and on a fresh base."""
    trained, fresh = attach(method, prediction), attach(method, prediction)
    trained.trained()
    prompts = (f"a photo of a {trained.called}", "a dog on the beach")
    assert trained.pictures(*prompts) != fresh.pictures(*prompts)
    save_file(trained.method.weights(), tmp_path / "weights.safetensors")
    fresh.method.restore(load_file(tmp_path / "weights.safetensors"))
    assert trained.pictures(*prompts) == fresh.pictures(*prompts)


def test_weights_are_copies(method, attach):
    """A checkpoint that is being written does not move with the next step."""
    attached = attach(method)
    kept = attached.method.weights()
    before = {name: value.clone() for name, value in kept.items()}
    attached.trained()
    assert all(torch.equal(before[name], value) for name, value in kept.items())


def test_weights_of_another_shape_are_refused(method, attach):
    weights = attach(method).method.weights()
    name = next(iter(weights))
    with pytest.raises(UserError, match="another base model"):
        attach(method).method.restore({**weights, name: weights[name][None]})
    with pytest.raises(UserError, match="another base model"):
        attach(method).method.restore({key: value for key, value in weights.items() if key != name})


def test_a_checkpoint_holds_nothing_frozen(method, attach):
    """Law 7: as many numbers as are trained, and every one of them moves."""
    attached = attach(method, steps=2)
    before = attached.method.weights()
    trained = sum(p.numel() for group in attached.method.parameter_groups() for p in group["params"])
    assert sum(value.numel() for value in before.values()) == trained
    assert all(p.requires_grad for group in attached.method.parameter_groups() for p in group["params"])
    attached.trained()
    after = attached.method.weights()
    assert [name for name in before if torch.equal(before[name], after[name])] == []


def test_freezing_ends_training(method, attach):
    attached = attach(method)
    attached.method.freeze()
    assert not any(p.requires_grad for network in attached.base.networks for p in network.parameters())


@pytest.mark.parametrize("below", METHODS)
def test_it_stacks_where_it_may_and_says_when_not(method, below, fitted, tmp_path):
    """Law 9. A refusal comes before anything is trained."""
    follows, carries = method_class(method).follows, method_class(below).Spec.carries
    if (follows is None or below in follows) and (carries is None or method in carries):
        assert fitted(below, method).record().status == "finished"
        return
    with pytest.raises(UserError, match=f"{method} cannot stand on {below}"):
        fitted(below, method)
    assert not (tmp_path / "runs").exists()


def test_it_teaches_two_subjects_or_says_that_it_does_not(method, recipe_of, tmp_path):
    """Tables promise it: "together"."""
    content = recipe_to_dict(recipe_of(method))
    content["stages"] = [{key: value for key, value in content["stages"][0].items() if key != "words"}]  # they follow from the identifiers
    content["others"] = [{**content["subject"], "class_noun": "cat", "identifier": "zwx"}]
    recipe = recipe_from_dict(content, stage_types())
    if "together" not in several_subjects(recipe):
        with pytest.raises(UserError, match=f"{method}: teaches one subject"):
            fit(recipe, tmp_path, Silent())
        return
    card = read_card(fit(recipe, tmp_path, Silent()).latest())
    assert len({card["subject"]["called"], card["others"][0]["called"]}) == 2


def test_cached_equals_uncached(method, prediction, attach):
    """Law 10, bit for bit."""
    if "cache_latents" not in method_class(method).Spec.model_fields:
        pytest.skip("has no choice of it")
    cached, computed = attach(method, prediction), attach(method, prediction, cache_latents=False)
    assert [t.losses for t in cached.trained()] == [t.losses for t in computed.trained()]
    assert all(torch.equal(value, computed.everything()[name]) for name, value in cached.everything().items())


def with_prior(method: str) -> None:
    if "prior_weight" not in method_class(method).Spec.model_fields:
        pytest.skip("has no class pictures")


def test_class_pictures_are_paired_with_the_class_prompt(method, attach):
    """Law 11."""
    with_prior(method)
    attached = attach(method, prompt="a photo of a {}", batch_size=2, gradient_accumulation=2)
    for step in attached.batches(3):
        assert [batch.photos.prompts for batch in step] == [(f"a photo of a {attached.called}",) * 2] * 2
        assert [batch.prior.prompts for batch in step] == [("a photo of a dog",) * 2] * 2


def test_the_prior_is_learned_from_class_pictures(method, attach):
    """Law 11: with an encoder that is certain, each latent is a picture's own; all photos and class pictures come up."""
    with_prior(method)
    attached = attach(method, batch_size=4)
    with torch.no_grad():  # log-variance -30, the least that diffusers allows
        attached.base.vae.quant_conv.weight[4:] = 0
        attached.base.vae.quant_conv.bias[4:] = -30
    stage = attached.stage
    drawn = class_pictures(attached.base, stage.prompt.replace("{}", "dog"), stage.class_pictures, stage.class_steps, stage.class_guidance_scale, seed=0)
    batch = attached.batches(1)[0][0]
    for examples, pictures in ((batch.photos, attached.subject.photos), (batch.prior, drawn)):
        means = attached.base.moments(pictures)[0]
        distance = torch.cdist(examples.latents.flatten(1), means.flatten(1))
        assert sorted(distance.argmin(1).tolist()) == [0, 1, 2, 3]
        assert distance.min(1).values.max() < 1e-4  # std e^-15 of 256 numbers


def test_the_prior_is_weighted_exactly(method, prediction, attach):
    """Law 11: linear in λ; powers of two are exact. The photos' loss does not know λ."""
    with_prior(method)
    losses = {}
    for weight in (0.5, 1.0, 4.0):
        attached = attach(method, prediction, prior_weight=weight)
        losses[weight] = attached.method.loss(attached.batches(1)[0][0])
    assert losses[0.5]["prior"] * 2 == losses[1.0]["prior"] and losses[1.0]["prior"] * 4 == losses[4.0]["prior"]
    assert losses[0.5]["denoising"] == losses[1.0]["denoising"] == losses[4.0]["denoising"]


def test_without_a_prior_no_class_picture_is_drawn(method, attach, tmp_path, monkeypatch):
    with_prior(method)
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    attached = attach(method, prior_weight=0.0)
    (batch,) = attached.batches(1)[0]
    assert isinstance(batch, Batch) and batch.prior is None and list(attached.method.loss(batch)) == ["denoising"]
    assert not (tmp_path / "cache").exists()
