"""Several runs on one page: what is compared equals a computation by hand, what does not compare is said, and no text of a run can act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from likeness.evaluation.statistics import f1, paired_difference
from likeness.files.errors import UserError
from likeness.report.comparison import contenders_of, groups_of
from likeness.report.comparison_page import write_comparison
from likeness.report.page import write_report
from likeness.report.reading import read_run

from .conftest import HOSTILE, Page, drawn, estimate, write_lines

PROMPTS = [f"a dog in place {n}" for n in range(6)]


def made(folder: Path, likeness: float, obedience: float, photo: str = "teal", steps: tuple[int, ...] = (100,), prompts: list[str] = PROMPTS, **about: Any) -> Path:
    """A scored run: each checkpoint drew every prompt with two seeds; scores scatter around the means."""
    chance = np.random.default_rng(sum(folder.name.encode()))
    (folder / "photos").mkdir(parents=True)
    (folder / "pictures").mkdir()
    Image.new("RGB", (64, 64), photo).save(folder / "photos" / "00.png")
    index, each = [], []
    for step in steps:
        for number, (prompt, seed) in enumerate((prompt, seed) for prompt in prompts for seed in (0, 1)):
            file = f"{step}-{number}.png"
            Image.new("RGB", (16, 16), (step % 250, number, 99)).save(folder / "pictures" / file)
            index.append(drawn(file, prompt.replace("dog", "sks dog"), seed, class_prompt=prompt, model="personalized", checkpoint=step))
            scores = {"dino": likeness + 0.01 * chance.normal(), "clip_t_class": obedience + 0.01 * chance.normal()}
            each.append({"file": file, "step": step, "prompt": prompt, "seed": seed, **scores})
    write_lines(folder / "pictures" / "index.jsonl", index)
    write_lines(folder / "journal.jsonl", [{"step": n, "losses": {"denoising": 1 / n}, "learning_rates": [1e-4]} for n in range(1, 9)])
    rows = [{"name": "personalized", "scores": {"dino": estimate(likeness)}}]
    (folder / "scores.json").write_text(json.dumps({"encoders": {"dino": "tiny"}, "rows": rows, "each": each}))
    (folder / "run.json").write_text(json.dumps({"status": "finished", "seconds": 61, "base_hash": "b", "recipe": {"stages": [{"rank": 4}]}, **about}))
    return folder


def group(*runs: Path):
    groups, remarks = groups_of(contenders_of([read_run(run) for run in runs]))
    return groups, " ".join(remarks)


def test_a_difference_is_that_of_the_pictures_of_equal_prompt_and_seed(tmp_path: Path):
    first, second = made(tmp_path / "one", 0.7, 0.25), made(tmp_path / "two", 0.6, 0.25, prompts=PROMPTS[:4])
    ((found,),) = [g.differences for g in group(first, second)[0]]
    lines = [[line for line in json.loads((run / "scores.json").read_text())["each"] if line["prompt"] in PROMPTS[:4]] for run in (first, second)]
    columns = [{name: np.array([line[name] for line in of_run]) for name in ("dino", "clip_t_class")} for of_run in lines]
    assert found.pictures == 8
    assert found.measures["subject"] == paired_difference(columns[0]["dino"], columns[1]["dino"], [line["prompt"] for line in lines[0]])
    by_hand = f1(columns[0]["clip_t_class"].mean(), columns[0]["dino"].mean()) - f1(columns[1]["clip_t_class"].mean(), columns[1]["dino"].mean())
    assert found.measures["f1"].value == pytest.approx(by_hand, abs=1e-12)


def test_a_winner_is_named_only_where_the_interval_allows_it(tmp_path: Path):
    runs = [made(tmp_path / "near", 0.7, 0.25), made(tmp_path / "nearly", 0.7, 0.25), made(tmp_path / "far", 0.5, 0.25)]
    _, likeness, obedience = group(*runs)[0][0].verdicts
    assert "far by" in likeness and "no clear winner over near" in likeness and likeness.index("near") < likeness.index("far by")
    assert obedience == "Obedience to the prompt (CLIP-T): no clear winner."


def test_runs_of_other_photos_are_not_compared(tmp_path: Path):
    groups, remarks = group(made(tmp_path / "dog", 0.7, 0.25), made(tmp_path / "cat", 0.6, 0.25, photo="red"))
    assert [g.differences for g in groups] == [[], []] and "Different photos, so different subjects: dog; cat" in remarks
    text = Page(write_comparison([tmp_path / "dog", tmp_path / "cat"], tmp_path / "out")).text
    assert "Nothing can be said of these runs against each other" in text and (tmp_path / "out" / "grid-2.png").exists()


def test_what_does_not_compare_is_said_with_what_to_do(tmp_path: Path):
    runs = [made(tmp_path / name, 0.7, 0.25, base_hash=name) for name in ("a", "b", "c")]
    scores = json.loads((runs[1] / "scores.json").read_text())
    (runs[1] / "scores.json").write_text(json.dumps(scores | {"encoders": {"dino": "another"}}))
    (runs[2] / "scores.json").unlink()
    elsewhere = made(tmp_path / "d", 0.7, 0.25, prompts=["a dog in space"])
    (found,), remarks = group(*runs, elsewhere)
    assert not found.differences
    for words in ("b: scored with other encoders than a", "c: no picture of it is scored", "a and d: no picture of the same prompt and seed", "different bases"):
        assert words in remarks


def test_the_page_shows_every_part(tmp_path: Path):
    facts = {"trains": "rank-8 adapters", "several_subjects": "together, added"}
    runs = [made(tmp_path / "lora-20261125-101112", 0.7, 0.25, steps=(50, 100), **facts), made(tmp_path / "word-20261125-101112", 0.6, 0.27, steps=(40, 80))]
    for run in runs:
        write_lines(run / "photos.jsonl", [{"name": "me.jpg", "sha256": "abcdef0123456789", "used": True}])
    report = write_comparison(runs, tmp_path / "out")
    page = Page(report)
    for words in ("lora is higher than word by", "a dog in place 3", "1 min 1 s", "lora less word", "loss: denoising", "learning rate", "abcdef012345", "Likeness against obedience", *facts.values()):
        assert words in page.text, words
    assert "me.jpg" not in page.text and report.stat().st_size < 3_000_000
    assert all((image["src"] or "").startswith("data:image/") and image["alt"] for image in page.images())
    assert str(report.read_text()).count('class="point') == 4
    with Image.open(tmp_path / "out" / "grid.png") as sheet:
        assert sheet.info["Software"] and sheet.height > 12 * 128


def test_no_text_of_a_run_can_act_and_one_known_script_may(tmp_path: Path):
    runs = [made(tmp_path / "a", 0.7, 0.25, status=HOSTILE, trains=HOSTILE, recipe={HOSTILE: HOSTILE}), made(tmp_path / "<img src=x>", 0.6, 0.25, prompts=[HOSTILE])]
    write_lines(runs[0] / "pictures" / "index.jsonl", [drawn("100-0.png", HOSTILE, class_prompt=HOSTILE, model="personalized")])
    (runs[0] / "recipe.toml").write_text("</pre><script>alert(1)</script>")
    page = Page(report := write_comparison(runs, tmp_path / "out"))
    assert [tag for tag, _ in page.tags].count("script") == 1
    script = re.search(r"<script>(.*)</script>", report.read_text(encoding="utf-8"), re.DOTALL)
    policy = next(str(a["content"]) for tag, a in page.tags if tag == "meta" and "Policy" in str(a.get("http-equiv")))
    assert script and base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode() in policy and "unsafe-inline" not in policy.partition("script-src")[2]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert not [a for a in page.images() if not (a["src"] or "").startswith("data:")]


def test_a_comparison_takes_different_runs_and_overwrites_none(tmp_path: Path):
    runs = [made(tmp_path / "a", 0.7, 0.25), made(tmp_path / "b", 0.6, 0.25)]
    for wrong in (runs[:1], [runs[0], runs[0]]):
        with pytest.raises(UserError, match="two to 8 different runs"):
            write_comparison(wrong, tmp_path / "out")
    with pytest.raises(UserError, match="is a run"):
        write_comparison(runs, runs[0])


def test_a_run_cut_short_has_its_place_on_the_page(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    page = Page(write_comparison([made(tmp_path / "a", 0.7, 0.25), tmp_path / "empty"], tmp_path / "out"))
    assert "recipe.toml is missing" in page.text and "a" in page.text


def test_names_are_told_apart_and_none_is_taken_for_a_bound(tmp_path: Path):
    """Of runs of floor lamps: nothing but scores.json has bounds. And two folders of one name are two runs."""
    runs = [made(tmp_path / "here" / "floor-lamp-lora", 0.7, 0.25), made(tmp_path / "there" / "floor-lamp-lora", 0.5, 0.25)]
    assert [c.name for c in contenders_of([read_run(run) for run in runs])] == ["floor-lamp-lora (1)", "floor-lamp-lora (2)"]
    text = write_comparison(runs, tmp_path / "out").read_text()
    (label,) = re.findall(r'aria-label="(dino: [^"]*)"', text)
    assert "floor-lamp-lora (1) 0.7" in label and "floor-lamp-lora (2) 0.5" in label and "floor 0" not in label


def test_runs_are_compared_by_the_encoders_of_the_comparison_alone(tmp_path: Path):
    """One was also scored by a DINOv2: likeness and obedience compare, and what that one alone scored is left out."""
    runs = [made(tmp_path / name, likeness, 0.25) for name, likeness in (("plain", 0.7), ("more", 0.5))]
    scores = json.loads((runs[1] / "scores.json").read_text())
    scores["encoders"]["dinov2"] = "large"
    scores["rows"][0]["scores"]["dinov2"] = estimate(0.9)
    (runs[1] / "scores.json").write_text(json.dumps(scores))
    groups, remarks = group(*runs)
    assert len(groups[0].differences) == 1 and "other encoders" not in remarks
    assert "DINOv2" not in Page(write_comparison(runs, tmp_path / "out")).text


def test_scores_of_another_checkpoint_than_the_pictures_are_said_to_be(tmp_path: Path):
    runs = [made(tmp_path / name, 0.7, 0.25) for name in ("a", "b")]
    later = drawn("later.png", "a sks dog in place 0", 0, class_prompt=PROMPTS[0], model="personalized", checkpoint=250)
    index = runs[0] / "pictures" / "index.jsonl"
    index.write_text(index.read_text().rstrip("\n") + "\n" + json.dumps(later) + "\n")
    Image.new("RGB", (16, 16)).save(runs[0] / "pictures" / "later.png")
    assert "a: scored after 100 steps, and its pictures here are of 250." in group(*runs)[1]
    assert "Scores are of the checkpoint after 100 steps, the pictures below of the one after 250." in Page(write_report(runs[0])).text
    assert "Scores are of" not in Page(write_report(runs[1])).text


def test_no_folder_of_this_machine_is_on_the_page(tmp_path: Path):
    runs = [made(tmp_path / name, 0.7, 0.25, recipe={"stages": [{"upscaler": f"/home/mary/{name}"}], "settle": {"clip": f"/home/mary/clip-{name}"}}) for name in ("a", "b")]
    text = write_comparison(runs, tmp_path / "out").read_text()
    assert "clip-b" in text and "/home" not in text
