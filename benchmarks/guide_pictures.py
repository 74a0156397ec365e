"""Write what `likeness guide` carries: options, figures and pictures, into src/likeness/report/guide/data/.

    python benchmarks/guide_pictures.py                    options and figures alone, from the specs and benchmarks/results/
    python benchmarks/guide_pictures.py RUNS… [--subjects biscuit,earl]   pictures too: strips of the runs that lie in these folders

For each option that a page wants shown (pages/*.toml, [[shown]]) the runs are found that differ in it alone, or the run whose checkpoints or drawings do, of the subject with
most of them; a strip that no runs are there for stays as it is, or is left out if it never was, and so the page leaves it out. What the base draws of the same noise is drawn here where no run has it, and so is what the
toybox's second stage enlarges (guide_enlarging.py), if there is one. Scores of a row are of all pictures that every row of its strip has, also of those not shown.
"""

import argparse
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from guide_enlarging import enlarging_strip
from guide_figures import COMPARED, as_text, figures, rounded
from PIL import Image
from weights import embedded

from likeness.files.prompts import said
from likeness.files.run_folder import RunFolder, SavedPicture
from likeness.methods import METHODS
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.report.guide.pages import Page, Shown, read_pages
from likeness.sampling.options import Blend
from likeness.workflow.looking import Asked, Judges, References, look, open_judges
from likeness.workflow.recipes import packaged_recipe
from likeness.workflow.scoring import scores_of
from likeness.workflow.stack import read_card, stage_types
from likeness.workflow.truth import WorldScores, candidates_for, true_pictures
from likeness.world.drawing import draw
from likeness.world.scene import Appearance
from likeness.world.subjects import SUBJECTS, NamedSubject, lookalikes, photos_of, prompts_for, seed_of

DATA = Path(__file__).parent.parent / "src" / "likeness" / "report" / "guide" / "data"
ASIDE = {"checkpoints", "previews", "save_every"}  # options that change no picture of the last step
SCENES, COLUMNS, SEEDS, SIDE = ("jungle", "sunflowers", "eiffel"), 6, 2, 64
NOISE_STEPS = (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)

Key = tuple[str, int]  # class prompt and seed


@dataclass(frozen=True)
class Row:
    """Pictures that differ from the strip's other rows in one thing."""

    value: str
    pictures: dict[Key, Image.Image]


Found = tuple[list[Row], dict, dict[Key, Image.Image]]  # rows; what is said of their runs; what was drawn before the last stage, where another run taught what lies beneath it
NOTHING: Found = ([], {}, {})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="*", help="folders that hold run folders")
    parser.add_argument("--subjects", default="biscuit", help="whom runs may be of; the first one's photos stand at the head of the page")
    asked = parser.parse_args()
    if asked.runs:
        runs = [RunFolder.open(path.parent) for folder in asked.runs for path in sorted(folder.glob("*/run.json"))]
        before = {strip["name"]: strip for strip in json.loads((DATA / "strips.json").read_text("utf-8"))}
        strips = list(all_strips([run for run in runs if run.record().status == "finished"], [SUBJECTS[name] for name in asked.subjects.split(",")], before))
        (DATA / "strips.json").write_text(written(strips), "utf-8")
        for old in {*DATA.glob("*.webp")} - {DATA / strip["file"] for strip in strips}:
            old.unlink()
        print(f"{sum(path.stat().st_size for path in DATA.glob('*.webp')) / 2**10:.0f} KiB of pictures, {len(strips)} strips: {', '.join(s['name'] for s in strips)}")
    (DATA / "figures.json").write_text(written(figures()), "utf-8")  # last: they say which strips are older than the weights
    print(f"wrote {DATA / 'figures.json'}")


def written(found: Any) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def all_strips(runs: list[RunFolder], subjects: list[NamedSubject], before: dict[str, dict]) -> Iterator[dict[str, Any]]:
    """before: the strips that there are, which stay where no run is given that shows the same."""
    judged, base = {subject.name: Judged(subject) for subject in subjects}, BasePictures(runs)
    of_pages = list(strips_of_pages(runs, judged, base, before))
    for name in dict.fromkeys([*judged, *(strip["subject"] for strip in of_pages if "subject" in strip)]):
        yield saved(f"photos-{name}", photos_strip(SUBJECTS[name]))
    yield saved("noise", noise_strip([draw(scene, SIDE) for scene in photos_of(subjects[0])[:2]]))
    yield saved("bounds", bounds_strip(base, judged[subjects[0].name]))
    yield from of_pages


def strips_of_pages(runs: list[RunFolder], judged: "dict[str, Judged]", base: "BasePictures", before: dict[str, dict]) -> Iterator[dict[str, Any]]:
    for page in read_pages():
        for number, shown in enumerate(page.shown):
            if shown.vary == "enlarging":
                if enlarging := enlarging_strip():
                    yield saved(f"{page.name}-{shown.option}", {**enlarging, "page": page.name, "shown": number})
                continue
            methods = shown.stages or methods_of(page)
            strip_name = "-".join((page.name, shown.option, *methods, *shown.where.values()))
            found = {name: rows_for(shown, methods, [run for run in runs if of(run, each.subject)]) for name, each in judged.items()}
            name, (rows, about, beneath_it) = max(found.items(), key=lambda item: len(item[1][0]))
            if len(rows) >= 2:
                yield saved(strip_name, {**strip_of(rows, base, judged[name], beneath_it), "page": page.name, "shown": number, "about": about})
                continue
            print(f"{page.name}, {shown.title}: no runs of {'+'.join(methods)} on {', '.join(found)} that show it{'; what there is stays' if strip_name in before else ''}")
            if strip_name in before:
                yield {**before[strip_name], "shown": number}


def of(run: RunFolder, subject: NamedSubject) -> bool:
    recipe = run.recipe(stage_types())
    return str(recipe.subject.photos) == f"toybox:{subject.name}" and not recipe.others


def rows_for(shown: Shown, methods: tuple[str, ...], runs: list[RunFolder]) -> Found:
    fitting = [run for run in runs if fits(run, methods, shown.where)]
    return {"option": by_option, "checkpoint": by_checkpoint, "sampling": by_sampling}[shown.vary](fitting, shown)


def fits(run: RunFolder, methods: tuple[str, ...], where: dict[str, str]) -> bool:
    stages = run.recipe(stage_types()).stages
    return tuple(stage.method for stage in stages) == methods and all(as_text(getattr(stages[-1], name)) == value for name, value in where.items())


def methods_of(page: Page) -> tuple[str, ...]:
    if page.name in METHODS:
        return (page.name,)
    return tuple(stage.method for stage in packaged_recipe(page.name, {"photos": "toybox:biscuit"}, "toybox").stages)


def by_option(runs: list[RunFolder], shown: Shown) -> Found:
    """Of the runs that differ in the option alone, the largest group; the latest run of each value."""
    groups: dict[str, dict[Any, RunFolder]] = defaultdict(dict)
    for run in runs:
        recipe = run.recipe(stage_types())
        options = recipe.stages[-1].model_dump(mode="json", exclude=ASIDE)
        value = options.pop(shown.option)
        groups[json.dumps([recipe.seed, without_effect(options, shown.option)])][value] = run
    if not groups:
        return NOTHING
    group = max(groups.values(), key=len)
    choices = get_args(type(runs[0].recipe(stage_types()).stages[-1]).model_fields[shown.option].annotation)  # of words, as the spec lists them
    values = sorted(group, key=lambda value: choices.index(value) if value in choices else value)
    rows = [Row(as_text(value), pictures_of(group[value], drawn(group[value]))) for value in values]
    return rows, about(group[values[0]], shown.option), {}


def without_effect(options: dict[str, Any], varied: str) -> dict[str, Any]:
    """Where λ is varied, what describes class pictures may differ: at 0 there are none."""
    return {name: value for name, value in options.items() if varied != "prior_weight" or not name.startswith("class_")}


def by_checkpoint(runs: list[RunFolder], shown: Shown) -> Found:
    """The run that was drawn at most of its checkpoints. Steps are those of the run: what lies beneath it is 0."""
    best = NOTHING
    for run in runs:
        pictures, first = drawn(run), beneath(run)
        steps = sorted({p.labels["checkpoint"] for p in pictures})
        if len(steps) > len(best[0]):
            best = [Row(str(step - first), pictures_of(run, [p for p in pictures if p.labels["checkpoint"] == step])) for step in steps], about(run, shown.option) | rewards_of(run), {}
    return best


def rewards_of(run: RunFolder) -> dict[str, Any]:
    """{"curve": …}, the mean reward of each rollout by the step before which it was drawn; {} of a run without rewards."""
    lines = [(line["step"] - beneath(run) - 1, line["noted"]["reward"]) for line in run.journal() if "reward" in line.get("noted", {})]
    return {"curve": [(step, round(reward, 4)) for step, reward in lines]} if lines else {}


def by_sampling(runs: list[RunFolder], shown: Shown) -> Found:
    """The checkpoint that was drawn with most values of an option of drawing, all else equal: of a blend, or the number of steps."""
    best = NOTHING
    for run in runs:
        for step in sorted({p.labels.get("checkpoint", 0) for p in run.pictures()} - {beneath(run)}, reverse=True):
            at = [p for p in run.pictures() if p.labels.get("checkpoint", 0) == step]
            plain = [p for p in at if p.labels["model"] == "personalized"]
            for other, groups in (blends if shown.option in Blend.model_fields else few_steps)(at, plain, shown.option):
                rows = [Row(f"{value:g}", pictures_of(run, group)) for value, group in sorted(groups.items())]
                if len(rows) > len(best[0]):
                    before = pictures_of(run, [p for p in drawn(run) if p.labels["checkpoint"] == beneath(run)])
                    best = rows, {**about(run, shown.option), "checkpoint": step - beneath(run), **other}, before
    return best


def beneath(run: RunFolder) -> int:
    """How many steps were trained before it began: of a run on top of another, that one's."""
    return (run.record().lineage or {}).get("step", 0)


def blends(pictures: list[SavedPicture], plain: list[SavedPicture], option: str) -> Iterator[tuple[dict, dict[float, list[SavedPicture]]]]:
    """Blended pictures by the option, for each setting of the others; the checkpoint alone stands for 0."""
    groups: dict[str, dict[float, list[SavedPicture]]] = defaultdict(lambda: defaultdict(list))
    for p in pictures:
        if p.labels["model"] == "blended":
            others = {name: value for name, value in p.settings.options.items() if name != option}
            groups[json.dumps([others, p.settings.steps], sort_keys=True)][float(str(p.settings.options[option]))].append(p)
    for key, values in groups.items():
        others, steps = json.loads(key)
        yield {"guide": others["guide"]}, {0.0: [p for p in plain if p.settings.steps == steps], **values}


def few_steps(pictures: list[SavedPicture], plain: list[SavedPicture], option: str) -> Iterator[tuple[dict, dict[float, list[SavedPicture]]]]:
    groups: dict[float, list[SavedPicture]] = defaultdict(list)
    for p in plain:
        groups[p.settings.steps].append(p)
    yield {}, groups


def drawn(run: RunFolder) -> list[SavedPicture]:
    """The pictures of the run's subject, drawn in as many steps as their checkpoint asks for."""
    found = [p for p in run.pictures() if p.labels["model"] == "personalized"]
    asked = {step: read_card(run.checkpoint(step))["sampling"]["steps"] for step in {p.labels["checkpoint"] for p in found}}
    return [p for p in found if p.settings.steps == asked[p.labels["checkpoint"]]]


def pictures_of(run: RunFolder, saved: list[SavedPicture]) -> dict[Key, Image.Image]:
    return {(p.labels["class_prompt"], p.settings.seed): Image.open(p.path).convert("RGB") for p in saved}


class BasePictures:
    """What the base draws of a prompt with the class noun, from the same noise: found in runs, where it is the same in all, or drawn."""

    def __init__(self, runs: list[RunFolder]):
        self.known: dict[Key, Image.Image] = {}
        for run in runs:
            self.known |= pictures_of(run, [p for p in run.pictures() if p.labels["model"] == "base"])

    def __call__(self, columns: Sequence[Key]) -> list[Image.Image]:
        if missing := [key for key in columns if key not in self.known]:
            base = Base.open("toybox")
            wanted = base.advice["sampling"]
            drawn = sample(base, [prompt for prompt, _ in missing], [seed for _, seed in missing], **wanted)
            self.known |= dict(zip(missing, drawn))
        return [self.known[key] for key in columns]


def about(run: RunFolder, varied: str) -> dict[str, Any]:
    """What a strip says of its runs: recipe, settings that are not the spec's, seed."""
    recipe = run.recipe(stage_types())
    stages = []
    for stage in recipe.stages:
        usual = type(stage).model_fields
        changed = {name: as_text(value) for name, value in stage if value != usual[name].get_default() and name not in ASIDE | {varied}}
        stages.append({"method": stage.method, "settings": {k: v for k, v in changed.items() if k not in ("word", "words", "initializer")} | {"steps": as_text(stage.steps)}})
    return {"stages": stages, "seed": recipe.seed, "base": recipe.base}


class Judged:
    """A subject's judges, asked about rows of pictures."""

    def __init__(self, subject: NamedSubject):
        self.subject, self.judges = subject, open_judges("toybox")
        self.references = References.of([draw(scene, SIDE) for scene in photos_of(subject)], self.judges)
        self.world = WorldScores(subject, candidates_for(subject, self.judges, self.references.dino), self.judges)

    def scores(self, images: list[Image.Image], prompts: list[str]) -> dict[str, Any]:
        judges: Judges = self.judges
        asked = [Asked(str(n), prompt, prompt, n) for n, prompt in enumerate(prompts)]
        found = scores_of(look(asked, images, judges), judges, self.references, self.world)
        return {name: rounded(found[name]) for name in COMPARED if name in found} | {"pictures": len(images)}

    def truth(self, columns: list[Key], individuals: Sequence[Appearance]) -> list[Image.Image]:
        """What individuals look like in the asked scenes, one picture a column, the next of them in each scene."""
        images = []
        for prompt, appearance in zip(dict.fromkeys(prompt for prompt, _ in columns), cycle(individuals)):
            images += true_pictures(self.subject.class_noun, [appearance], [prompt], sum(other == prompt for other, _ in columns))[0]
        return images


def strip_of(rows: list[Row], base: BasePictures, judged: Judged, before: dict[Key, Image.Image]) -> dict[str, Any]:
    """Rows, then what was before, or where no run drew that, the base, and the truth; in the columns that are shown: few of each scene before any scene has more."""
    shared = sorted(set.intersection(*(set(row.pictures) for row in rows)), key=place)
    columns, prompts = sorted(shared, key=lambda key: key[1] // SEEDS)[:COLUMNS], [prompt for prompt, _ in shared]
    known = set(columns) <= set(before)
    tiles = [[row.pictures[key] for key in columns] for row in (*rows, *([Row("", before)] if known else []))]
    return {
        "subject": judged.subject.name, "noun": judged.subject.class_noun, "columns": columns,
        "tiles": [*tiles, *([] if known else [base(columns)]), judged.truth(columns, [judged.subject.appearance])], "before": known,
        "rows": [{"value": row.value, "scores": judged.scores([row.pictures[key] for key in shared], prompts)} for row in rows],
        **{name: judged.scores(judged.truth(shared, who), prompts) for name, who in bounds_of(judged.subject).items()},
    }  # fmt: skip


def bounds_of(subject: NamedSubject) -> dict[str, Sequence[Appearance]]:
    return {"floor": lookalikes(subject, len(prompts_for(subject.class_noun))), "ceiling": [subject.appearance]}


def bounds_strip(base: BasePictures, judged: Judged) -> dict[str, Any]:
    """What the scores are held against: others of the same words, the base, the true subject."""
    noun = judged.subject.class_noun
    columns = sorted(((said(p.template, noun), seed) for p in prompts_for(noun) if p.kind == "recontextualization" for seed in range(2)), key=place)[:COLUMNS]
    truths = {name: judged.truth(columns, who) for name, who in bounds_of(judged.subject).items()}
    rows = {"floor": truths["floor"], "base": base(columns), "ceiling": truths["ceiling"]}
    scores = [{"value": name, "scores": judged.scores(images, [prompt for prompt, _ in columns])} for name, images in rows.items()]
    return {"subject": judged.subject.name, "noun": noun, "columns": columns, "tiles": list(rows.values()), "rows": scores}


def place(key: Key) -> tuple:
    """The scenes that are shown come first."""
    return next((n for n, scene in enumerate(SCENES) if scene in key[0].lower()), len(SCENES)), *key


def photos_strip(subject: NamedSubject) -> dict[str, Any]:
    photos = [draw(scene, SIDE) for scene in photos_of(subject)]
    return {"subject": subject.name, "noun": subject.class_noun, "words": subject.describable, "columns": [["photo", n] for n in range(len(photos))], "tiles": [photos], "rows": [{"value": "photos"}]}


def noise_strip(photos: list[Image.Image]) -> dict[str, Any]:
    """Photos under more and more noise, by the base's own schedule; in pixels, where eyes can follow, though the base does it to latents."""
    squares = Base.open("toybox").alphas_cumprod
    noise = torch.randn(len(photos), SIDE, SIDE, 3, generator=torch.Generator().manual_seed(seed_of("guide/noise"))).numpy()
    tiles = []
    for t in NOISE_STEPS:
        kept, hidden = float(squares[t]) ** 0.5, float(1 - squares[t]) ** 0.5
        tiles.append([Image.fromarray(((kept * (np.asarray(p) / 127.5 - 1) + hidden * noise[n] + 1) * 127.5).clip(0, 255).astype(np.uint8)) for n, p in enumerate(photos)])
    rows = [{"value": str(t), "kept": round(float(squares[t]) ** 0.5, 4)} for t in NOISE_STEPS]
    return {"columns": [["photo", n] for n in range(len(photos))], "tiles": tiles, "rows": rows}


def saved(name: str, strip: dict[str, Any]) -> dict[str, Any]:
    """The strip's pictures as one WebP, a row of it for each row; the strip without them."""
    tiles = strip.pop("tiles")
    side = tiles[0][0].width
    sheet = Image.new("RGB", (side * len(tiles[0]), side * len(tiles)))
    for y, row in enumerate(tiles):
        for x, picture in enumerate(row):
            sheet.paste(picture, (side * x, side * y))
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=88, method=6)
    (DATA / f"{name}.webp").write_bytes(file.getvalue())
    return {"name": name, "file": f"{name}.webp", "height": len(tiles), "weights": embedded(["base", "judges"]), **strip}


if __name__ == "__main__":
    main()
