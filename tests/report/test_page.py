"""The page of a run: what it shows, what it says of missing parts, and that no text of a run can act in it."""

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from likeness.report.page import write_report

HOSTILE = (
    "<script>alert(1)</script> \"quoted\" 'single' & \u202eright to left \u05e9\u05dc\u05d5\u05dd\nnext line\x00\ud800 "
    + "x" * 300
)


class Page(HTMLParser):
    """Tags, attributes and text as a browser would take them."""

    def __init__(self, report: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(report.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(line) for line in lines))


def drawn(file: str, prompt: str, seed: int = 0, **labels: Any) -> dict[str, Any]:
    """A line of pictures/index.jsonl."""
    return {"file": file, "settings": {"prompt": prompt, "seed": seed}, "labels": labels}


def estimate(value: float, half: float = 0.02) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half, "n": 25}


def score_rows(personalized: float, base: float, floor: float | None = None, ceiling: float | None = None) -> dict[str, Any]:
    values = {"personalized": personalized, "base": base, "floor: another dog": floor, "ceiling: unseen photos": ceiling}
    rows = [{"name": name, "scores": {"dino": estimate(value)}} for name, value in values.items() if value is not None]
    return {"encoders": {"dino": "tiny-dino, resized to 64"}, "rows": rows, "remarks": ["0 blank"]}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "dog-lora"
    for name in ("photos/0.png", "photos/1.png", "previews/000050-0.png", "previews/000100-0.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 64), "teal").save(folder / name)
    index = []
    for number, (model, noun) in enumerate([("base", "dog"), ("personalized", "sks dog")] * 2):
        (folder / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (64, 64), (60 * number, 9, 9)).save(folder / "pictures" / f"{number}.png")
        index.append(drawn(f"{number}.png", f"a {noun} on the beach", number // 2, class_prompt="a dog on the beach", model=model, checkpoint=100))
    write_lines(folder / "pictures" / "index.jsonl", index)
    losses = [{"step": step, "losses": {"denoising": 1 / step, "prior": 0.5}, "seconds": 0.4} for step in range(1, 101)]
    write_lines(folder / "journal.jsonl", losses)
    about = {
        "status": "finished",
        "base": "toybox",
        "seconds": 131.4,
        "peak_bytes": 2**30,
        "seed": 0,
        "versions": {"torch": "2.13"},
    }
    (folder / "run.json").write_text(json.dumps(about))
    (folder / "recipe.toml").write_text('base = "toybox"\n')
    (folder / "scores.json").write_text(json.dumps(score_rows(0.71, 0.47, 0.44, 0.86)))
    return folder


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
        json.dumps({"status": HOSTILE, "base": HOSTILE, "versions": {HOSTILE: HOSTILE}, "command": HOSTILE})
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
    assert str(run.parent.parent) not in write_report(run).read_text(encoding="utf-8")


def test_report_does_not_reach_torch(run: Path):
    program = (
        "import sys; from pathlib import Path; import likeness.report.grids; from likeness.report.page import write_report;"
        "write_report(Path(sys.argv[1])); assert not {'torch', 'transformers', 'diffusers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(run)], check=True)
