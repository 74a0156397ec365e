"""The guide: complete, true to the specs and figures, whole without a script, and fetching nothing."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from likeness.methods import METHODS, SENTENCES, packaged_recipes, sentence_of
from likeness.model.base import Base
from likeness.model.folder import TOYBOX_UPSCALER
from likeness.report.guide import writing
from likeness.report.guide.network import network_drawing, parts_named
from likeness.report.guide.pages import PAGES, Network, read_pages
from likeness.report.guide.writing import DATA, guide_html, read_data, write_guide
from likeness.sampling.options import Blend
from likeness.workflow.recipes import packaged_recipe
from likeness.workflow.stack import attach, method_class

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
LISTED = SENTENCES | {name: sentence_of(path) for name, path in packaged_recipes().items()}
PAGE_BYTES, PICTURE_BYTES = 3_000_000, 2_000_000
OF_COMMANDS = {  # flags of commands that belong to no spec
    "class-noun", "class-photos", "with", "guide", "recipe", "rewards", "seeds", "base",
}  # fmt: skip


class Page(HTMLParser):
    """Tags with their attributes, and text, without what lies in script and style."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.inside = "", ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else self.inside

    def handle_endtag(self, tag):
        self.inside = "" if tag == self.inside else self.inside

    def handle_data(self, data):
        self.text += "" if self.inside else data


@pytest.fixture(scope="module")
def html() -> str:
    return guide_html(read_pages(), LISTED)


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


@pytest.fixture
def builder(monkeypatch):
    """benchmarks/guide_pictures.py, which writes what the page carries."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("guide_pictures", BENCHMARKS / "guide_pictures.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "guide_pictures", module)  # dataclasses look their module up
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def test_options_and_figures_are_what_the_specs_and_results_say(builder):
    assert builder.written(builder.figures()) == (DATA / "figures.json").read_text("utf-8"), "run python benchmarks/guide_pictures.py"


@pytest.mark.parametrize("name", [*METHODS, *packaged_recipes()])
def test_every_method_and_recipe_has_a_chapter_or_is_listed(page, name):
    assert name in {attributes.get("id") for tag, attributes in page.tags if tag == "section"} or f"likeness train {name}" in page.text


@pytest.mark.parametrize("chapter", read_pages(), ids=lambda chapter: chapter.name)
def test_every_option_that_a_page_names_exists(chapter):
    stages = [chapter.name] if chapter.name in METHODS else [s.method for s in packaged_recipe(chapter.name, {"photos": "toybox:biscuit"}).stages] if chapter.name in packaged_recipes() else []
    fields = {field for stage in stages for field in method_class(stage).Spec.model_fields} | {f"blend.{field}" for field in Blend.model_fields}
    said = set(re.findall(r"--([a-z][a-z0-9.-]*[a-z0-9])", (PAGES / f"{chapter.name}.toml").read_text("utf-8")))
    assert {flag.replace("-", "_") for flag in said - OF_COMMANDS} <= fields | {"checkpoints"}
    assert {shown.option for shown in chapter.shown} <= fields | set(Blend.model_fields)


@pytest.mark.parametrize("chapter", [chapter for chapter in read_pages() if chapter.name != "dreamblend"], ids=lambda chapter: chapter.name)
def test_the_drawing_marks_what_is_trained(chapter, tiny_folders, tiny_upscalers):
    """With the options that nobody gave, on a real network: each parameter that is trained belongs to a part that is marked, and each marked part has one."""
    about = {"photos": "toybox:biscuit"}
    stages = packaged_recipe(chapter.name, about).stages if chapter.name in packaged_recipes() else [method_class(chapter.name).Spec()]
    for number, (network, stage) in enumerate(zip(chapter.networks, stages, strict=True)):
        second = network.stage == "second"
        of_cascade = stage.model_copy(update={"upscaler": str(tiny_upscalers["deepfloyd"])}) if second else stage
        names = attach(of_cascade, Base.open(str(tiny_folders["deepfloyd" if second else "epsilon"])), 0, number).weights()
        assert {_part_of(name) for name in names} == set(parts_named([*network.trained, *network.added]))
        assert bool(network.added) == all("lora" in name for name in names)


def _part_of(parameter: str) -> str:
    if one_for_both := re.search(r"attentions\.\d\.(add|to)_(q|k|v|out)", parameter):  # of DeepFloyd IF: words are further keys and values
        return f"{'cross' if one_for_both[1] == 'add' else 'self'}.{one_for_both[2][0]}"
    if attention := re.search(r"attn([12])\.to_(q|k|v|out)", parameter):
        return f"{'self' if attention[1] == '1' else 'cross'}.{attention[2][0]}"
    if parameter.startswith("text_encoder"):
        return "words" if "<" in parameter else "text"
    return "time" if "time_emb" in parameter else "ff" if ".ff." in parameter else "resnet"


def test_a_drawing_says_in_words_what_it_marks():
    label = ET.fromstring(network_drawing(Network(trained=("words", "cross.k")))).get("aria-label")
    assert label == "Trained: a new word's row, keys of the cross-attention. All else stays as it was."


def test_a_second_stage_is_drawn_as_one_that_enlarges():
    """It has one attention for picture and words, so the parts that it has not are drawn as gaps and never as frozen; its label names what learns."""
    drawing = ET.fromstring(network_drawing(Network(stage="second", trained=("resnet", "self", "cross.k", "cross.v"))))
    words = {text.text for text in drawing.iter() if text.tag.endswith("text")}
    assert {"small, enlarged", "second U-Net", "large"} <= words and not {"words", "text encoder", "VAE"} & words
    assert sum(part.get("class") == "absent" for part in drawing.iter()) == 3
    assert str(drawing.get("aria-label")).startswith("Trained: the convolutions, queries of the self-attention")


def test_nothing_is_fetched(html, page):
    fetching = {"src", "srcset", "href", "xlink:href", "poster", "data", "action", "formaction", "background"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            if name in fetching and not (tag == "a" and name == "href"):
                assert str(value).startswith("data:"), (tag, name, value)
        if tag == "a":
            assert re.match(r"#|https://arxiv\.org/abs/", str(attributes["href"])), attributes
    assert all(url.startswith(("data:", "#")) for url in re.findall(r"url\(['\"]?([^)'\"]+)", html))
    assert not re.search(r"@import|\bfetch\(|XMLHttpRequest|WebSocket|import\(", html)
    policy = next(attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'; img-src data:;")


def test_links_within_the_page_lead_somewhere(page):
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {str(attributes["href"])[1:] for tag, attributes in page.tags if tag == "a" and str(attributes["href"]).startswith("#")} <= ids


def test_all_is_there_without_a_script(html, page):
    """Every value of every slider with its pictures, every step of every flow; nothing is hidden before a script asks for it."""
    sliders = html.split('data-slider="')[1:]
    shown = [re.findall(r'class="row" data-value="([^"]*)"><?\s*<p class="value">[^<]*<b>([^<]*)</b>', slider) for slider in sliders]
    wanted = [[(row["value"],) * 2 for row in strip["rows"]] for strip in read_data("strips.json") if strip["name"] == "noise" or "page" in strip]
    assert sorted(shown) == sorted(wanted)
    for chapter in read_pages():
        assert all(Page(step).text in page.text for step in chapter.flow.steps)
    assert not any("hidden" in attributes for _, attributes in page.tags)
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert all(".live" in rule or ".dot" in rule for rule in re.findall(r"([^{}]*)\{[^{}]*display: none", style.partition("@media (prefers-reduced-motion")[0]))


def test_motion_stops_where_it_is_not_wanted(html):
    reduced = html.partition("@media (prefers-reduced-motion: reduce)")[2].partition("\n")[0]
    assert "animation: none" in reduced and "prefers-reduced-motion" in html.partition("<script>")[2]


@pytest.mark.parametrize("chapter", read_pages(), ids=lambda chapter: chapter.name)
def test_every_slider_that_a_page_wants_has_its_pictures(chapter):
    """But those of the toybox's second stage, while none is embedded."""
    wanted = {number for number, shown in enumerate(chapter.shown) if shown.vary != "enlarging" or (TOYBOX_UPSCALER / "model_index.json").exists()}
    made = {strip["shown"] for strip in read_data("strips.json") if strip.get("page") == chapter.name}
    assert wanted <= made <= set(range(len(chapter.shown))), "run python benchmarks/guide_pictures.py RUNS…"


def test_an_enlargement_is_shown_beside_bicubic_and_the_truth(monkeypatch):
    """A strip as the benchmark writes it, of pictures that are there."""
    rows = [{"value": str(level), "psnr": {"value": 27.5, "low": 27.0, "high": 28.0, "n": 24}} for level in (0, 10, 50)]
    strip = {
        "name": "super_resolution-noise_level", "file": "bounds.webp", "height": 5, "columns": [["photo", n] for n in range(6)], "rows": rows, "page": "super_resolution", "shown": 0,
        "bicubic": rows[0]["psnr"] | {"value": 26.4}, "about": {"steps": 4, "hash": "0", "pictures": 24},
    }  # fmt: skip
    kept = [known for known in read_data("strips.json") if known.get("page") != "super_resolution"]
    monkeypatch.setattr(writing, "read_data", lambda name: [*kept, strip] if name == "strips.json" else read_data(name))
    text = Page(guide_html(read_pages(), LISTED)).text
    assert "27.50 dB [27.00, 28.00] to the truth" in text and "bicubic, 26.40 dB" in text and "over 24 pictures" in text


def test_the_page_is_whole_without_a_second_stage(monkeypatch):
    kept = [strip for strip in read_data("strips.json") if strip.get("page") != "super_resolution"]
    monkeypatch.setattr(writing, "read_data", lambda name: kept if name == "strips.json" else read_data(name))
    text = Page(guide_html(read_pages(), LISTED)).text
    assert "A cascade's second stage" in text and "How far the small picture is trusted" not in text


def test_pictures_of_strips_exist_and_fit():
    strips, pages = read_data("strips.json"), {chapter.name: chapter for chapter in read_pages()}
    assert sum((DATA / strip["file"]).stat().st_size for strip in strips) <= PICTURE_BYTES
    assert {path.name for path in DATA.glob("*.webp")} == {strip["file"] for strip in strips}
    for strip in strips:
        side = 128 if strip["name"] == "super_resolution-noise_level" else 64
        assert Image.open(DATA / strip["file"]).size == (side * len(strip["columns"]), side * strip["height"])
        assert len(strip["rows"]) <= strip["height"]
        if "page" in strip:
            assert strip["name"].startswith(f"{strip['page']}-{pages[strip['page']].shown[strip['shown']].option}")


def test_the_page_stays_small(html):
    assert len(html.encode()) <= PAGE_BYTES


def test_formulas_and_drawings_are_well_formed(html):
    found = re.findall(r"<(math|svg)\b.*?</\1>", html, re.DOTALL)
    for match in re.finditer(r"<(math|svg)\b.*?</\1>", html, re.DOTALL):
        ET.fromstring(match[0])
    assert {"math", "svg"} == set(found)


def test_a_chapter_is_one_more_file(tmp_path):
    folder = tmp_path / "pages"
    shutil.copytree(PAGES, folder)
    text = (PAGES / "lora.toml").read_text("utf-8")
    (folder / "newcomer.toml").write_text(text.replace("order = 20", "order = 25").replace('title = "LoRA"', 'title = "Newcomer"'), "utf-8")
    pages = read_pages(folder)
    assert [chapter.name for chapter in pages[:4]] == ["dreambooth", "lora", "newcomer", "textual_inversion"]
    found = Page(guide_html(pages, LISTED))
    assert found.text.count("Newcomer") >= 3  # in the index, among the chapters, over its own


def test_a_mistake_in_a_page_is_named(tmp_path):
    (tmp_path / "odd.toml").write_text('order = 1\ntitel = "Odd"\n', "utf-8")
    with pytest.raises(ValueError, match=r"odd\.toml.*"):
        read_pages(tmp_path)


def test_what_another_package_says_of_itself_cannot_act():
    page = Page(guide_html([], {"theirs<script>": "\u202eleft <img src=x onerror=alert(1)>"}))
    assert "img" not in {tag for tag, _ in page.tags} and sum(tag == "script" for tag, _ in page.tags) == 1
    assert page.text.count("onerror") == 1 and "bdi" in {tag for tag, _ in page.tags}


def test_the_same_files_give_the_same_page(tmp_path):
    first, second = (write_guide(tmp_path / name, LISTED).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_the_command_needs_no_torch(tmp_path):
    code = f"import sys\nfrom likeness.cli import main\ntry: main(['guide', '--out', {str(tmp_path / 'guide.html')!r}])\nexcept SystemExit: pass\nprint({{'torch', 'transformers', 'diffusers'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["next: likeness demo", "set()"]
    assert (tmp_path / "guide.html").stat().st_size > 100_000
