"""The study is blind, fair between the sides, and counted against its key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from likeness.files.errors import UserError
from likeness.files.picture import Settings
from likeness.files.run_folder import RunFolder
from likeness.report.study import make_study, score_study


def run_of(parent: Path, name: str, colour: str, seeds: int = 3, prompts: tuple[str, ...] = ("a dog in the snow", 'a "<b>dog</b>"')) -> Path:
    run = RunFolder.create(parent, name)
    for prompt in prompts:
        for seed in range(seeds):
            settings = Settings(prompt=prompt, steps=1, sampler="DDIM", guidance_scale=1, seed=seed, width=8, height=8)
            run.add_picture(Image.new("RGB", (8, 8), colour), settings, {"model": "personalized", "class_prompt": prompt, "checkpoint": 5})
    return run.path


@pytest.fixture
def study(tmp_path) -> Path:
    return make_study(run_of(tmp_path, "secret-one", "red"), run_of(tmp_path, "secret-two", "blue"), tmp_path / "study").parent


def test_the_page_is_blind_and_needs_nothing_but_itself(study):
    page, key = (study / "study.html").read_text(), json.loads((study / "study.json").read_text())
    assert "secret" not in page and "http" not in re.sub(r"http-equiv", "", page) and "<b>dog" not in page
    assert [item["question"] for item in key["items"]].count("overall") == 6 and len(key["items"]) == 8
    assert page.count("<fieldset>") == 8 and page.count("data:image/png") == 2 * (6 + 2 * 3)
    sides = [item["first_is_left"] for item in key["items"]]
    assert True in sides and False in sides


def test_this_folder_has_a_name_too(tmp_path, monkeypatch):
    first, second = run_of(tmp_path, "one", "red"), run_of(tmp_path, "two", "blue")
    monkeypatch.chdir(first)
    key = json.loads((make_study(Path("."), second, tmp_path / "study").parent / "study.json").read_text())
    assert (key["first"], key["second"]) == (first.name, second.name)


def test_the_sides_are_those_of_the_key(study, tmp_path):
    """Red is the first run's: on the left exactly where the key says so."""
    from likeness.report.embedding import data_uris

    red = next(iter(data_uris([next((tmp_path).glob("secret-one-*/pictures/*.png"))], 10**6).values()))
    fields = (study / "study.html").read_text().split("<fieldset>")[1:]
    items = json.loads((study / "study.json").read_text())["items"]
    for field, item in zip(fields, items):
        left = field.split("<label>")[1]
        assert (red in left) == item["first_is_left"]


def answer(study: Path, name: str, of_first: dict[str, int], of_second: dict[str, int]) -> Path:
    """A person who prefers the first run in so many questions of each kind, and the second in so many."""
    given, left = {}, {kind: [of_first.get(kind, 0), of_second.get(kind, 0)] for kind in ("overall", "diversity")}
    for number, item in enumerate(json.loads((study / "study.json").read_text())["items"]):
        for which in (0, 1):
            if left[item["question"]][which]:
                left[item["question"]][which] -= 1
                given[str(number)] = "left" if (which == 0) == item["first_is_left"] else "right"
                break
    (study / name).write_text(json.dumps({"answers": given}))
    return study / name


def test_a_study_needs_two_runs_and_a_question(tmp_path):
    one, two = run_of(tmp_path, "one", "red"), run_of(tmp_path, "two", "blue")
    with pytest.raises(UserError, match="cannot be preferred to itself"):
        make_study(one, one, tmp_path / "study")
    for most in (0, -1):
        with pytest.raises(UserError, match=f"--most {most}: must be 1 or more"):
            make_study(one, two, tmp_path / "study", most=most)


def test_answers_are_counted_for_the_run_that_they_prefer(study):
    people = [answer(study, "a.json", {"overall": 4, "diversity": 2}, {"overall": 1}), answer(study, "b.json", {"overall": 3}, {"overall": 3})]
    first, second, (overall, diversity) = score_study(study, people)
    assert first.startswith("secret-one") and second.startswith("secret-two")
    assert (overall.answers, overall.preference.share) == (11, 7 / 11) and (diversity.answers, diversity.share.value) == (2, 1.0)
    assert json.loads((study / "verdicts.json").read_text())["verdicts"][0]["answers"] == 11


def test_what_is_no_answer_is_refused(study, tmp_path):
    (tmp_path / "text.json").write_text("no json")
    (tmp_path / "other.json").write_text('{"answers": {"99": "left"}}')
    (tmp_path / "none.json").write_text('{"answers": {}}')
    (tmp_path / "list.json").write_text('{"answers": []}')
    for name, says in (("text", "cannot be read"), ("other", "belongs to another study"), ("none", "none of the files"), ("list", "is not a file")):
        with pytest.raises(UserError, match=says):
            score_study(study, [tmp_path / f"{name}.json"])
    with pytest.raises(UserError, match="give the folder"):
        score_study(tmp_path, [])


def test_a_study_is_never_overwritten_and_runs_must_share_pictures(study, tmp_path):
    first, second = (next(tmp_path.glob(f"secret-{n}-*")) for n in ("one", "two"))
    with pytest.raises(UserError, match="holds a study already"):
        make_study(first, second, study)
    other = run_of(tmp_path, "third", "green", prompts=("a cat",))
    with pytest.raises(UserError, match="no picture of the same prompt"):
        make_study(first, other, tmp_path / "another")


def test_the_command_line_makes_and_scores(study, tmp_path, likeness, capsys):
    runs = [next(tmp_path.glob(f"secret-{n}-*")) for n in ("one", "two")]
    assert likeness("study", "make", *runs, "--out", tmp_path / "by-hand") == 0
    assert likeness("study", "score", study, answer(study, "a.json", {"overall": 5}, {"overall": 1})) == 0
    said = capsys.readouterr().out
    assert "study.html" in said and "0.833" in said and "of 6 answers" in said


def test_runs_of_different_photos_are_refused(tmp_path):
    first, second = run_of(tmp_path, "one", "red"), run_of(tmp_path, "two", "blue")
    for run, sha256 in ((first, "a"), (second, "b")):
        (run / "photos.jsonl").write_text(json.dumps({"name": "me.jpg", "sha256": sha256, "used": True}))
    with pytest.raises(UserError, match="learned from different photos"):
        make_study(first, second, tmp_path / "study")


def test_what_was_drawn_otherwise_is_not_asked_about(tmp_path):
    """A later picture of the same prompt and seed, drawn in more steps, and one with another run's LoRA: neither is shown, the number stays."""
    first, second = run_of(tmp_path, "one", "red"), run_of(tmp_path, "two", "blue")
    before = json.loads((make_study(first, second, tmp_path / "before").parent / "study.json").read_text())["number"]
    labels = {"model": "personalized", "class_prompt": "a dog in the snow", "checkpoint": 5}
    for more in ({"steps": 9}, {"steps": 1, "checkpoint": "one/5 + other/5:0.8"}):
        settings = Settings(**{"prompt": "a dog in the snow", "sampler": "DDIM", "guidance_scale": 1, "seed": 0, "width": 8, "height": 8, **more})
        RunFolder.open(first).add_picture(Image.new("RGB", (8, 8), "green"), settings, labels)
    assert json.loads((make_study(first, second, tmp_path / "after").parent / "study.json").read_text())["number"] == before


def test_a_study_counts_its_own_answers_once(study, tmp_path):
    """Other pictures make another study, even of runs of the same names and prompts; a file given twice is one person."""
    other = make_study(run_of(tmp_path / "x", "secret-one", "yellow"), run_of(tmp_path / "x", "secret-two", "blue"), tmp_path / "other").parent
    mine, its = (json.loads((folder / "study.json").read_text())["number"] for folder in (study, other))
    assert mine != its and mine in (study / "study.html").read_text()
    answers = answer(study, "a.json", {"overall": 2}, {})
    assert score_study(study, [answers, answers])[2][0].answers == 2
    answers.write_text(json.dumps({"study": its, "answers": {"0": "left"}}))
    with pytest.raises(UserError, match="belongs to another study"):
        score_study(study, [answers])
