"""A method over the toybox's subjects: is the subject named among ten others, is the context right, what do cosines say?

    python benchmarks/subjects.py OUT.json [--method dreambooth] [--subjects biscuit,…] [--set prior_weight=0 …] [--label balanced]

For each subject: train with the base's advice (and --set), draw ToyBench's recontextualization prompts from shared
noise, with the base asked for every describable word beside it, and score. Runs that are finished under --runs are
not trained again; their scores replace those of OUT.json under the same label.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from kept import finished
from PIL import Image

from likeness.evaluation import metrics
from likeness.evaluation.statistics import bootstrap
from likeness.files.picture import Settings
from likeness.files.prompts import said
from likeness.files.run_folder import RunFolder
from likeness.methods import packaged_recipes
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.report.grids import contact_sheet
from likeness.toybox.check import named
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.looking import Judges, open_judges
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.recipes import packaged_recipe, recipe_for
from likeness.workflow.truth import candidates_for, true_pictures
from likeness.world.captions import article
from likeness.world.contexts import CONTEXTS
from likeness.world.random_scenes import NAMED_CONTEXTS
from likeness.world.subjects import OPEN_SUBJECTS, SUBJECTS, NamedSubject, ToyPrompt, lookalikes, prompts_for

PROMPTS = 10  # of the recontextualization prompts
SEEDS = range(2)


def prepare(subject: NamedSubject, method: str, options: dict, runs: Path, label: str, beside_base: bool) -> RunFolder:
    """A finished run of the subject with its pictures, and the base's of the same noise, told all that words can say."""
    run = finished(runs, f"{label}-{subject.name}-*")
    if run is None:
        photos = {"photos": f"toybox:{subject.name}"}
        recipe = packaged_recipe(method, photos) if method in packaged_recipes() else recipe_for(method, options, photos)
        run = fit(recipe, runs, Silent(), name=f"{label}-{subject.name}")
    prompts = chosen(subject)
    generate(run, [p.template for p in prompts], SEEDS, Silent(), beside_base=False)
    if not beside_base or any(p.labels["model"] == "base" for p in run.pictures()):
        return run
    base = Base.open("toybox")
    wanted = base.advice["sampling"]
    asked = [(said(p.template, subject.describable), said(p.template, subject.class_noun), seed) for p in prompts for seed in SEEDS]
    drawn = sample(base, [a for a, _, _ in asked], [s for _, _, s in asked], **wanted)
    for picture, (prompt, class_prompt, seed) in zip(drawn, asked):
        settings = Settings(
            prompt=prompt, sampler="DDIM", **wanted, seed=seed, model=base.name,
            width=picture.width, height=picture.height, model_hash=base.hash,
        )  # fmt: skip
        run.add_picture(picture, settings, {"model": "base", "class_prompt": class_prompt, "checkpoint": 0})
    return run


def chosen(subject: NamedSubject) -> list[ToyPrompt]:
    return [p for p in prompts_for(subject.class_noun) if p.kind == "recontextualization"][:PROMPTS]


def measure(subject: NamedSubject, run: RunFolder, judges: Judges, label: str) -> list[dict]:
    """One line a picture, of the personalized model, the base, the truth and another individual of the same words."""
    contexts = {said(p.template, subject.class_noun): p.context for p in chosen(subject)}
    references = judges.dino.pictures([p.image for p in run.photos() if p.image])
    candidates = candidates_for(subject, judges, references)
    sets: dict[str, tuple[list, list]] = {}
    for kind, name in (("personalized", "personalized"), ("base", "base, all words")):
        saved = [p for p in run.pictures() if p.labels["model"] == kind]
        if not saved:
            continue
        sets[name] = ([Image.open(p.path).convert("RGB") for p in saved], [p.labels["class_prompt"] for p in saved])
    sets["truth"] = true_pictures(subject.class_noun, [subject.appearance], list(contexts), each=2)
    sets["others of the same words"] = true_pictures(subject.class_noun, lookalikes(subject, len(contexts)), list(contexts), each=2)
    lines = []
    texts = {c: f"{article(subject.class_noun)} {CONTEXTS[c].words}" for c in NAMED_CONTEXTS}
    for kind, (images, prompts) in sets.items():
        seen, shown = judges.dino.pictures(images), judges.clip.pictures(images)
        answers = named(judges.clip, shown, [list(texts.values())] * len(images))
        cosines, likest = metrics.subject_similarity_mean(seen, references), metrics.identify(seen, candidates)
        texts_of = metrics.prompt_similarity(shown, judges.clip.texts(prompts))
        for n, prompt in enumerate(prompts):
            same = [m for m, other in enumerate(prompts) if other == prompt and m != n]
            lines.append({
                "label": label, "subject": subject.name, "kind": kind, "prompt": prompt, "named": bool(likest[n] == 0),
                "context": bool(list(texts)[answers[n]] == contexts[prompt]), "dino": round(float(cosines[n]), 4),
                "clip_t": round(float(texts_of[n]), 4), "sameness": round(float(np.mean(seen[same] @ seen[n])), 4),
            })  # fmt: skip
    return lines


def sheet(wanted: list[NamedSubject], runs: dict[str, RunFolder]) -> Image.Image:
    """A row a subject: two photos, four personalized pictures of four scenes, and the base's of the first two from the same noise."""
    rows, places = [], [CONTEXTS[p.context].words for p in chosen(wanted[0])]
    for subject in wanted:
        saved = runs[subject.name].pictures()
        drawn = {kind: [Image.open(p.path).convert("RGB") for p in saved if p.labels["model"] == kind] for kind in ("personalized", "base")}
        step = len(SEEDS)  # the first seed of each prompt
        photos = [p.image for p in runs[subject.name].photos() if p.image]
        rows.append([*photos[:2], *drawn["personalized"][: 4 * step : step], *drawn["base"][: 2 * step : step]])
    return contact_sheet(rows, column_titles=["photo", "photo", *places[:4], *(f"base: {place}" for place in places[:2])])


def summary(lines: list[dict]) -> None:
    for label in dict.fromkeys(line["label"] for line in lines):
        mine = [line for line in lines if line["label"] == label]
        print(f"{label}: {len({line['subject'] for line in mine})} subjects")
        for kind in dict.fromkeys(line["kind"] for line in mine):
            rows = [line for line in mine if line["kind"] == kind]
            people = [line["subject"] for line in rows]
            cells = [f"{key} {bootstrap([float(line[key]) for line in rows], people)}" for key in ("named", "context", "dino", "clip_t", "sameness")]
            print(f"  {kind:28} " + "  ".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", default=",".join(s.name for s in OPEN_SUBJECTS))
    parser.add_argument("--method", default="dreambooth", help="a method or a recipe of the package")
    parser.add_argument("--set", nargs="*", default=[], dest="options")
    parser.add_argument("--label", default="balanced")
    parser.add_argument("--runs", type=Path, default=Path("runs/subjects"))
    parser.add_argument("--sheet", type=Path, help="where to write a sheet of photos, personalized pictures and the base's")
    parser.add_argument("--no-base", action="store_true", help="leave out the base's pictures, which another label has")
    parser.add_argument("--draw-only", action="store_true", help="train and draw; score later with the same command")
    asked = parser.parse_args()
    options = {key: json.loads(value) for key, _, value in (o.partition("=") for o in asked.options)}
    wanted = [SUBJECTS[name] for name in asked.subjects.split(",")]
    runs = {}
    with Progress().task(f"{asked.label}: train and draw", len(wanted)) as task:
        for subject in wanted:
            runs[subject.name] = prepare(subject, asked.method, options, asked.runs, asked.label, not asked.no_base)
            task.advance(note=subject.name)
    if asked.sheet:
        sheet(wanted, runs).save(asked.sheet)
    if asked.draw_only:
        return
    lines = json.loads(asked.out.read_text()) if asked.out.exists() else []
    lines = [line for line in lines if line["label"] != asked.label or line["subject"] not in runs]
    judges = open_judges("toybox")
    for subject in wanted:
        lines += measure(subject, runs[subject.name], judges, asked.label)
    asked.out.write_text("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n")
    summary(lines)


if __name__ == "__main__":
    main()
