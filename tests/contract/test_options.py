"""Law 8: every option has a sentence, and changing it changes something observable within three steps."""

from __future__ import annotations

import pytest
import torch

from likeness.workflow.stack import method_class


def test_every_option_has_a_sentence(method):
    fields = method_class(method).Spec.model_fields
    assert [name for name, field in fields.items() if not (field.description or "").rstrip().endswith(".")] == []


def test_it_says_what_it_trains_in_a_few_words(method):
    Spec = method_class(method).Spec
    assert "trains" in vars(Spec) and 0 < len(Spec().trains()) <= 30


def test_every_option_is_tested(method, changed_options):
    assert set(changed_options) == set(method_class(method).Spec.model_fields)


def test_changing_an_option_shows(method, option, case, changed_options, fitted, observed):
    besides = case.besides.get(option, {})
    usual = observed(fitted(method, **besides))
    assert observed(fitted(method, **{**besides, option: changed_options[option]})) != usual


def test_the_same_options_show_nothing(method, fitted, observed):
    """Or the law above would say nothing."""
    assert observed(fitted(method)) == observed(fitted(method))


def test_what_decides_what_is_trained_is_named(method, changed_options, case, attach):
    """Or a child run could change it, and would find weights and optimizer of other shapes."""
    Spec = method_class(method).Spec
    assert set(Spec.decides) <= set(Spec.model_fields)

    def shapes(**options) -> dict:
        return {name: value.shape for name, value in attach(method, **options).method.weights().items()}

    for option, value in changed_options.items():
        besides = case.besides.get(option, {})
        if shapes(**besides) != shapes(**besides, **{option: value}):
            assert option in Spec.decides


def bytes_kept(attached) -> int:
    """Of all that autograd keeps between forward and backward."""
    kept = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    batch = attached.batches(1)[0][0]
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = sum(attached.method.loss(batch).values())
    loss.backward()  # type: ignore[union-attr]
    return sum(kept.values())


@pytest.mark.parametrize("text_encoder", [False, True])
def test_gradient_checkpointing_keeps_less_and_changes_no_loss(method, text_encoder, attach):
    if "gradient_checkpointing" not in method_class(method).Spec.model_fields:
        pytest.skip("has no gradient checkpointing")
    options: dict = {"batch_size": 4}
    if text_encoder:
        if "train_text_encoder" not in method_class(method).Spec.model_fields:
            pytest.skip("trains no text encoder")
        options["train_text_encoder"] = True
    usual, sparing = attach(method, **options), attach(method, **options, gradient_checkpointing=True)
    assert bytes_kept(sparing) < 0.9 * bytes_kept(usual)
    assert any(getattr(network, "is_gradient_checkpointing", False) for network in sparing.base.networks)
    assert [t.losses for t in usual.trained()] == [t.losses for t in sparing.trained()]


def test_checkpointing_spares_the_text_encoder_too(method, attach):
    """transformers ignores it, without a word, in a network that is in evaluation mode."""
    if "train_text_encoder" not in method_class(method).Spec.model_fields:
        pytest.skip("trains no text encoder")
    kept = {}
    for sparing in (False, True):
        attached = attach(method, train_text_encoder=True, gradient_checkpointing=sparing)
        attached.batches(1)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: s.append(t.nbytes) or t, lambda t: t):
            attached.base.condition(["a photo of a dog"])
        kept[sparing] = sum(sizes)
    assert kept[True] < 0.5 * kept[False]


def test_uncached_keeps_no_moments(method, attach):
    if "cache_latents" not in method_class(method).Spec.model_fields:
        pytest.skip("caches nothing")
    calls = {True: 0, False: 0}
    for cached in calls:
        attached = attach(method, cache_latents=cached, batch_size=1, gradient_accumulation=1)
        attached.batches(1)  # class pictures, if any, are there from here on

        def count(*_, cached=cached):
            calls[cached] += 1

        attached.base.vae.encoder.register_forward_hook(count)
        attached.trained()
    of_class = getattr(attached.stage, "class_pictures", 0)
    assert calls == {True: len(attached.subject.photos) + of_class, False: (2 if of_class else 1) * attached.stage.steps}
