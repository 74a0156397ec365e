"""Runs from recipes: lineage, class pictures that subjects share, and photos of another size than the base's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.files.atomic import read_lines, write_lines
from likeness.files.errors import UserError
from likeness.files.picture import read_settings, save_picture
from likeness.files.recipe import recipe_from_dict, recipe_to_dict
from likeness.files.run_folder import RunFolder
from likeness.methods.dreambooth import DreamBooth
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.report.reading import read_run
from likeness.workflow.branching import branch, stand
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.photos import gather_all
from likeness.workflow.progress import Silent
from likeness.workflow.recipes import recipe_for
from likeness.workflow.stack import put_on, stage_types


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_subjects_of_a_class_share_their_class_pictures(quick_recipe, photo_folder, cache, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(photo_folder / "0.png", other)
    fit(quick_recipe(), tmp_path / "runs", Silent())
    first = {path: path.stat().st_mtime_ns for path in cache.rglob("*.png")}
    fit(quick_recipe(photos=other, class_pictures=12), tmp_path / "runs", Silent())
    second = {path: path.stat().st_mtime_ns for path in cache.rglob("*.png")}
    assert len(second) > len(first) and all(second[path] == time for path, time in first.items())
    fit(quick_recipe(class_noun="cat"), tmp_path / "runs", Silent())
    assert len(list((cache / "class-pictures").iterdir())) == 2


def test_black_class_pictures_are_never_trained_on(quick_recipe, cache, tmp_path):
    """T13."""
    before = fit(quick_recipe(), tmp_path / "runs", Silent())
    for path in cache.rglob("*.png"):
        save_picture(Image.new("RGB", (16, 16)), path)
    after = fit(quick_recipe(), tmp_path / "runs", Silent())
    assert [line["losses"] for line in after.journal()] == [line["losses"] for line in before.journal()]


def test_photos_of_another_size_than_the_bases(quick_recipe, cache, tmp_path):
    """Class pictures follow them."""
    recipe = quick_recipe().model_copy(update={"resolution": 32})
    assert fit(recipe, tmp_path / "runs", Silent()).record().status == "finished"


def test_every_picture_tells_what_draws_it_again(quick_recipe, tiny_folder, cache, tmp_path):
    """Pictures, previews and class pictures, by what is written in each file alone."""
    run = fit(quick_recipe(previews=(3,)), tmp_path / "runs", Silent())
    written = generate(run, ["a {} on the beach", "a {}, \u201cquoted\u201d"], [0, 5], Silent(), steps=3, negative="a cat")
    paths = [*written, *run.previews(), *cache.rglob("*.png")]
    assert len(written) == 8 and len(run.previews()) == 4
    for path in paths:
        told, base = read_settings(path), Base(tiny_folder, "tiny")
        assert told and told.model_hash == base.hash
        if told.checkpoint:
            put_on(base, run.checkpoint(int(told.checkpoint.rpartition("/")[2])))
        again = next(sample(base, [told.prompt], [told.seed], told.steps, told.guidance_scale, told.negative_prompt))
        apart = np.abs(np.asarray(again, np.int16) - np.asarray(Image.open(path), np.int16)).max()
        assert apart <= 1, path  # of 255: a picture's last bits depend on those drawn beside it


def test_what_was_drawn_is_not_drawn_again(quick_recipe, tmp_path):
    run = fit(quick_recipe(), tmp_path / "runs", Silent())
    assert len(generate(run, ["a {}"], [0, 1], Silent(), steps=2)) == 4
    assert len(generate(run, ["a {}"], [0, 1, 2], Silent(), steps=2)) == 2
    assert len(generate(run, ["a {}"], [0], Silent(), steps=3)) == 2


def test_a_child_may_not_end_before_it_begins(quick_recipe, tmp_path):
    run = fit(quick_recipe(steps=3), tmp_path / "runs", Silent())
    for changes in ({}, {"steps": 2}, {"steps": 3}):
        with pytest.raises(UserError, match="has done 3 steps already"):
            branch(run, changes, Silent())
    assert len(list((tmp_path / "runs").iterdir())) == 1


def test_a_child_of_a_paused_run_may_be_shorter_than_it(quick_recipe, paused, tmp_path):
    """Checkpoints and previews that it will not reach are left out."""
    run = paused(quick_recipe(steps=6, checkpoints=(5,), previews=(6,)), tmp_path / "runs", 2)
    child = branch(run, {"steps": 4, "prior_weight": 0.5}, Silent())
    assert [line["step"] for line in child.journal()] == [1, 2, 3, 4]
    changed = child.record().lineage["changed"]  # type: ignore[index]
    assert changed["stages.0.prior_weight"] == [1.0, 0.5] and changed["stages.0.checkpoints"] == [[5], []]


def test_real_pictures_of_the_class_take_the_place_of_drawn_ones(quick_recipe, cache, tmp_path):
    """With their captions, and for resuming, branching and the page as for photos."""
    others = tmp_path / "dogs"
    others.mkdir()
    for n in range(3):
        Image.fromarray(np.random.default_rng(n).integers(0, 255, (16, 16, 3), np.uint8)).save(others / f"{n}.png")
    (others / "0.txt").write_text("a photo of a sleeping dog")
    recipe = quick_recipe(batch_size=3)
    given = recipe.model_copy(update={"subject": recipe.subject.model_copy(update={"class_photos": others})})
    batches: list = []
    with pytest.MonkeyPatch.context() as patch:
        learned = DreamBooth.loss
        patch.setattr(DreamBooth, "loss", lambda self, batch: batches.append(batch) or learned(self, batch))
        run = fit(given, tmp_path / "runs", Silent())
    assert set(batches[0].prior.prompts) == {"a photo of a sleeping dog", "a photo of a dog"}
    assert not list(cache.rglob("*.png"))
    assert len(run.photos(of_class=True)) == 3 and len(read_run(run.path).photos) == len(run.photos())
    shutil.rmtree(others)
    child = branch(run, {"steps": 4}, Silent())
    assert len(child.journal()) == 4 and len(child.photos(of_class=True)) == 3


def test_class_photos_that_nothing_learns_from_are_refused(quick_recipe, photo_folder, tmp_path):
    recipe = quick_recipe(prior_weight=0.0)
    given = recipe.model_copy(update={"subject": recipe.subject.model_copy(update={"class_photos": photo_folder})})
    with pytest.raises(UserError, match="--prior-weight 1"):
        fit(given, tmp_path / "runs", Silent())
    (others := tmp_path / "dogs").mkdir()
    Image.new("RGB", (16, 16), "red").save(others / "0.png")
    content = recipe_to_dict(recipe)
    student = recipe_from_dict({**content, "subject": {**content["subject"], "class_photos": others}, "stages": [{"method": "lcm"}]}, stage_types())
    assert [photo.name for photo in gather_all(student) if photo.of_class] == ["0.png"]  # it learns from them in place of its teacher's pictures


def test_a_style_needs_no_class_noun_and_no_word(tiny_folder, photo_folder, tmp_path):
    """Captions say what is shown; a prompt asks for anything."""
    recipe = recipe_for("lora", {"use_captions": True, "steps": 1}, {"photos": photo_folder}, str(tiny_folder))
    assert recipe.subject.class_noun == "picture"
    with pytest.raises(UserError, match="--class-noun"):
        recipe_for("lora", {"steps": 1}, {"photos": photo_folder}, str(tiny_folder))
    said: list[str] = []
    progress = Silent()
    progress.say = said.append  # type: ignore[method-assign]
    run = fit(recipe, tmp_path, Silent())
    generate(run, ["a cat in the jungle"], [0], progress, steps=1, beside_base=False)
    assert not [line for line in said if "warning" in line]


def test_the_subjects_own_photos_are_no_pictures_of_its_class(quick_recipe, photo_folder, tmp_path):
    recipe = quick_recipe(prior_weight=1.0)
    given = recipe.model_copy(update={"subject": recipe.subject.model_copy(update={"class_photos": photo_folder})})
    with pytest.raises(UserError, match="are the subject's own photos"):
        fit(given, tmp_path, Silent())


def test_a_run_whose_folder_was_renamed_draws_nothing_again(quick_recipe, tmp_path):
    run = fit(quick_recipe(), tmp_path, Silent())
    generate(run, ["a {}"], [0, 1], Silent(), steps=1, beside_base=False)
    renamed = RunFolder.open(run.path.rename(tmp_path / "mine"))
    assert generate(renamed, ["a {}"], [0, 1], Silent(), steps=1, beside_base=False) == [] and len(renamed.pictures()) == 2


def test_a_student_of_few_steps_is_no_base(quick_recipe, tiny_folder, tmp_path):
    student = tmp_path / "student"
    shutil.copytree(tiny_folder, student)
    index = json.loads((student / "model_index.json").read_text())
    (student / "model_index.json").write_text(json.dumps({**index, "scheduler": ["diffusers", "LCMScheduler"]}))
    with pytest.raises(UserError, match="was distilled to draw in few steps"):
        fit(quick_recipe(base=student), tmp_path / "runs", Silent())


def test_what_a_child_could_not_learn_is_found_before_it_is_there(quick_recipe, tmp_path):
    """Captions that are not there, of a run that goes on; and photos, of a stage on a run that has none."""
    run = fit(quick_recipe(), tmp_path, Silent())
    offered = read_lines(run.path / "photos.jsonl")
    write_lines(run.path / "photos.jsonl", [{**line, "caption": None} for line in offered])
    with pytest.raises(UserError, match="has no caption"):
        branch(run, {"steps": 5, "use_captions": True}, Silent())
    write_lines(run.path / "photos.jsonl", [])
    with pytest.raises(UserError, match="has no photos to learn from"):
        stand(run, "lora", {"steps": 1}, Silent())
    assert [path.name for path in tmp_path.iterdir()] == [run.name]
