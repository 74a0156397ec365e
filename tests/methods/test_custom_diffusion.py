"""Custom Diffusion against its published code's formulas, and where that code goes wrong."""

from __future__ import annotations

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.learning.denoising import Batch, Examples, noised, target
from likeness.learning.method import Subject
from likeness.methods.custom_diffusion import CustomDiffusion, Spec, _augmented
from likeness.model.base import Base
from likeness.model.denoiser import Conditioning
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.progress import Silent
from likeness.workflow.stack import read_card, stage_types


def attached(folder, **options) -> CustomDiffusion:
    return CustomDiffusion(Spec(**{"prior_weight": 0.0, "augmentation": False, **options}), Base(folder, "tiny"))


def test_the_start_token_teaches_nothing(tiny_folder):
    """Its key and value pass no gradient: where every other token is zero, no key or value weight learns."""
    method = attached(tiny_folder)
    states = torch.zeros(2, 12, 16)
    states[:, 0] = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    method.base.predict(torch.randn(2, 4, 8, 8), torch.tensor([1, 500]), Conditioning(states)).square().sum().backward()
    grads = [p.grad for p in method.adapters[0].parameters()]
    assert grads and all(g is not None and not g.any() for g in grads)
    states[:, 1] = 1.0
    method.base.predict(torch.randn(2, 4, 8, 8), torch.tensor([1, 500]), Conditioning(states)).square().sum().backward()
    assert all(p.grad.any() for p in method.adapters[0].parameters())  # type: ignore[union-attr]


def test_keys_and_values_are_cut_off_from_the_start_only_while_training(tiny_folder):
    method = attached(tiny_folder)
    told = method.base.condition(["a photo of a <sks> dog"])
    seen, when = torch.randn(1, 4, 8, 8), torch.tensor([300])
    with torch.no_grad():
        before = method.base.predict(seen, when, told)
    method.freeze()
    assert torch.equal(method.base.predict(seen, when, told), before)
    assert not any(layer._forward_hooks for layer in method.base.unet.modules())


def masked_batch(base: Base) -> Batch:
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(2, 1, 8, 8)
    mask[0, :, 2:5, 1:7] = 1
    mask[1, :, :, :] = 1
    latents = torch.randn(2, 4, 8, 8, generator=generator)
    return Batch(Examples.with_noise(base, latents, ("a photo of a <sks> dog",) * 2, generator, mask))


@pytest.mark.parametrize(("legacy", "factor"), [(False, 0.25), (True, 1.0)])
def test_the_masked_loss_is_the_published_one(legacy, factor, tiny_folder):
    """Theirs divides by the mask's cells and not by the four channels as well: four times the mean of the elements that count."""
    method = attached(tiny_folder, legacy_weight=legacy)
    list(zip(range(1), method.batches([Subject([Image.new("RGB", (16, 16))], "dog", "sks")], 0, 0)))
    batch = masked_batch(method.base)
    photos = batch.photos
    predicted = method.base.predict(noised(method.base, photos), photos.timesteps, method.condition(photos.prompts))
    squares = (predicted - target(method.base, photos)).square()
    theirs = ((squares * photos.mask).sum([1, 2, 3]) / photos.mask.sum([1, 2, 3])).mean()  # type: ignore[union-attr, operator]
    assert method.loss(batch)["denoising"].item() == pytest.approx(factor * theirs.item(), rel=1e-6)


def test_halves_keep_their_masks(tiny_folder):
    method = attached(tiny_folder)
    list(zip(range(1), method.batches([Subject([Image.new("RGB", (16, 16))], "dog", "sks")], 0, 0)))
    batch = masked_batch(method.base)
    halves = sum(method.loss(half)["denoising"].item() for half in batch.halves())
    assert halves == pytest.approx(method.loss(batch)["denoising"].item(), rel=1e-6)


def test_photos_are_shown_as_the_paper_says():
    """Two of three at a third up to the whole width, the others at 1.2 to 1.4; below 0.6 on grey, with a mask inside the photo."""
    photo = Image.new("RGB", (64, 64), (255, 0, 0))
    says: dict[str, int] = {}
    for seed in range(600):
        shown, mask, words = _augmented(photo, 8, torch.Generator().manual_seed(seed))
        says[words] = says.get(words, 0) + 1
        assert shown.size == (64, 64) and mask.shape == (1, 8, 8) and mask.any()
        if words in ("a far away ", "very small "):
            red = torch.tensor(list(shown.getdata())).reshape(64, 64, 3)[..., 0] == 255
            cells = red.reshape(8, 8, 8, 8).permute(0, 2, 1, 3).flatten(2).float().mean(-1)
            assert mask.sum() < 64 and (cells[mask[0].bool()] > 0).all()
        else:
            assert mask.all()
    small, near = says["a far away "] + says["very small "], says["zoomed in "] + says["close up "]
    # Binomial with 600 draws: 2/3 x (0.6 - 1/3) / (2/3) = 0.267 and 1/3, four standard deviations either way.
    assert abs(small / 600 - 0.267) < 0.073 and abs(near / 600 - 1 / 3) < 0.077
    assert abs(says["a far away "] - says["very small "]) < 0.5 * small


def test_every_subject_of_a_joint_training_learns_its_word(tiny_folder, photo_folder, tmp_path):
    """The published script zeroes the last new word's gradient."""
    subjects = [{"photos": photo_folder, "class_noun": noun, "identifier": name} for noun, name in (("dog", "one"), ("cat", "two"), ("dog", "three"))]
    stage = {"method": "custom_diffusion", "steps": 4, "learning_rate": 1e-2, "class_pictures": 2, "class_steps": 1, "augmentation": False, "batch_size": 4}
    recipe = recipe_from_dict({"base": str(tiny_folder), "subject": subjects[0], "others": subjects[1:], "stages": [stage]}, stage_types())
    assert recipe.stages[0].words == ("<one>", "<two>", "<three>")  # type: ignore[attr-defined]
    run = fit(recipe, tmp_path, Silent())
    checkpoint = run.latest()
    assert checkpoint
    learned = load_file(checkpoint.path / "0-custom_diffusion.safetensors")
    base = Base(tiny_folder, "tiny")
    for word, begins_as in (("<one>", "ktn"), ("<two>", "pll"), ("<three>", "ucd")):
        first = base.add_word(word, begins_as, 1)["text_encoder"]
        assert not torch.equal(learned[f"text_encoder.{word}"], first)
    card = read_card(checkpoint)
    assert [card["subject"]["called"], *(other["called"] for other in card["others"])] == ["<one> dog", "<two> cat", "<three> dog"]
    (path,) = generate(run, ["a {} next to a {2}"], [0], Silent(), steps=1, beside_base=False)
    assert run.pictures()[0].settings.prompt == "a <one> dog next to a <two> cat" and path.is_file()
    assert run.pictures()[0].labels["class_prompt"] == "a dog next to a cat"


def joint(tiny_folder, photo_folder, method: str, **options):
    subjects = [{"photos": photo_folder, "class_noun": noun, "identifier": name} for noun, name in (("dog", "one"), ("cat", "two"))]
    stage = {"method": method, "steps": 1, **options}
    return recipe_from_dict({"base": str(tiny_folder), "subject": subjects[0], "others": subjects[1:], "stages": [stage]}, stage_types())


def test_words_and_identifiers_agree(tiny_folder, photo_folder):
    """Or prompts would say a word that nobody has taught."""
    for words in (["<a>", "<b>"], ["<one>"], ["<one>", "<two>", "<three>"]):
        with pytest.raises(UserError, match="called by their identifiers"):
            joint(tiny_folder, photo_folder, "custom_diffusion", words=words)


def test_one_word_is_not_taught_two_subjects(tiny_folder, photo_folder, tmp_path):
    with pytest.raises(UserError, match="teaches one subject, and the recipe has 2"):
        fit(joint(tiny_folder, photo_folder, "textual_inversion"), tmp_path, Silent())


@pytest.mark.parametrize("method", ["textual_inversion", "custom_diffusion"])
def test_a_caption_without_the_new_word_is_refused(method, tiny_folder, tmp_path):
    for n in range(4):
        Image.new("RGB", (32, 32), (n * 60, 9, 200 - n * 60)).save(tmp_path / f"{n}.png")
        (tmp_path / f"{n}.txt").write_text("a dog in the snow")
    stage = {"method": method, "steps": 1, "use_captions": True}
    recipe = recipe_from_dict({"base": str(tiny_folder), "subject": {"photos": tmp_path, "class_noun": "dog"}, "stages": [stage]}, stage_types())
    with pytest.raises(UserError, match="does not say <sks>"):
        fit(recipe, tmp_path / "runs", Silent())


def subjects_called(*identifiers: str, folder, photos, **options):
    first, *others = ({"photos": photos, "class_noun": "dog", "identifier": identifier} for identifier in identifiers)
    stage = {"method": "custom_diffusion", "steps": 1, "prior_weight": 0.0, **options}
    return recipe_from_dict({"base": str(folder), "subject": first, "others": others, "stages": [stage]}, stage_types())


def test_identifiers_that_differ_in_case_alone_are_refused(tiny_folder, photo_folder, tmp_path):
    """Tokenizers read them as one."""
    with pytest.raises(UserError, match="two subjects have the identifier 'sks'"):
        fit(subjects_called("sks", "SKS", folder=tiny_folder, photos=photo_folder), tmp_path, Silent())


def test_words_with_capitals_are_read_of_runs_of_before_and_not_taught(tiny_folder, photo_folder, tmp_path):
    recipe = subjects_called("Tom", "Sue", folder=tiny_folder, photos=photo_folder, words=["<Tom>", "<Sue>"])
    method = CustomDiffusion(recipe.stages[0], Base(tiny_folder, "tiny"))  # type: ignore[arg-type]
    assert [method.called("dog", subject) for subject in recipe.subjects] == ["<Tom> dog", "<Sue> dog"]
    with pytest.raises(UserError, match="Write <tom>"):
        fit(recipe, tmp_path, Silent())
