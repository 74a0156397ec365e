"""The second stage learns from real pairs, and is drawn as the run says that it was trained to be."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file

from likeness.files.errors import UserError
from likeness.files.picture import read_settings
from likeness.files.recipe import recipe_from_dict
from likeness.learning.method import Subject
from likeness.methods.super_resolution import Pairs, Spec, SuperResolution
from likeness.model.base import Base
from likeness.model.denoiser import pixels_of
from likeness.workflow.fitting import fit, resume
from likeness.workflow.generating import generate
from likeness.workflow.progress import Silent
from likeness.workflow.stack import read_card, stage_types

ON_BASE = {"method": "dreambooth", "steps": 2, "learning_rate": 1e-3, "prior_weight": 0.0}
SECOND = {"method": "super_resolution", "steps": 3, "learning_rate": 1e-3, "draw_steps": 2, "noise_level": 7}


@pytest.fixture
def photos(photo_folder):
    return [Image.open(path).convert("RGB").resize((32, 32)) for path in sorted(photo_folder.glob("*.png"))]


@pytest.fixture
def taught(tiny_folders, tiny_upscalers, photos):
    """The method on DeepFloyd's first stage, and its first batches."""

    def attached(count: int = 1, **options):
        base = Base.open(str(tiny_folders["deepfloyd"]))
        method = SuperResolution(Spec(upscaler=str(tiny_upscalers["deepfloyd"]), **options), base)
        subject = Subject(photos, "dog", "sks", "sks dog")
        return method, [batch for (batch,) in islice(method.batches([subject], 0, 0), count)]

    return attached


@pytest.fixture
def recipe(tiny_folders, tiny_upscalers, photo_folder):
    def of(*stages: dict, family: str = "deepfloyd"):
        filled = [{**stage, **({"upscaler": str(tiny_upscalers[family])} if stage["method"] == "super_resolution" else {})} for stage in stages]
        content = {"base": str(tiny_folders[family]), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": filled}
        return recipe_from_dict(content, stage_types())

    return of


def test_the_loss_is_that_of_the_noise_half_given_the_noised_small_picture(taught):
    """Computed from diffusers' pieces alone: six channels in, six out, of which three are noise; the level as class label, the prompt as T5 says it."""
    method, (batch,) = taught(batch_size=2, noise_most=400)
    pairs, upscaler = batch.photos, method.upscaler
    noisy = upscaler.scheduler.add_noise(pairs.latents, pairs.noise, pairs.timesteps)
    states = method.base.condition(["a photo of a sks dog"] * 2).states
    with torch.no_grad():
        out = upscaler.unet(torch.cat([noisy, pairs.shown], 1), pairs.timesteps, states, class_labels=pairs.levels).sample
    assert out.shape[1] == 6
    assert method.loss(batch)["denoising"].item() == pytest.approx(F.mse_loss(out[:, :3], pairs.noise).item(), rel=1e-5)


def test_a_pair_is_a_photo_and_itself_made_small(taught, photos):
    """At level 0 next to nothing is hidden: what is shown is the photo, as small as the base draws, enlarged."""
    method, batches = taught(8, batch_size=1, noise_most=0)
    large = torch.cat([pixels_of(photo) for photo in photos])
    small = torch.cat([pixels_of(photo.resize((16, 16), Image.Resampling.LANCZOS)) for photo in photos])
    shown = F.interpolate(small, (32, 32), mode="bilinear", align_corners=True)
    for batch in batches:
        row = int((large - batch.photos.latents).abs().amax((1, 2, 3)).argmin())
        assert torch.equal(batch.photos.latents[0], large[row])
        assert (batch.photos.shown[0] - shown[row]).abs().max() < 6 * 0.0065  # six sigmas of level 0


def test_levels_are_uniform_from_least_to_most(taught):
    _, batches = taught(60, batch_size=8, noise_least=3, noise_most=6)
    levels = torch.cat([batch.photos.levels for batch in batches])
    assert torch.bincount(levels, minlength=8).tolist()[:3] == [0, 0, 0]
    assert all(80 < count < 160 for count in torch.bincount(levels)[3:].tolist()), "120 of each are expected; 40 are four sigmas"


def test_halves_of_a_batch_keep_what_is_shown(taught):
    _, (batch,) = taught(batch_size=4)
    halves = batch.halves()
    assert all(isinstance(half.photos, Pairs) for half in halves)
    for name in ("latents", "shown", "levels", "timesteps"):
        assert torch.equal(torch.cat([getattr(half.photos, name) for half in halves]), getattr(batch.photos, name))


def test_least_above_most_is_refused():
    with pytest.raises(ValueError, match="noise_least: 30 is more than noise_most, 20"):
        Spec(noise_least=30)


def test_it_is_drawn_at_the_middle_of_the_levels_that_it_learned():
    assert [Spec(**options).drawing()["noise_level"] for options in ({}, {"noise_least": 100, "noise_most": 200}, {"noise_level": 3})] == [10, 150, 3]


def test_a_stage_that_nobody_named_is_asked_for(recipe, tmp_path):
    alone = recipe({**SECOND}).model_copy(update={"stages": (Spec(),)})
    with pytest.raises(UserError, match="Give it with --upscaler"):
        fit(alone, tmp_path, Silent())
    assert not list(tmp_path.iterdir())


def test_a_cascade_is_one_job_and_drawn_by_one_command(recipe, tmp_path):
    """The run's copies of the photos are large; the card keeps how the second stage is drawn, and pictures, the base's beside them and previews too, are drawn so."""
    run = fit(recipe(ON_BASE, {**SECOND, "previews": (2,)}), tmp_path, Silent())
    card = read_card(run.latest())  # type: ignore[arg-type]
    assert card["subject"]["called"] == "sks dog" and [entry["method"] for entry in card["stages"]] == ["dreambooth", "super_resolution"]
    assert (card["sampling"]["upscaler"]["noise_level"], card["sampling"]["upscaler"]["steps"]) == (7, 2)
    assert {photo.image.size for photo in run.photos() if photo.image} == {(32, 32)}
    generate(run, ["a {} on the beach"], [0, 1], Silent(), steps=2)
    pictures = run.pictures()
    assert [picture.labels["model"] for picture in pictures] == ["base"] * 2 + ["personalized"] * 2
    assert all(Image.open(picture.path).size == (32, 32) == (picture.settings.width, picture.settings.height) for picture in pictures)
    assert all(picture.settings.options["upscaler"]["noise_level"] == 7 for picture in pictures)  # type: ignore[index,call-overload]
    assert {json.dumps(read_settings(path).options) for path in run.previews()} == {json.dumps(pictures[-1].settings.options)}  # type: ignore[union-attr]


@pytest.mark.parametrize("trained", [True, False])
def test_a_stage_hears_the_subjects_name_only_if_it_learned_it(trained, recipe, tiny_upscalers, tmp_path, monkeypatch):
    from likeness.model.cascade import Upscaler

    run = fit(recipe(ON_BASE, *([SECOND] if trained else [])), tmp_path, Silent())
    heard, usual = [], Upscaler.condition
    monkeypatch.setattr(Upscaler, "condition", lambda self, prompts: heard.extend(prompts) or usual(self, prompts))
    generate(run, ["a {} on the beach"], [0], Silent(), steps=2, beside_base=False, upscaler=None if trained else str(tiny_upscalers["deepfloyd"]))
    assert heard == [f"a {'sks dog' if trained else 'dog'} on the beach", ""]


def test_the_noise_level_can_be_asked_for(recipe, tmp_path):
    run = fit(recipe(ON_BASE, SECOND), tmp_path, Silent())
    for level in (None, 300):
        generate(run, ["a {}"], [0], Silent(), steps=2, beside_base=False, noise_level=level)
    first, second = (Image.open(picture.path).tobytes() for picture in run.pictures())
    assert first != second and [p.settings.options["upscaler"]["noise_level"] for p in run.pictures()] == [7, 300]  # type: ignore[index,call-overload]
    with pytest.raises(UserError, match="--noise-level 1000: must be from 0 to 999"):
        generate(run, ["a {}"], [0], Silent(), noise_level=1000)
    plain = fit(recipe(ON_BASE), tmp_path, Silent())
    with pytest.raises(UserError, match="has no super-resolution stage"):
        generate(plain, ["a {}"], [0], Silent(), noise_level=5)


@pytest.mark.parametrize("step", [1, 3])
def test_a_cascade_resumed_in_either_stage_equals_the_uninterrupted(step, recipe, paused, tmp_path):
    asked = recipe(ON_BASE, {**SECOND, "steps": 5})
    whole = fit(asked, tmp_path / "whole", Silent())
    run = paused(asked, tmp_path / "stopped", step)
    resume(run, Silent())
    ours, theirs = ({path.name: path.read_bytes() for path in one.latest().path.glob("*.safetensors")} for one in (run, whole))  # type: ignore[union-attr]
    assert len(ours) == 2 and ours == theirs


def test_another_stage_in_its_place_is_refused(recipe, tiny_upscalers, tmp_path):
    """The card knows which stage was trained, by its hash."""
    own = shutil.copytree(tiny_upscalers["deepfloyd"], tmp_path / "stage")
    asked = recipe(ON_BASE, SECOND)
    stages = (asked.stages[0], asked.stages[1].model_copy(update={"upscaler": str(own)}))
    run = fit(asked.model_copy(update={"stages": stages}), tmp_path / "runs", Silent())
    weights = Path(own) / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: value + 0.01 for name, value in load_file(weights).items()}, weights)
    with pytest.raises(UserError, match="was trained on another super-resolution stage"):
        generate(run, ["a {}"], [0], Silent(), steps=1, beside_base=False)
