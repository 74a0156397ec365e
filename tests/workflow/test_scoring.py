"""Scores of pictures whose scores are known: planted in runs as if they had been drawn."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.evaluation import metrics
from likeness.evaluation.statistics import relative_change
from likeness.files.picture import Settings
from likeness.files.prompts import said
from likeness.files.run_folder import RunFolder
from likeness.workflow import evaluating
from likeness.workflow.drifting import drift_rows
from likeness.workflow.evaluating import evaluate
from likeness.workflow.fitting import fit
from likeness.workflow.generating import CLASS_PICTURES, generate
from likeness.workflow.looking import Asked, References, look, open_judges, read
from likeness.workflow.photos import gather
from likeness.workflow.progress import Silent
from likeness.workflow.recipes import recipe_for
from likeness.workflow.scoring import counts_of, photos_against_photos, scores_of
from likeness.workflow.truth import WorldScores, bounds, bounds_remarks, candidates_for, true_pictures
from likeness.world.drawing import draw
from likeness.world.scene import COLOURS
from likeness.world.subjects import DISTRACTORS, OPEN_SUBJECTS, SUBJECTS, distractors, known_prompts, lookalikes, photo_scenes, photos_of, prompts_for

BISCUIT = SUBJECTS["biscuit"]
TRUE_COSINE = 0.361  # of two such vectors in the long run
SETTINGS = Settings(prompt="", steps=1, sampler="DDIM", guidance_scale=1.0, seed=0, model="toybox", width=64, height=64)


@pytest.fixture(scope="module")
def judges():
    return open_judges("toybox")


@pytest.fixture(scope="module")
def references(judges):
    return References.of([draw(scene, 64) for scene in photos_of(BISCUIT)], judges)


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> RunFolder:
    """A run that was trained for one step and drew nothing."""
    options = {"steps": 1, "batch_size": 1, "vectors": 1}
    return fit(recipe_for("textual_inversion", options, subject={"photos": "toybox:biscuit"}, seed=0), tmp_path_factory.mktemp("runs"), Silent())


def planted(run: RunFolder, image: Image.Image, prompt: str, seed: int, model: str, shelf="pictures", **more) -> None:
    labels = {"model": model, "class_prompt": prompt, "checkpoint": 0 if model == "base" else 1, **more}
    run.add_picture(image, SETTINGS.model_copy(update={"prompt": prompt, "seed": seed}), labels, shelf)


def truth(prompt, seed: int, appearance=BISCUIT.appearance) -> Image.Image:
    return draw(prompt.scene(appearance, seed), 64)


def test_a_run_has_every_score_that_its_pictures_have(bare, judges):
    """Against the base, by application, and counted: each equal to what its pictures say by hand."""
    prompts = {p.kind: p for p in prompts_for("dog")}
    chosen = [prompts_for("dog")[0], prompts_for("dog")[1], prompts["accessory"], prompts["viewpoint"]]
    said = {p: p.template.format("dog") for p in chosen}
    for p in chosen:
        for seed in range(2):
            planted(bare, truth(p, seed), said[p], seed, "personalized")
            planted(bare, truth(p, seed, SUBJECTS["pepper"].appearance), said[p], seed, "base")
    planted(bare, Image.new("RGB", (64, 64)), said[chosen[0]], 2, "personalized")
    copy = bare.photos()[0]
    planted(bare, copy.image, said[chosen[1]], 2, "personalized")
    found = evaluate(bare, Silent())
    rows = {row["name"]: row["scores"] for row in found["rows"]}
    pictures = {kind: [p for p in bare.pictures() if p.labels["model"] == kind] for kind in ("personalized", "base")}
    vectors = {kind: judges.dino.pictures([Image.open(p.path) for p in of]) for kind, of in pictures.items()}
    shown = {kind: judges.clip.pictures([Image.open(p.path) for p in of]) for kind, of in pictures.items()}
    key = {kind: [(p.labels["class_prompt"], p.settings.seed) for p in of] for kind, of in pictures.items()}
    pairs = [(key["personalized"].index(each), n) for n, each in enumerate(key["base"])]
    mine, theirs = [n for n, _ in pairs], [m for _, m in pairs]
    assert rows["personalized"]["dino_base"]["value"] == pytest.approx((vectors["personalized"][mine] * vectors["base"][theirs]).sum(1).mean(), abs=1e-5)
    assert rows["personalized"]["clip_i_base"]["value"] == pytest.approx((shown["personalized"][mine] * shown["base"][theirs]).sum(1).mean(), abs=1e-5)
    texts = judges.clip.texts([key["base"][n][0] for n in theirs])
    change = relative_change((shown["personalized"][mine] * texts).sum(1), (shown["base"][theirs] * texts).sum(1))
    assert rows["personalized"]["clip_t_change"]["value"] == pytest.approx(change.value, abs=1e-5) and "clip_t_change" not in rows["base"]
    worn = [n for n, each in enumerate(key["personalized"]) if each[0] == said[prompts["accessory"]]]
    photos = judges.dino.pictures([p.image for p in bare.photos() if p.image])
    assert rows["personalized, accessory"]["dino"]["value"] == pytest.approx((vectors["personalized"][worn] @ photos.T).mean(), abs=1e-5)
    assert rows["base, viewpoint"]["clip_t"]["n"] == 1 and rows["personalized, recontextualization"]["dino"]["n"] == 2
    assert found["counts"]["personalized"] == {"pictures": 10, "black": 1, "constant": 0, "copies": {pictures["personalized"][9].path.name: "photo 1"}}
    assert len(found["each"]) == 10 and {"dino", "dino_max", "clip_i", "clip_i_max", "clip_t", "clip_t_class"} < set(found["each"][0])
    assert all(name.partition("_sd")[0] in {n.partition("_sd")[0] for n in found["measured"]} for name in rows["personalized"] if name not in ("named", "placed"))


def test_photos_of_others_are_as_large_as_the_subjects_own(tmp_path, monkeypatch):
    """However large its pictures were drawn: photos of 128 pixels beside its 64 would be the sharper ones, as the pictures are."""
    run = fit(recipe_for("textual_inversion", {"steps": 1, "batch_size": 1, "vectors": 1}, subject={"photos": "toybox:biscuit"}, seed=0), tmp_path, Silent())
    prompt = said(prompts_for("dog")[0].template, "dog")
    run.add_picture(draw(prompts_for("dog")[0].scene(BISCUIT.appearance, 0), 128), SETTINGS.model_copy(update={"prompt": prompt, "width": 128, "height": 128}), {"model": "personalized", "class_prompt": prompt, "checkpoint": 1})
    sizes = []

    def candidates(*arguments):
        sizes.append(arguments[3])
        return candidates_for(*arguments)

    monkeypatch.setattr(evaluating, "candidates_for", candidates)
    evaluate(run, Silent())
    assert sizes == [64]


def test_the_distance_of_a_run_is_the_mean_over_its_pairs(judges, references):
    """Through batches, threads and sums: the same as pair by pair."""
    prompts = prompts_for("dog")[:2]
    asked = [Asked("", p.template.format("dog"), "", seed) for seed in range(3) for p in prompts]
    images = [truth(p, seed) for seed in range(3) for p in prompts]
    found = scores_of(look(asked, images, judges), judges, references)["perceptual"]["value"]
    _, maps = judges.dino.embed_with_maps(judges.dino.pixels(images))
    pairs = [(i, j) for i in range(6) for j in range(6) if i < j and (j - i) % 2 == 0]
    cosines = [np.mean([float((a[i] * a[j]).sum(0).div(a[i].norm(dim=0) * a[j].norm(dim=0)).nan_to_num().mean()) for a in maps]) for i, j in pairs]
    assert found == pytest.approx(1 - np.mean(cosines), abs=1e-3)  # a place where nothing fires is at no distance here, at one by the cosine


def test_pictures_are_not_held_decoded(judges, tmp_path, monkeypatch):
    """However many are scored: where one is read, the one before may be there still, and no other."""
    held: list[weakref.ref] = []

    def only(path: Path) -> Image.Image:
        assert sum(one() is not None for one in held) <= 1
        held.append(weakref.ref(image := read(path)))
        return image

    draw(photos_of(BISCUIT)[0], 64).save(tmp_path / "0.png")
    monkeypatch.setattr("likeness.workflow.looking.read", only)
    look([Asked("", "a dog", "", n) for n in range(40)], [tmp_path / "0.png"] * 40, judges)
    assert len(held) == 40


def test_a_text_is_read_once(monkeypatch):
    """Whatever number of rows asks for it, and its vector is what CLIP says."""
    judges, told = open_judges("toybox"), []
    texts = ["a dog", "a cat", "a dog"]
    expected = judges.clip.texts(["a dog", "a cat"])[[0, 1, 0]]
    read_by_clip = judges.clip.texts
    monkeypatch.setattr(judges.clip, "texts", lambda asked: told.append(asked) or read_by_clip(asked))
    assert np.array_equal(judges.texts(texts), expected) and np.array_equal(judges.texts(texts), expected)
    assert told == [("a dog", "a cat")]


def test_a_subject_that_takes_on_its_place_is_more_entangled_than_a_true_one(judges, references):
    """Seven scenes; the planted subject has another colour in each, whatever the seed."""
    prompts = [p for p in prompts_for("dog") if p.kind == "recontextualization"][:7]
    asked = [Asked("", p.template.format("dog"), "", seed) for p in prompts for seed in range(3)]
    tainted = [replace(BISCUIT.appearance, colour=colour) for colour in list(COLOURS)[:7]]
    found = {}
    for name, people in (("true", [BISCUIT.appearance] * 7), ("tainted", tainted)):
        images = [truth(p, seed, one) for p, one in zip(prompts, people) for seed in range(3)]
        found[name] = scores_of(look(asked, images, judges), judges, references)["entanglement"]
    assert found["tainted"]["low"] > found["true"]["high"]


def test_drift_is_nothing_where_nothing_moved_and_pres_sees_the_subject_in_the_class(bare, judges, references):
    others = [s.appearance for s in OPEN_SUBJECTS if s.class_noun == "dog" and s.name != "biscuit"]
    for seed in range(8):
        for model in ("personalized", "base"):
            planted(bare, draw(photo_scenes(SUBJECTS["mimi"].appearance, 1, seed)[0], 64), "a photo of a cat", seed, model, "drift", about="unrelated")
        leaked = draw(photo_scenes(BISCUIT.appearance, 1, seed)[0], 64)
        planted(bare, leaked, "a photo of a dog", seed, "personalized", "drift", about="class")
        planted(bare, draw(photo_scenes(others[seed % 2], 1, seed)[0], 64), "a photo of a dog", seed, "base", "drift", about="class")
    rows = {row["name"]: row["scores"] for row in drift_rows(bare.pictures("drift"), judges, references, "dog")}
    assert rows["other things"]["drift"]["value"] == pytest.approx(0, abs=1e-6) and rows["other things"]["clip_t_change"]["value"] == pytest.approx(0, abs=1e-6)
    assert rows["the class alone"]["pres"]["low"] > rows["the class alone, by the base"]["pres"]["high"]
    vectors = judges.dino.pictures([Image.open(p.path) for p in bare.pictures("drift") if p.labels["about"] == "class" and p.labels["model"] == "personalized"])
    assert rows["the class alone"]["pres"]["value"] == pytest.approx((vectors @ references.dino.T).mean(), abs=1e-5)
    assert rows["the class alone"]["diversity"]["value"] == pytest.approx(metrics.diversity(vectors), abs=1e-5)
    assert {"realism", "pres"} <= set(rows["the class alone, true pictures"])


def test_noise_is_less_real_than_true_pictures_of_the_class(judges, references, tmp_path):
    run = RunFolder.create(tmp_path, "noise")
    for seed in range(4):
        planted(run, Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "a photo of a dog", seed, "personalized", "drift", about="class")
    rows = {row["name"]: row["scores"] for row in drift_rows(run.pictures("drift"), judges, references, "dog")}
    assert rows["the class alone"]["realism"]["high"] < rows["the class alone, true pictures"]["realism"]["low"]
    assert "realism" not in {name for row in drift_rows(run.pictures("drift"), judges, references, None) for name in row["scores"]}


def test_drift_is_drawn_by_run_and_base_from_the_same_noise_on_a_shelf_of_its_own(quick_recipe, tmp_path):
    run = fit(quick_recipe(steps=1), tmp_path, Silent())
    written = generate(run, (), [0], Silent(), steps=1, drift=True)
    saved = run.pictures("drift")
    assert run.pictures() == [] and len(saved) == len(written) == 2 * (11 + CLASS_PICTURES)
    keys = {model: {(p.labels["class_prompt"], p.settings.seed) for p in saved if p.labels["model"] == model} for model in ("personalized", "base")}
    assert keys["personalized"] == keys["base"] and ("a photo of a dog", CLASS_PICTURES - 1) in keys["base"]
    assert generate(run, (), [0], Silent(), steps=1, drift=True) == []


def test_a_person_can_be_asked_for_an_expression_and_shown_it():
    smiling = next(p for p in known_prompts("person") if p.template == "a smiling {}")
    assert smiling.scene(SUBJECTS["nora"].appearance, 0).objects[0].expression == "smiling" and smiling not in prompts_for("person")
    assert not any(p.kind == "expression" for p in known_prompts("dog"))


def test_counting_copies_needs_no_photo_and_no_picture(judges):
    assert counts_of(look([], [], judges), [])["copies"] == {}


def test_bounds_are_of_prompts_that_the_world_can_draw(judges, references):
    world = WorldScores(BISCUIT, candidates_for(BISCUIT, judges, references.dino), judges)
    known, unknown = {"a dog in the snow", "a dog in the jungle"}, {"a dog playing chess"}
    rows = [{row["name"]: row["scores"] for row in bounds(world, asked, judges, references, {})} for asked in (known, known | unknown, unknown)]
    floor, ceiling, _ = rows[0]
    assert rows[0] == rows[1] and bounds_remarks(world, known) == [] and "2 of the 3 prompts" in bounds_remarks(world, known | unknown)[0]
    assert "clip_t_class" in rows[0][ceiling] and not {"clip_t_class", "diversity", "entanglement", "placed"} & rows[2][floor].keys() and "dino" in rows[2][ceiling]
    assert "none of these prompts" in bounds_remarks(world, unknown)[0]


def test_no_deviation_is_told_of_one(judges, references):
    """Over seeds of one seed, over prompts of one prompt: not 0 but unknown."""
    prompts = [p.template.format("dog") for p in prompts_for("dog")[:2]]
    images = [truth(p, 0) for p in prompts_for("dog")[:2]]
    told = [{name for name in scores_of(look([Asked("", prompt, "", 0) for prompt in of], images, judges), judges, references) if name.startswith("dino_sd")}
            for of in (prompts, prompts[:1] * 2)]  # fmt: skip
    assert told == [{"dino_sd", "dino_sd_prompts"}, {"dino_sd", "dino_sd_seeds"}]


def test_drift_of_another_checkpoint_is_said(tmp_path):
    """Its rows stand there all the same."""
    options = {"steps": 1, "batch_size": 1, "vectors": 1}
    run = fit(recipe_for("textual_inversion", options, subject={"photos": "toybox:biscuit"}, seed=0), tmp_path, Silent())
    prompt = prompts_for("dog")[0]
    for seed, (model, shelf, more) in enumerate([("personalized", "pictures", {}), ("personalized", "drift", {"checkpoint": 2}), ("base", "drift", {})]):
        said = prompt.template.format("dog")
        planted(run, truth(prompt, seed), said, 0, model, shelf, **({"about": "unrelated"} if shelf == "drift" else {}), **more)
    found = evaluate(run, Silent())
    assert "other things" in {row["name"] for row in found["rows"]}
    assert any("What drifted is said of checkpoint 2, all else of 1." in remark for remark in found["remarks"])


@pytest.mark.parametrize("n", [3, 5, 10])
def test_photos_against_photos_cover_what_they_estimate(n):
    """A photo is in the means of all others too: means of rows, resampled as if each were its own, cover the truth in two of three."""
    chance, covered = np.random.default_rng(0), 0
    for _ in range(400):
        vectors = np.concatenate([np.full((n, 1), 2.0), chance.normal(size=(n, 8))], axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = photos_against_photos(References(vectors, vectors))[0]["scores"]["dino"]
        each = [(vectors @ vectors[k])[np.arange(n) != k].mean() for k in range(n)]
        assert found["value"] == pytest.approx(np.mean(each)) and found["n"] == n
        covered += found["low"] <= TRUE_COSINE <= found["high"]
    assert 0.9 <= covered / 400 <= 0.99


def test_two_photos_have_no_interval(references):
    two = photos_against_photos(References(references.dino[:2], references.clip[:2]))[0]["scores"]["dino"]
    assert two["value"] == pytest.approx(float(references.dino[0] @ references.dino[1]), abs=1e-6) and two["low"] is None


def test_a_floor_is_of_many_and_of_none_who_stands_in_the_line_up():
    people = lookalikes(BISCUIT, 12)
    assert len({repr(one) for one in people}) == 12 and not set(map(repr, people)) & set(map(repr, distractors(BISCUIT, DISTRACTORS)))
    prompts = [said(p.template, "dog") for p in known_prompts("dog")[:3]]
    pictures, asked = true_pictures("dog", people[:2], prompts, each=2)
    assert asked == [prompt for prompt in prompts for _ in range(2)]
    assert pictures[:2] == true_pictures("dog", people[:1], prompts[:1], each=2)[0]
    assert pictures[4:] == true_pictures("dog", people[:1], prompts[2:], each=2)[0]
    assert pictures[2:4] == true_pictures("dog", people[1:2], prompts[1:2], each=2)[0] != true_pictures("dog", people[:1], prompts[1:2], each=2)[0]


def test_a_toyboxs_photo_is_the_same_at_any_size():
    small, large = (gather("toybox:biscuit", size) for size in (32, 128))
    assert [photo.sha256 for photo in small] == [photo.sha256 for photo in large] and large[0].image and large[0].image.width == 128
