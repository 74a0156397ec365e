"""The page of a run: what it shows, what it says of missing parts, and that no text of a run can act in it."""

import html
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.evaluation.statistics import Estimate
from likeness.report.facts import commands_of
from likeness.report.page import score_plots, write_report
from likeness.report.reading import read_run

from .conftest import HOSTILE, Page, drawn, estimate, write_lines


def test_page_shows_every_part_and_loads_nothing(run: Path):
    report = write_report(run)
    assert report == run / "report.html" and report.stat().st_size < 3_000_000
    page = Page(report)
    assert len(page.images()) == 2 + 4 + 2
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.images())
    for words in (
        "64% [",
        "another dog",
        "a sks dog on the beach",
        "denoising",
        "tiny-dino",
        "1.00 GiB",
        "2 min 11 s",
        "torch 2.13",
    ):
        assert words in page.text, words
    assert "likeness train --recipe runs/dog-lora/recipe.toml" in page.text
    loading = {"src", "href", "srcset", "action", "data", "xlink:href"}
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in loading and value]
    assert all(link.startswith("data:image/") for link in links)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert "url(" not in report.read_text() and "@import" not in report.read_text()
    assert not list(run.glob("*.part"))


def test_no_text_of_a_run_can_act_in_the_page(run: Path):
    """T35: every place where a run's words reach the page, with markup, quotes, right-to-left, newlines and broken Unicode."""
    write_lines(run / "pictures" / "index.jsonl", [drawn("0.png", HOSTILE, class_prompt=HOSTILE + "!", model="base")])
    write_lines(run / "journal.jsonl", [{"step": step, "losses": {HOSTILE: 0.1}} for step in (1, 2)])
    (run / "run.json").write_text(
        json.dumps({"status": HOSTILE, "base": HOSTILE, "versions": {HOSTILE: HOSTILE}})
    )
    (run / "recipe.toml").write_bytes(b'prompt = "</pre><script>alert(1)</script>\xff\xfe"')
    rows = [
        {"name": name + HOSTILE, "scores": {HOSTILE: estimate(0.5), "dino": estimate(0.6)}}
        for name in ("personalized", "floor: ", "x")
    ]
    content = {"encoders": {HOSTILE: HOSTILE}, "rows": rows, "remarks": [HOSTILE]}
    (run / "scores.json").write_text(json.dumps(content))
    page = Page(write_report(run))
    tags = {tag for tag, _ in page.tags}
    assert "script" not in tags and page.text.count("<script>alert(1)</script>") >= 8
    assert not [
        name for _, attributes in page.tags for name in attributes if name.startswith("on") or name in ("quoted", "single")
    ]
    alt = [image["alt"] for image in page.images() if "alert" in (image["alt"] or "")]
    assert alt and '"quoted"' in str(alt[0]) and len(str(alt[0])) > 300
    assert all(part in page.text for part in ("\u05e9\u05dc\u05d5\u05dd", "next line"))


def test_right_to_left_words_turn_nothing_around_them(run: Path):
    write_lines(run / "pictures" / "index.jsonl", [drawn("0.png", "\u202eabc", model="base")])
    assert '<h3><bdi dir="auto">\u202eabc</bdi></h3>' in write_report(run).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("part", "words", "command"),
    [
        ("photos", "no reference photos", "likeness train --recipe runs/dog-lora/recipe.toml"),
        ("pictures", "No pictures have been drawn", "likeness generate runs/dog-lora"),
        ("scores.json", "Nothing has been measured yet", "likeness evaluate runs/dog-lora"),
        ("journal.jsonl", "no journal of the training", "likeness train --recipe runs/dog-lora/recipe.toml"),
        ("run.json", "run.json is missing", ""),
        ("recipe.toml", "recipe.toml is missing", ""),
    ],
)
def test_a_missing_part_is_said_with_the_command_that_makes_it(run: Path, part: str, words: str, command: str):
    assert words not in Page(write_report(run)).text
    (run / part).rename(run / "elsewhere")
    text = Page(write_report(run)).text
    assert words in text and command in text


def test_an_empty_folder_has_a_page(tmp_path: Path):
    assert "has not been measured yet" in Page(write_report(tmp_path)).text


def test_a_run_cut_short_has_a_page(run: Path):
    """Half a last line, a truncated picture, NaN losses, numbers of the wrong type."""
    whole = (run / "pictures" / "0.png").read_bytes()
    (run / "pictures" / "0.png").write_bytes(whole[: len(whole) // 2])
    (run / "pictures" / "1.png").unlink()
    lines = ['{"step": 1, "losses": {"denoising": NaN}}', '{"step": 2, "losses": {"denoising": 0.3}}', '{"step": 3, "los']
    (run / "journal.jsonl").write_text("\n".join(lines))
    (run / "run.json").write_text('{"status": "running", "seconds": "long", "peak_bytes": NaN, "versions": 3, "seed": true}')
    (run / "scores.json").write_text('{"rows": [3, {"name": "base", "scores": {"dino": {"value": NaN}}}], "remarks": null}')
    text = Page(write_report(run)).text
    assert text.count("cannot be read") == 2
    assert "not a finite number, not drawn: 1." in text and "“running”" in text


def test_an_index_cannot_pull_in_other_files(run: Path):
    Image.new("RGB", (8, 8)).save(run.parent / "private.png")
    names = ["../../private.png", "../photos/0.png", str(run.parent / "private.png"), "..", "", "a\0b"]
    write_lines(run / "pictures" / "index.jsonl", [drawn(name, "a dog", model="base") for name in names])
    assert "No pictures have been drawn" in Page(write_report(run)).text


def test_a_page_of_large_pictures_stays_small(run: Path):
    noise = Image.effect_noise((700, 500), 90).convert("RGB")
    index = []
    for number in range(60):
        noise.rotate(number).save(run / "pictures" / f"n{number}.png", compress_level=1)
        index.append(drawn(f"n{number}.png", f"a dog {number // 2}", number, model="base"))
    write_lines(run / "pictures" / "index.jsonl", index)
    report = write_report(run)
    assert report.stat().st_size < 3_000_000 and len(Page(report).images()) == 60 + 4


def test_only_the_last_checkpoint_is_shown(run: Path):
    lines = [drawn("0.png", f"after {step}", class_prompt="a dog", checkpoint=step) for step in (100, 300, 200)]
    write_lines(run / "pictures" / "index.jsonl", lines)
    text = Page(write_report(run)).text
    assert "after 300" in text and "after 200" not in text and "before training and after 300 steps" in text


def test_the_page_tells_no_path_of_this_machine(run: Path):
    (run / "run.json").write_text(json.dumps({"base": str(run.parent.parent / "base")}))
    (run / "recipe.toml").write_text("base = 'C:\\Users\\jones\\sd15'\n\n[subject]\nphotos = \"/home/mary.jones/photos/dog\"\nclass_noun = \"it's \\\"a\\\" dog\"\n")
    text = write_report(run).read_text(encoding="utf-8")
    assert str(run.parent.parent) not in text and "jones" not in text
    assert all(said in html.unescape(text) for said in ('photos = "dog"', 'base = "sd15"', '"it\'s \\"a\\" dog"'))


def test_report_does_not_reach_torch(run: Path):
    program = (
        "import sys; from pathlib import Path; import likeness.report.grids; from likeness.report.page import write_report;"
        "write_report(Path(sys.argv[1])); assert not {'torch', 'transformers', 'diffusers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(run)], check=True)


def test_several_checkpoints_are_shown_by_prompt_and_step(run: Path):
    lines = [drawn("1.png", f"a sks dog {n}", class_prompt=f"a dog {n}", model="personalized", checkpoint=step) for n in (1, 2) for step in (50, 100, 150)]
    write_lines(run / "pictures" / "index.jsonl", lines)
    page = Page(write_report(run))
    alts = [str(image["alt"]) for image in page.images()]
    assert [alt for alt in alts if "checkpoint" in alt] == [f"a sks dog {n}, checkpoint {step}" for n in (1, 2) for step in (50, 100, 150)]
    assert "likeness choose runs/dog-lora" in page.text  # nothing was weighed yet


def test_a_picture_that_is_a_photo_over_again_stands_beside_it(run: Path):
    scene = Image.effect_noise((64, 64), 90).convert("RGB")
    scene.save(run / "photos" / "1.png")
    assert "Near copies" not in Page(write_report(run)).text
    scene.save(run / "pictures" / "3.png")
    page = Page(write_report(run))
    assert "Near copies" in page.text and "seed 1, a sks dog on the beach" in page.text


def test_learning_rates_are_drawn_as_they_were_used(run: Path):
    lines = [{"step": step, "losses": {"denoising": 0.5}, "learning_rates": [1e-4, 1e-4 / step]} for step in range(1, 11)]
    write_lines(run / "journal.jsonl", lines)
    text = Page(write_report(run)).text
    assert "Learning rate" in text and "group 2" in text
    write_lines(run / "journal.jsonl", [line | {"learning_rates": [1e-4, 1e-4]} for line in lines])
    assert "group 2" not in Page(write_report(run)).text


def test_costs_and_hashes_are_those_of_the_last_sealed_checkpoint(run: Path):
    from safetensors.numpy import save_file

    for step, numbers in (("000050", 10), ("000100", 1234567), ("000150", 99)):
        (run / "checkpoints" / step).mkdir(parents=True)
        save_file({"weight": np.zeros(numbers, "float32")}, run / "checkpoints" / step / "0-lora.safetensors")
        if step != "000150":  # what lies there was not finished
            seal = {"step": int(step), "files": {"0-lora.safetensors": {"bytes": 1, "sha256": f"{step}abcdefghijk"}}}
            (run / "checkpoints" / step / "complete.json").write_text(json.dumps(seal))
    write_lines(run / "photos.jsonl", [{"name": "anna.jpg", "sha256": "feedfacefeedface", "used": True}, {"name": "x", "sha256": "0", "used": False}])
    text = Page(write_report(run)).text
    assert "1,234,567" in text and "4.71 MiB" in text and "checkpoint 000100/0-lora.safetensors" in text
    assert "feedfacefeed" in text and "anna" not in text


def test_what_is_scored_is_shown_and_no_other_way_of_drawing(run: Path):
    """Of one prompt, checkpoint and seed the scored picture; none with another run's LoRA. Seeds are shown to their last digit."""
    seed, labels = 2**53 + 1, {"model": "personalized", "class_prompt": "a dog", "checkpoint": 5}
    others = drawn("2.png", "a sks dog", seed + 1, **labels)
    others["settings"]["checkpoint"] = "dog/5 + cat/5:0.8"
    write_lines(run / "pictures" / "index.jsonl", [drawn("0.png", "a sks dog", seed, **labels), drawn("1.png", "a sks dog", seed, **labels), others])
    (run / "scores.json").write_text(json.dumps({"each": [{"file": "1.png", "step": 5, "prompt": "a dog", "seed": seed, "dino": 0.5, "clip_t_class": 0.5}]}))
    found = read_run(run)
    assert [(one.path.name, one.seed) for one in found.drawn] == [("1.png", seed)] and found.scores.each[0]["seed"] == seed


def test_a_picture_that_was_deleted_and_drawn_again_is_shown(run: Path):
    labels = {"model": "personalized", "class_prompt": "a dog", "checkpoint": 5}
    write_lines(run / "pictures" / "index.jsonl", [drawn("gone.png", "a sks dog", 1, **labels), drawn("1.png", "a sks dog", 1, **labels)])
    assert [one.path.name for one in read_run(run).drawn] == ["1.png"]


def test_the_page_of_an_imported_run_asks_for_no_journal(run: Path):
    about = {**json.loads((run / "run.json").read_text()), "base": "/home/mary/sd15", "lineage": {"imported": "my.safetensors"}}
    (run / "run.json").write_text(json.dumps(about))
    (run / "journal.jsonl").unlink()
    text = Page(write_report(run)).text
    assert "Imported from my.safetensors, and not trained here." in text and "There is no journal" not in text and "same bytes" not in text
    assert "likeness import my.safetensors --class-noun NOUN --photos FOLDER --base sd15" in text and "/home" not in text


def test_commands_of_a_page_work_from_where_they_are_read(run: Path, monkeypatch):
    monkeypatch.chdir(run.parent.parent)
    deeper = run.parent / "compare" / "a cell"
    shutil.copytree(run, deeper)
    assert commands_of(read_run(deeper))["evaluate"] == "likeness evaluate 'runs/compare/a cell'"
    (deeper / "run.json").write_text(json.dumps({"base": "models/sd15"}))
    assert commands_of(read_run(deeper))["choose"].endswith("--clip openai/clip-vit-base-patch32 --dino facebook/dino-vits16")


def test_copies_that_are_not_shown_are_counted(run: Path):
    scene = Image.effect_noise((64, 64), 90).convert("RGB")
    scene.save(run / "photos" / "1.png")
    for n in range(30):
        scene.save(run / "pictures" / f"copy{n}.png")
    write_lines(run / "pictures" / "index.jsonl", [drawn(f"copy{n}.png", "a sks dog", n, class_prompt="a dog", model="personalized", checkpoint=5) for n in range(30)])
    assert "And 6 more." in Page(write_report(run)).text


def test_each_score_has_the_bounds_that_know_it():
    """A pair's floor has other scores than the floor of one subject."""
    one, two = Estimate(0.3, 0.2, 0.4, 5), Estimate(0.1, 0.0, 0.2, 5)
    plots = score_plots([("personalized", {"dino": two, "both": one})], [("floor: another", {"dino": one}), ("floor: two others", {"both": two})])
    assert "floor 0.300" in plots["dino"] and "floor 0.100" in plots["both"]
