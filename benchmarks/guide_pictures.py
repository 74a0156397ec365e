"""Write what `likeness guide` carries: options, figures and pictures, into src/likeness/report/guide/data/.

    python benchmarks/guide_pictures.py                    options and figures alone, from the specs and benchmarks/results/
    python benchmarks/guide_pictures.py RUNS… [--subject biscuit]   pictures too: strips of the runs that lie in these folders

For each option that a page wants shown (pages/*.toml, [[shown]]) the runs are found that differ in it alone, or the run whose checkpoints or drawings do; a strip
that no runs are there for is left out, and so the page leaves it out. Scores of a row are of all pictures that every row of its strip has, also of those not shown.
"""

import argparse
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import results
import torch
from PIL import Image

from likeness.evaluation.statistics import bootstrap
from likeness.files.recipe import Stage
from likeness.files.run_folder import RunFolder, SavedPicture
from likeness.methods import METHODS, packaged_recipes
from likeness.model.base import Base
from likeness.report.guide.pages import Page, Shown, read_pages
from likeness.sampling.options import Blend
from likeness.toybox.models import ADVICE
from likeness.workflow.evaluating import WorldScores, candidates_for, true_pictures
from likeness.workflow.recipes import packaged_recipe
from likeness.workflow.scoring import Judges, References, Seen, open_judges, scores_of
from likeness.workflow.stack import method_class, stage_types
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, NamedSubject, distractors, photos_of, seed_of

DATA = Path(__file__).parent.parent / "src" / "likeness" / "report" / "guide" / "data"
COMPARED = ("dino", "clip_t_class", "named", "diversity")  # of the scores, those that the page explains
ASIDE = {"checkpoints", "previews", "save_every"}  # options that change no picture of the last step
SCENES, COLUMNS, SIDE = ("jungle", "sunflowers", "eiffel"), 6, 64
NOISE_STEPS = (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)
JUDGES = {
    "place": "judge on real renders: context", "class": "judge on real renders: class", "colour": "judge on real renders: colour",
    "accessory": "judge on real renders: accessory", "individual": "judge of individuals: names an individual among ten others of the same words",
}  # fmt: skip

Key = tuple[str, int]  # class prompt and seed


@dataclass(frozen=True)
class Row:
    """Pictures that differ from the strip's other rows in one thing."""

    value: str
    pictures: dict[Key, Image.Image]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="*", help="folders that hold run folders")
    parser.add_argument("--subject", default="biscuit")
    asked = parser.parse_args()
    (DATA / "figures.json").write_text(written(figures()), "utf-8")
    print(f"wrote {DATA / 'figures.json'}")
    if asked.runs:
        runs = [RunFolder.open(path.parent) for folder in asked.runs for path in sorted(folder.glob("*/run.json"))]
        for old in DATA.glob("*.webp"):
            old.unlink()
        strips = list(all_strips([run for run in runs if run.record().status == "finished"], SUBJECTS[asked.subject]))
        (DATA / "strips.json").write_text(written(strips), "utf-8")
        print(f"{sum(path.stat().st_size for path in DATA.glob('*.webp')) / 2**10:.0f} KiB of pictures, {len(strips)} strips: {', '.join(s['name'] for s in strips)}")


def written(found: Any) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


# ---- options and figures


def figures() -> dict[str, Any]:
    """What the page says in numbers and in the specs' own words."""
    found = {name: json.loads((results.FIGURES / f"{name}.json").read_text("utf-8")) for name in ("grid", "world")}
    pages = read_pages()
    return {
        "options": {page.name: options_of(page) for page in pages},
        "recipes": {page.name: packaged_recipes()[page.name].read_text("utf-8") for page in pages if page.name in packaged_recipes()},
        "comparison": comparison(found["grid"], pages),
        "judges": {name: next(rounded(row) for row in found["world"]["rows"] if row["what"] == what) for name, what in JUDGES.items()},
    }


def options_of(page: Page) -> list[dict[str, Any]]:
    """Each option of a method, or of a way to draw, with its default, the toybox's where it differs, and its sentence."""
    if page.name in packaged_recipes():
        return []
    kind = method_class(page.name).Spec if page.name in METHODS else Blend
    dashes = "--" if issubclass(kind, Stage) else "--blend."
    advised = ADVICE.get(page.name, {})
    return [
        {
            "name": name, "flag": dashes + name.replace("_", "-"), "default": said(known.get_default()),
            "toybox": said(advised[name]) if name in advised and advised[name] != known.get_default() else "", "says": known.description,
        }
        for name, known in kind.model_fields.items()
    ]  # fmt: skip


def said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def comparison(grid: dict[str, Any], pages: Sequence[Page]) -> dict[str, Any]:
    """The grid's means with intervals over subjects, as docs/results.md has them, each recipe with the page that it belongs to."""
    cells, rows = grid["cells"], []
    owners = {recipe: page.name for page in pages for recipe in page.recipes}
    for recipe in dict.fromkeys(cell["recipe"] for cell in cells):
        own = [cell for cell in cells if cell["recipe"] == recipe]
        costs = {key: sum(cell[key] for cell in own) / len(own) for key in ("parameters", "bytes", "train_seconds", "picture_seconds")}
        rows.append({"recipe": recipe, "page": owners.get(recipe, ""), "subjects": len({cell["subject"] for cell in own}), **costs, "scores": estimates(own, "scores")})
    each = list({cell["subject"]: cell for cell in cells}.values())
    claims = [dict(zip(("says", "difference", "verdict"), results.tested(claim, cells))) for claim in results.CLAIMS if {claim.more, claim.less} <= {row["recipe"] for row in rows}]
    return {
        **{key: grid[key] for key in ("machine", "note", "prompts", "pictures")}, "subjects": [cell["subject"].removeprefix("toybox:") for cell in each],
        "floor": estimates(each, "floor"), "ceiling": estimates(each, "ceiling"), "rows": rows, "claims": claims,
    }  # fmt: skip


def estimates(cells: list[dict], key: str) -> dict[str, Any]:
    subjects = [cell["subject"] for cell in cells]
    return {score: rounded(asdict(bootstrap([cell[key][score] for cell in cells], subjects))) for score in COMPARED}


def rounded(estimate: dict[str, Any]) -> dict[str, Any]:
    return {key: round(estimate[key], 4) if isinstance(estimate[key], float) else estimate[key] for key in ("value", "low", "high", "n")}


# ---- pictures


def all_strips(runs: list[RunFolder], subject: NamedSubject) -> Iterator[dict[str, Any]]:
    judged = Judged(subject)
    photos = [draw(scene, SIDE) for scene in photos_of(subject)]
    yield saved("photos", photos_strip(photos, subject))
    yield saved("noise", noise_strip(photos[:2]))
    own = [run for run in runs if str(run.recipe(stage_types()).subject.photos) == f"toybox:{subject.name}"]
    bounds = None
    for page in read_pages():
        for shown in page.shown:
            methods = shown.stages or methods_of(page)
            fitting = [run for run in own if tuple(stage.method for stage in run.recipe(stage_types()).stages) == methods]
            rows, about = {"option": by_option, "checkpoint": by_checkpoint, "sampling": by_sampling}[shown.vary](fitting, shown)
            if len(rows) < 2:
                print(f"{page.name}, {shown.title}: no runs of {'+'.join(methods)} on {subject.name} that show it")
                continue
            base = base_pictures(own)
            strip = strip_of(rows, base, judged)
            yield saved(f"{page.name}-{shown.option}-{'-'.join(methods)}", {**strip, "page": page.name, "shown": page.shown.index(shown), "about": about})
            if bounds is None and strip["base"]:
                bounds = bounds_strip([tuple(column) for column in strip["columns"]], base, judged)
    if bounds:
        yield saved("bounds", bounds)


def methods_of(page: Page) -> tuple[str, ...]:
    if page.name in METHODS:
        return (page.name,)
    return tuple(stage.method for stage in packaged_recipe(page.name, {"photos": "toybox:biscuit"}, "toybox").stages)


def by_option(runs: list[RunFolder], shown: Shown) -> tuple[list[Row], dict]:
    """Of the runs that differ in the option alone, the largest group; the latest run of each value."""
    groups: dict[str, dict[Any, RunFolder]] = defaultdict(dict)
    for run in runs:
        recipe = run.recipe(stage_types())
        options = recipe.stages[-1].model_dump(mode="json", exclude=ASIDE)
        value = options.pop(shown.option)
        if len(options.get("words", ())) <= 1:
            groups[json.dumps([recipe.seed, without_effect(options, shown.option)])][value] = run
    if not groups:
        return [], {}
    group = max(groups.values(), key=len)
    values = sorted(group, key=lambda value: (isinstance(value, str), -ord(value[0]) if isinstance(value, str) else value))
    rows = [Row(said(value), pictures_of(group[value], drawn(group[value]))) for value in values]
    return rows, about(group[values[0]], shown.option)


def without_effect(options: dict[str, Any], varied: str) -> dict[str, Any]:
    """Where λ is varied, what describes class pictures may differ: at 0 there are none."""
    return {name: value for name, value in options.items() if varied != "prior_weight" or not name.startswith("class_")}


def by_checkpoint(runs: list[RunFolder], shown: Shown) -> tuple[list[Row], dict]:
    """The run that was drawn at most of its checkpoints."""
    steps = {run.name: sorted({p.labels["checkpoint"] for p in drawn(run)}) for run in runs}
    run = max(runs, key=lambda run: len(steps[run.name]), default=None)
    if run is None:
        return [], {}
    return [Row(str(step), pictures_of(run, [p for p in drawn(run) if p.labels["checkpoint"] == step])) for step in steps[run.name]], about(run, shown.option)


def by_sampling(runs: list[RunFolder], shown: Shown) -> tuple[list[Row], dict]:
    """The run that was drawn with most values of an option of drawing: of a blend, or the number of steps."""
    best: tuple[list[Row], dict] = [], {}
    for run in runs:
        last = max((p.labels.get("checkpoint", 0) for p in run.pictures()), default=0)
        of_last = [p for p in run.pictures() if p.labels.get("checkpoint") == last and p.labels["model"] in ("personalized", "blended")]
        groups: dict[float, list[SavedPicture]] = defaultdict(list)
        if shown.option in Blend.model_fields:
            for p in of_last:
                groups[float(str(p.settings.options.get(shown.option, 0)))].append(p)
            if groups[0]:
                groups[0] = [p for p in groups[0] if p.settings.steps == usual_steps(groups[0])]
        else:
            for p in of_last:
                if p.labels["model"] == "personalized":
                    groups[p.settings.steps].append(p)
        rows = [Row(f"{value:g}", pictures_of(run, group)) for value, group in sorted(groups.items())]
        if len(rows) > len(best[0]):
            guides = {str(p.settings.options["guide"]) for p in of_last if "guide" in p.settings.options}
            best = rows, {**about(run, shown.option), "checkpoint": last, **({"guide": guides.pop()} if guides else {})}
    return best


def drawn(run: RunFolder) -> list[SavedPicture]:
    """The pictures of the run's subject, drawn as the base wants it."""
    found = [p for p in run.pictures() if p.labels["model"] == "personalized"]
    return [p for p in found if p.settings.steps == usual_steps(found)]


def usual_steps(pictures: list[SavedPicture]) -> int:
    return Counter(p.settings.steps for p in pictures).most_common(1)[0][0]


def pictures_of(run: RunFolder, saved: list[SavedPicture]) -> dict[Key, Image.Image]:
    return {(p.labels["class_prompt"], p.settings.seed): Image.open(p.path).convert("RGB") for p in saved}


def base_pictures(runs: list[RunFolder]) -> dict[Key, Image.Image]:
    """What the base drew of the same prompts with the class noun, from the same noise: it is the same in all runs."""
    found: dict[Key, Image.Image] = {}
    for run in runs:
        found |= pictures_of(run, [p for p in run.pictures() if p.labels["model"] == "base"])
    return found


def about(run: RunFolder, varied: str) -> dict[str, Any]:
    """What a strip says of its runs: recipe, settings that are not the spec's, seed."""
    recipe = run.recipe(stage_types())
    stages = []
    for stage in recipe.stages:
        usual = type(stage).model_fields
        changed = {name: said(value) for name, value in stage if value != usual[name].get_default() and name not in ASIDE | {varied}}
        stages.append({"method": stage.method, "settings": {k: v for k, v in changed.items() if k not in ("word", "words", "initializer")} | {"steps": said(stage.steps)}})
    return {"stages": stages, "seed": recipe.seed, "base": recipe.base}


class Judged:
    """A subject's judges, asked about rows of pictures."""

    def __init__(self, subject: NamedSubject):
        self.subject, self.judges = subject, open_judges("toybox")
        self.references = References.of([draw(scene, SIDE) for scene in photos_of(subject)], self.judges)
        self.world = WorldScores(subject, candidates_for(subject, self.judges, self.references.dino), self.judges.clip)

    def scores(self, images: list[Image.Image], prompts: list[str]) -> dict[str, Any]:
        judges: Judges = self.judges
        found = scores_of(Seen.of([""] * len(images), images, prompts, prompts, judges), judges, self.references, self.world)
        return {name: rounded(found[name]) for name in COMPARED if name in found} | {"pictures": len(images)}

    def truth(self, columns: list[Key], appearance: Any) -> list[Image.Image]:
        """What an individual looks like in the asked scenes, one picture a column."""
        images = []
        for prompt in dict.fromkeys(prompt for prompt, _ in columns):
            images += true_pictures(self.subject.class_noun, appearance, [prompt], sum(other == prompt for other, _ in columns))[0]
        return images


def strip_of(rows: list[Row], base: dict[Key, Image.Image], judged: Judged) -> dict[str, Any]:
    shared = sorted(set.intersection(*(set(row.pictures) for row in rows)), key=place)
    columns = shared[:COLUMNS]
    tiles = [[row.pictures[key] for key in columns] for row in rows]
    if has_base := all(key in base for key in columns):
        tiles.append([base[key] for key in columns])
    tiles.append(judged.truth(columns, judged.subject.appearance))
    prompts = [prompt for prompt, _ in shared]
    return {
        "subject": judged.subject.name, "noun": judged.subject.class_noun, "columns": columns, "tiles": tiles,
        "rows": [{"value": row.value, "scores": judged.scores([row.pictures[key] for key in shared], prompts)} for row in rows],
        "base": judged.scores([base[key] for key in columns], [prompt for prompt, _ in columns]) if has_base else None,
        **{name: judged.scores(judged.truth(shared, who), prompts) for name, who in bounds_of(judged.subject).items()},
    }  # fmt: skip


def bounds_of(subject: NamedSubject) -> dict[str, Any]:
    return {"floor": distractors(subject, 1, same_words=True)[0], "ceiling": subject.appearance}


def bounds_strip(columns: list[Key], base: dict[Key, Image.Image], judged: Judged) -> dict[str, Any]:
    """What the scores are held against: another of the same words, the base, the true subject."""
    truths = {name: judged.truth(columns, who) for name, who in bounds_of(judged.subject).items()}
    rows = {"floor": truths["floor"], "base": [base[key] for key in columns], "ceiling": truths["ceiling"]}
    scores = [{"value": name, "scores": judged.scores(images, [prompt for prompt, _ in columns])} for name, images in rows.items()]
    return {"subject": judged.subject.name, "noun": judged.subject.class_noun, "columns": columns, "tiles": list(rows.values()), "rows": scores}


def place(key: Key) -> tuple:
    """The scenes that are shown come first."""
    return next((n for n, scene in enumerate(SCENES) if scene in key[0].lower()), len(SCENES)), *key


def photos_strip(photos: list[Image.Image], subject: NamedSubject) -> dict[str, Any]:
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
    sheet = Image.new("RGB", (SIDE * len(tiles[0]), SIDE * len(tiles)))
    for y, row in enumerate(tiles):
        for x, picture in enumerate(row):
            sheet.paste(picture.resize((SIDE, SIDE)) if picture.size != (SIDE, SIDE) else picture, (SIDE * x, SIDE * y))
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=88, method=6)
    (DATA / f"{name}.webp").write_bytes(file.getvalue())
    return {"name": name, "file": f"{name}.webp", "height": len(tiles), **strip}


if __name__ == "__main__":
    main()
