"""Any folder of pictures is scored: prompts from wherever they are, copies and black pictures named, mistakes said in a line."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from likeness.evaluation import metrics
from likeness.evaluation.loading import EMBEDDED, load_clip, load_dino
from likeness.evaluation.options import Encoders
from likeness.files.errors import UserError
from likeness.files.picture import Settings, save_picture
from likeness.workflow.folders import evaluate_folder
from likeness.workflow.photos import gather
from likeness.workflow.progress import Silent
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, photo_scenes, photos_of

PROMPT = "a dog on the beach"


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Three pictures of biscuit, and its photos."""
    biscuit = SUBJECTS["biscuit"]
    pictures, photos = tmp_path / "pictures", tmp_path / "photos"
    for folder, scenes in ((pictures, photo_scenes(biscuit.appearance, 3, 7)), (photos, photos_of(biscuit))):
        folder.mkdir()
        for n, scene in enumerate(scenes):
            draw(scene, 64).save(folder / f"{n}.png")
    return pictures, photos


def test_a_folder_gets_the_scores_that_its_pictures_have(folders, tmp_path):
    pictures, photos = folders
    (tmp_path / "prompts.txt").write_text("a sks dog in the snow\na sks dog on the beach\na sks dog on the beach\n")
    found = evaluate_folder(pictures, photos, Silent(), prompts=tmp_path / "prompts.txt", called="sks dog", class_noun="dog")
    clip, dino = load_clip(EMBEDDED / "clip"), load_dino(EMBEDDED / "dino")
    images, known = ([Image.open(p) for p in sorted(folder.glob("*.png"))] for folder in folders)
    seen, references = dino.pictures(images), dino.pictures(known)
    scores = found["rows"][0]["scores"]
    assert scores["dino"]["value"] == pytest.approx(metrics.subject_similarity_mean(seen, references).mean())
    assert scores["dino_max"]["value"] == pytest.approx(metrics.subject_similarity_max(seen, references).mean())
    asked = [f"a dog {place}" for place in ("in the snow", "on the beach", "on the beach")]
    shown = clip.pictures(images)
    assert scores["clip_t_class"]["value"] == pytest.approx(metrics.prompt_similarity(shown, clip.texts(asked)).mean())
    assert scores["clip_i"]["value"] == pytest.approx((shown @ clip.pictures(known).T).mean())
    assert scores["diversity"]["value"] == pytest.approx(metrics.diversity(seen[1:]))
    assert found["rows"][1]["name"].startswith("ceiling") and json.loads((pictures / "scores.json").read_text()) == found


def test_prompts_are_found_beside_the_pictures_or_in_them(folders):
    pictures, photos = folders
    for n in range(3):
        settings = Settings(prompt="a dog in the jungle", steps=1, sampler="DDIM", guidance_scale=1, seed=n, width=64, height=64)
        save_picture(Image.open(pictures / f"{n}.png").convert("RGB"), pictures / f"{n}.png", settings)
    clip = load_clip(EMBEDDED / "clip")
    shown = clip.pictures([Image.open(pictures / f"{n}.png") for n in range(3)])
    assert evaluate_folder(pictures, photos, Silent())["rows"][0]["scores"]["clip_t"]["value"] == pytest.approx((shown @ clip.texts(["a dog in the jungle"]).T).mean())
    for n in range(3):
        (pictures / f"{n}.txt").write_text("a cat on a red rug")
    assert evaluate_folder(pictures, photos, Silent())["rows"][0]["scores"]["clip_t"]["value"] == pytest.approx((shown @ clip.texts(["a cat on a red rug"]).T).mean())


def test_without_prompts_likeness_alone_is_scored(folders):
    found = evaluate_folder(*folders, Silent())
    assert set(found["rows"][0]["scores"]) == {"dino", "dino_max", "clip_i", "clip_i_max", "aesthetic"}
    assert any("unknown of 3 pictures" in remark for remark in found["remarks"])


def test_a_planted_copy_a_black_a_flat_and_a_broken_picture_are_counted(folders):
    pictures, photos = folders
    copy = ImageEnhance.Brightness(Image.open(photos / "1.png").convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT)).enhance(0.8)
    copy.resize((96, 96)).save(pictures / "copy.jpg", quality=80)
    Image.new("RGB", (64, 64)).save(pictures / "dark.png")
    Image.new("RGB", (64, 64), "grey").save(pictures / "flat.png")
    Image.fromarray(np.full((64, 64), np.nan, np.float32)).save(pictures / "nan.tiff")
    found = evaluate_folder(pictures, photos, Silent())
    assert found["counts"] == {"pictures": 7, "black": 2, "constant": 1, "copies": {"copy.jpg": "1.png"}}
    assert any("1 of 7 pictures are a photo over again" in remark and "copy.jpg (1.png)" in remark for remark in found["remarks"])
    assert "2 of 7 pictures are black." in found["remarks"] and any(remark.startswith("1 of 7 pictures are one colour") for remark in found["remarks"])


def test_another_picture_in_the_same_place_is_no_copy():
    scene = photos_of(SUBJECTS["biscuit"])[0]
    moved = replace(scene, objects=(replace(scene.objects[0], x=scene.objects[0].x + 0.12, mirrored=not scene.objects[0].mirrored),))
    other = replace(scene, objects=(replace(scene.objects[0], appearance=SUBJECTS["mimi"].appearance),))
    photo = draw(scene, 64)
    assert copies([draw(moved, 64), draw(other, 64), Image.new("RGB", (64, 64), "red")], [photo]) == []
    noise = Image.fromarray((np.asarray(photo, dtype=int) + np.random.default_rng(0).integers(-12, 12, (64, 64, 3))).clip(0, 255).astype(np.uint8))
    assert copies([noise], [photo]) == [(0, 0)]
    assert copies([photo], []) == []


def copies(pictures: list[Image.Image], photos: list[Image.Image]) -> list[tuple[int, int]]:
    return metrics.near_copies(*(np.array([metrics.thumbnail(image) for image in images]) for images in (pictures, photos)))


def test_references_are_whatever_photos_may_be(folders, tmp_path):
    """A zip of them, the toybox's own, and a folder with one that is broken; the numbers are the same."""
    pictures, photos = folders
    whole = evaluate_folder(pictures, photos, Silent())["rows"][0]["scores"]
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as packed:
        for path in photos.iterdir():
            packed.write(path, path.name)
    assert evaluate_folder(pictures, tmp_path / "photos.zip", Silent())["rows"][0]["scores"] == whole
    assert evaluate_folder(pictures, "toybox:biscuit", Silent())["rows"][0]["scores"] == whole
    (photos / "half.png").write_bytes((photos / "0.png").read_bytes()[:100])
    found = evaluate_folder(pictures, photos, Silent())
    assert found["rows"][0]["scores"] == whole and any("half.png" in remark for remark in found["remarks"])


def test_a_picture_of_unknown_prompt_costs_the_others_nothing(folders):
    pictures, photos = folders
    for n in range(2):
        (pictures / f"{n}.txt").write_text(f"a dog in the {('snow', 'jungle')[n]}")
    found = evaluate_folder(pictures, photos, Silent())
    assert found["rows"][0]["scores"]["clip_t"]["n"] == 2
    assert any("unknown of 1 pictures, which are left out" in remark for remark in found["remarks"])


def test_a_picture_of_too_many_pixels_is_named_without_a_warning(folders, tmp_path, recwarn):
    pictures, photos = folders
    Image.new("1", (10_000, 12_000)).save(pictures / "vast.png")
    with pytest.raises(UserError, match="vast.png: is larger than 50 megapixels"):
        evaluate_folder(pictures, photos, Silent())
    assert not recwarn.list


def test_mistakes_are_said_in_a_line(folders, tmp_path, likeness, capsys):
    pictures, photos = folders
    (tmp_path / "two.txt").write_text("a dog\na cat\n")
    for options, says in (
        ({"prompts": tmp_path / "two.txt"}, "has 2 prompts for 3 pictures"), ({"prompts": tmp_path / "none.txt"}, "cannot be read"),
        ({"called": "sks dog"}, "needs --class-noun"), ({"called": "Sks dog", "class_noun": "dog"}, "'Sks dog' is in no prompt"), ({"encoders": Encoders(clip="some/clip")}, "give both encoders"),
        ({"encoders": Encoders(lpips=tmp_path / "nowhere")}, "--lpips .*nowhere: no such file"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            evaluate_folder(pictures, photos, Silent(), **options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no picture"):
        evaluate_folder(tmp_path / "empty", photos, Silent())
    (pictures / "half.png").write_bytes((pictures / "0.png").read_bytes()[:100])
    with pytest.raises(UserError, match="half.png"):
        evaluate_folder(pictures, photos, Silent())
    assert likeness("evaluate", pictures, "--class-noun", "dog") == 2
    assert "give --references" in capsys.readouterr().err


def test_braces_in_prompts_are_the_subject(folders, tmp_path):
    pictures, photos = folders
    for name, text in (("braces.txt", "a {} in the snow"), ("typed.txt", "a dog in the snow")):
        (tmp_path / name).write_text(text + "\n")
    with pytest.raises(UserError, match="Say what it is with --class-noun"):
        evaluate_folder(pictures, photos, Silent(), prompts=tmp_path / "braces.txt")
    found = [evaluate_folder(pictures, photos, Silent(), prompts=tmp_path / name, class_noun="dog")["rows"][0]["scores"] for name in ("braces.txt", "typed.txt")]
    assert all(found[0][score] == found[1][score] for score in ("clip_t_class", "clip_t"))


def test_a_run_is_no_folder_of_pictures(folders, tmp_path):
    """Its sheets would be scored, and the scores of its pictures lost."""
    pictures, photos = folders
    (run := tmp_path / "run").mkdir()
    (run / "run.json").write_text("{}")
    shutil.copyfile(pictures / "0.png", run / "grid.png")
    for asked in ((run, photos), (pictures, run)):
        with pytest.raises(UserError, match="is a run, not a folder of pictures. Its photos lie in"):
            evaluate_folder(*asked, Silent())
    with pytest.raises(UserError, match="is a run, not a folder of pictures"):
        gather(run, 64)
