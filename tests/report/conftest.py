"""A small run folder as the commands leave one, and a page as a browser reads it."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

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
