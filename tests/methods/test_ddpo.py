"""DDPO: ratios begin at one, the reward rises, a stopped rollout is drawn again, and rewards say what they cannot do."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from likeness.evaluation import metrics
from likeness.evaluation.loading import EMBEDDED
from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.files.run_folder import RunFolder
from likeness.learning import rewards
from likeness.learning.method import Subject
from likeness.learning.policy import log_probability, next_step
from likeness.learning.precision import precision as numbers
from likeness.learning.rewards import Rewarding, parse, reward_of
from likeness.learning.training import make_optimizer, train
from likeness.methods.ddpo import DDPO, Spec
from likeness.workflow.evaluating import own_teachers
from likeness.workflow.fitting import fit, resume
from likeness.workflow.progress import Silent, Task
from likeness.workflow.recipes import recipe_for
from likeness.workflow.stack import stage_types
from likeness.workflow.stopping import Stopped

QUICK: dict[str, Any] = {"updates": 2, "batch_size": 2, "gradient_accumulation": 1, "draw_steps": 3, "rewards": ("compressible",), "prompts": ("a photo of a {}",)}


@pytest.fixture
def method(tiny_base, subject_photos):
    def of(**options: Any) -> tuple[DDPO, Any]:
        made = DDPO(Spec(**{**QUICK, **options}), tiny_base)
        return made, made.batches([Subject(subject_photos, "dog", "sks")], 0, 0)

    return of


def test_steps_that_would_begin_in_the_middle_are_refused(method):
    _, batches = method(draw_steps=600)
    with pytest.raises(UserError, match="600 sampling steps"):
        next(batches)


def test_rewards_that_are_no_words_are_refused():
    with pytest.raises(ValueError, match="rewards"):
        Spec.model_validate({"rewards": [1]})


@pytest.mark.parametrize(("batch_size", "precision"), [(1, "no"), (3, "no"), (4, "bf16")])
def test_ratios_of_a_rollout_begin_at_one(batch_size, precision, method):
    """In other batches than it was drawn in, and in the number type that is trained in."""
    made, batches = method(batch_size=batch_size, mixed_precision=precision)
    largest = 0.0
    for step in islice(batches, 2):
        assert sum(batch.share for batch in step) == pytest.approx(1)
        for batch in step:
            with numbers(precision, made.base.device):
                mean, deviation = next_step(made.base, made._predict(batch.latents, batch.timesteps, batch.prompts), batch.latents, batch.timesteps, batch.earlier)
            ratio = (log_probability(batch.chosen, mean, deviation) - batch.log_probabilities).exp()
            largest = max(largest, (ratio - 1).abs().max().item())
    assert largest < 1e-5  # a tenth of the clip range


@pytest.mark.parametrize("room", [8, 2])
def test_no_more_pictures_are_drawn_at_once_than_are_trained_on_and_fewer_where_memory_runs_out(room, method, monkeypatch):
    made, batches = method(batch_size=4, draw_guidance_scale=1.0)
    predict, rows = made._predict, []

    def watched(latents, *told):
        rows.append(len(latents))
        if len(latents) > room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return predict(latents, *told)

    monkeypatch.setattr(made, "_predict", watched)
    next(batches)
    assert max(rows) == 4 and rows.count(min(4, room)) == 3 * 8 // min(4, room)


def test_the_steps_of_a_rollout_follow_each_other(method):
    _, batches = method()
    step = next(batches)
    for before, after in zip(step, step[1:]):
        assert torch.equal(before.chosen, after.latents) and before.timesteps[0] > after.timesteps[0]


def test_the_step_to_the_picture_itself_is_not_learned_from(method):
    """It has next to no noise of its own, so the gradient of its probability would drown those of all others."""
    _, batches = method(draw_steps=3)
    step = next(batches)
    assert len(step) == 2 and all((batch.earlier > 0).all() for batch in step)
    assert sum(batch.share for batch in step) == pytest.approx(1)


def brightness(pictures, prompts) -> np.ndarray:
    return np.array([np.asarray(picture, dtype=np.float64).mean() / 255 for picture in pictures])


@pytest.mark.parametrize("options", [{}, {"kl_weight": 1e-4}])
def test_the_reward_rises(options, method, monkeypatch):
    """By more than half of what pictures differ by; a LoRA on a random network's attention could not move it."""
    monkeypatch.setattr(Rewarding, "compressible", lambda self, pictures, prompts: brightness(pictures, prompts))
    made, batches = method(steps=32, batch_size=8, clip_range=0.2, trained="full", learning_rate=3e-3, **options)
    stage = made.spec
    noted = [trained.noted["reward"] for trained in train(made, make_optimizer(made, stage), stage, batches, 0, 0) if trained.noted]
    assert np.mean(noted[-8:]) > np.mean(noted[:2]) + 0.5 * 0.016


def test_divergence_begins_at_nothing_and_grows(method):
    made, batches = method(kl_weight=1.0, learning_rate=1e-2, steps=4, clip_range=0.2)
    found = [trained.losses["divergence"] for trained in train(made, make_optimizer(made, made.spec), made.spec, batches, 0, 0)]
    assert found[0] == 0 < found[-1]


class SignalWhileDrawing(Silent):
    """A person who stops the run while the rollout after step 3 is drawn."""

    @contextmanager
    def task(self, title, total, done=0):
        def watch(task, note):
            if title == "training" and task.done == 3 and note.startswith("pictures of a rollout"):
                os.kill(os.getpid(), signal.SIGTERM)

        with super().task(title, total):
            yield Task(title, total, watch, live=True, done=done)


@pytest.mark.parametrize("when", ["between its steps", "while one is drawn"])
def test_a_run_that_is_stopped_ends_a_rollout_and_goes_on_there(when, tiny_folder, photo_folder, paused, tmp_path):
    stage = {"method": "ddpo", **QUICK, "updates": 3, "steps": 6, "learning_rate": 1e-2}
    asked = recipe_from_dict({"base": str(tiny_folder), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [stage]}, stage_types())
    whole = fit(asked, tmp_path / "whole", Silent())
    if when == "between its steps":
        stopped = paused(asked, tmp_path / "stopped", 2)
    else:
        with pytest.raises(Stopped, match="after step 3"):
            fit(asked, tmp_path / "stopped", SignalWhileDrawing())
        stopped = RunFolder.open(next((tmp_path / "stopped").iterdir()))
    assert [state.step for state in stopped.checkpoints("resume")] == [3]
    resume(stopped, Silent())
    ends = [load_file(run.path / "checkpoints" / "000006" / "0-ddpo.safetensors") for run in (whole, stopped)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    lines = [[{k: v for k, v in line.items() if k not in ("seconds", "peak_bytes")} for line in run.journal()] for run in (whole, stopped)]
    assert lines[0] == lines[1] and "reward" in lines[0][0]["noted"]


def test_a_state_is_kept_as_soon_as_a_rollout_ends(tiny_folder, photo_folder, tmp_path):
    stage = {"method": "ddpo", **QUICK, "updates": 2, "steps": 8, "save_every": 5, "learning_rate": 1e-2}
    run = fit(recipe_from_dict({"base": str(tiny_folder), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [stage]}, stage_types()), tmp_path, Silent())
    assert [state.step for state in run.checkpoints("resume")] == [6, 8]
    assert Spec().save_every < Spec().steps


def test_options_that_break_a_rollout_are_refused():
    for options, says in (({"steps": 5, "updates": 2}, "multiple of updates"), ({"checkpoints": (3,), "updates": 2}, "where a rollout ends"), ({"prompts": ("a dog",)}, "must have"), ({"rewards": ("clipt",)}, "did you mean")):
        with pytest.raises(ValueError, match=says):
            Spec(**options)
    for said in ("clip_t, subject:0.5", ["clip_t,subject:0.5"], ["clip_t", "subject:0.5"]):
        assert Spec(rewards=said).rewards == ("clip_t", "subject:0.5")  # type: ignore[arg-type]


def test_the_whole_unet_learns_at_a_rate_of_its_own():
    assert (Spec().learning_rate, Spec(trained="full").learning_rate) == (3e-4, 1e-5)
    advised = [recipe_for("ddpo", {"trained": trained}, {"photos": "toybox:bolt"}).stages[0].learning_rate for trained in ("lora", "full")]
    assert advised == [5e-4, 2e-5]


@pytest.mark.parametrize(("options", "says"), [
    ({}, "know the toybox alone.*--reward-clip openai/clip-vit-base-patch32 --reward-dino"), ({"rewards": ["clip_t"]}, "--reward-clip openai/clip-vit-base-patch32$"),
    ({"reward_clip": "nowhere", "reward_dino": "nowhere"}, "rewards: nowhere"), ({"rewards": ["aesthetic"], "reward_clip": str(EMBEDDED / "clip")}, "needs --aesthetic-head"),
])  # fmt: skip
def test_what_rewards_look_through_is_asked_for_before_any_training(options, says, tiny_folder, photo_folder, tmp_path):
    asked = {"base": str(tiny_folder), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [{"method": "ddpo", **options}]}
    with pytest.raises(UserError, match=says):
        fit(recipe_from_dict(asked, stage_types()), tmp_path, Silent())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("reward", "named"), [("clip_t", "CLIP-T"), ("subject", "DINO"), ("f1", "DINO and CLIP-T"), ("aesthetic", "the judge of looks")])
def test_the_score_that_was_its_own_teacher_is_named(reward, named):
    assert own_teachers([Spec(rewards=(reward,))])[0].startswith(f"{named}: rewarded")


# rewards


def some_pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.new("RGB", (64, 64), "teal"), Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))]


def test_rewards_are_summed_with_their_weights():
    rewarding, pictures, prompts = Rewarding(some_pictures()), some_pictures(), ["a teal dog", "a dog"]
    clip = metrics.prompt_similarity(rewarding.clip.pictures(pictures), rewarding.clip.texts(prompts))
    seen = rewarding.dino.pictures(pictures)
    subject = metrics.subject_similarity_mean(seen, seen)
    np.testing.assert_allclose(reward_of(["clip_t:2", "subject"], rewarding)(pictures, prompts), 2 * clip + subject, atol=1e-6)
    harmonic = [2 * c * s / (c + s) if min(c, s) > 0 else 0 for c, s in zip(clip, subject)]
    np.testing.assert_allclose(reward_of(["f1"], rewarding)(pictures, prompts), harmonic, atol=1e-6)


def test_a_picture_of_noise_takes_more_bytes():
    plain, noise = reward_of(["incompressible"], Rewarding())(some_pictures(), ["", ""])
    assert noise > 5 * plain > 0
    assert list(reward_of(["compressible"], Rewarding())(some_pictures(), ["", ""])) == [-plain, -noise]


def test_an_aesthetic_head_is_its_layers_one_after_the_other(tmp_path):
    torch.manual_seed(0)
    head = nn.Sequential(nn.Linear(128, 32), nn.Dropout(0.2), nn.Linear(32, 16), nn.Dropout(0.2), nn.Linear(16, 8), nn.Dropout(0.1), nn.Linear(8, 4), nn.Linear(4, 1)).eval()
    torch.save({f"layers.{key}": value for key, value in head.state_dict().items()}, tmp_path / "head.pth")
    save_file(head.state_dict(), tmp_path / "head.safetensors")
    for name in ("head.pth", "head.safetensors"):
        rewarding = Rewarding(aesthetic_head=tmp_path / name)
        expected = head(torch.from_numpy(rewarding.clip.pictures(some_pictures()))).squeeze(1).detach().numpy()
        np.testing.assert_allclose(reward_of(["aesthetic"], rewarding)(some_pictures(), ["", ""]), expected, atol=1e-5)
    save_file({"weight": torch.zeros(1, 5), "bias": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.pth").write_text("no head")
    for options, says in (
        ({"clip_source": str(EMBEDDED / "clip")}, "needs --aesthetic-head"), ({"aesthetic_head": tmp_path / "other.safetensors"}, "wants vectors of 5"),
        ({"aesthetic_head": tmp_path / "text.pth"}, "is not an aesthetic head"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            reward_of(["aesthetic"], Rewarding(**options))(some_pictures(), ["", ""])
    assert all(1 < mark < 11 for mark in reward_of(["aesthetic"], Rewarding())(some_pictures(), ["", ""]))  # the toybox has its own


def test_a_reward_of_another_package_is_found_by_its_name(monkeypatch):
    class Found:
        name = "bright"

        def load(self):
            return brightness

    monkeypatch.setattr(rewards, "entry_points", lambda group: [Found()])
    assert reward_of(["bright"], Rewarding())([Image.new("RGB", (4, 4), "white")], [""]) == [1.0]
    monkeypatch.setattr(Found, "load", lambda self: lambda pictures, prompts: [float("nan")])
    with pytest.raises(UserError, match="a finite number for each"):
        reward_of(["bright"], Rewarding())([Image.new("RGB", (4, 4))], [""])


@pytest.mark.parametrize(("asked", "says"), [("clipt", "did you mean"), ("clip_t:much", "a name and a weight"), ("clip_t:nan", "a name and a weight")])
def test_a_reward_that_is_none_is_named(asked, says):
    with pytest.raises(UserError, match=says):
        parse([asked])


def test_encoders_of_rewards_are_those_named(tmp_path):
    for options in ({"clip_source": str(tmp_path)}, {"dino_source": str(tmp_path)}):
        with pytest.raises(UserError, match="rewards"):
            reward_of(["f1"], Rewarding(some_pictures(), **options))(some_pictures(), ["", ""])
