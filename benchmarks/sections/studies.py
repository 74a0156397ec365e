"""The tables of published studies, with the toybox's figures beside theirs."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from weights import by_weights, embedded, outdated

from likeness.evaluation.statistics import bootstrap, paired_difference

from .dreamblend import best
from .writing import heading, number, short, table

FIGURES = Path(__file__).parent.parent / "results"
REGIMES = {  # of a reproduction on Stable Diffusion 1.5, CLIP ViT-B/32, one dog: likest photo, mean, prompt, sameness, deviations of likeness and prompt
    "overfit": (0.881, 0.870, 0.275, 0.915, 0.055, 0.031), "balanced": (0.855, 0.843, 0.288, 0.903, 0.066, 0.029), "underfit": (0.784, 0.773, 0.296, 0.880, 0.066, 0.029),
}  # fmt: skip
OF_REGIMES = {"dino_max": "likest photo", "dino": "mean", "clip_t_class": "prompt", "diversity": "sameness", "dino_sd": "deviation, likeness", "clip_t_class_sd": "deviation, prompt"}
CONTINUED = {  # the same study: CLIP-I to the photos, to the base's picture, CLIP-T of the base and of the run, LPIPS; means and deviations
    "face": ((0.795, 0.055), (0.636, 0.090), (0.268, 0.020), (0.253, 0.023), (0.596, 0.044)),
    "monster_toy": ((0.693, 0.110), (0.395, 0.202), (0.288, 0.023), (0.291, 0.025), (0.699, 0.048)),
}
TWO_STAGE = {"two_stage": (0.800, 0.629, 0.859, 0.718), "dreambooth": (0.753, 0.540, 0.841, 0.690)}  # CLIP-I and DINO, diverse and simple prompts, Stable Diffusion 2.1
BLENDS = {  # DreamBlend's Table 1, Stable Diffusion 1.5: DINO, CLIP-I, CLIP-T
    "real": (0.774, 0.885, None), "textual_inversion:vectors=4": (0.569, 0.780, 0.255), "dreambooth": (0.659, 0.805, 0.296), "custom_diffusion:trained=kv": (0.627, 0.789, 0.286),
}
SWEEPS = {  # Nanuvala's study, Stable Diffusion 1.5 and 1.4: CLIP-T, CLIP-I, DINO (of LoRA, which learned a style, CLIP-T alone)
    "λ": {f"dreambooth:prior_weight={weight}": scores for weight, scores in (
        ("0.25", (0.274, 0.823, 0.588)), ("0.5", (0.272, 0.823, 0.560)), ("0.75", (0.269, 0.845, 0.564)), ("1", (0.269, 0.800, 0.462)))},
    "rank": {"lora:rank=4": (0.249, None, None), "lora:rank=8": (0.244, None, None), "lora:rank=16": (0.183, None, None)},
    "vectors": {f"textual_inversion:vectors={count}": scores for count, scores in (
        (1, (0.241, 0.798, 0.628)), (2, (0.237, 0.819, 0.664)), (4, (0.271, 0.857, 0.687)), (8, (0.277, 0.834, 0.690)))},
    "cross-attention": {"custom_diffusion:trained=kv": (0.257, 0.741, 0.081), "custom_diffusion:trained=all": (0.258, 0.723, 0.005)},
}  # fmt: skip
SCORES = ("clip_t_class", "clip_i", "dino")
Weights = dict[str, str]  # by part of the toybox, as weights.embedded names them


def also_measured_with() -> dict[str, Weights]:
    """Of the other files' figures that stand here again, by the job that measured them."""
    grid, blends = figures("grid"), figures("dreamblend")
    shown = {grid["jobs"][recipe] for recipes in (TWO_STAGE, BLENDS, *SWEEPS.values()) for recipe in recipes if recipe in grid["jobs"]}
    return {job: of for job, of in grid["measured with"].items() if job in shown} | {"DreamBlend": blends["measured with"]["report"]}


def figures(name: str) -> dict:
    return json.loads((FIGURES / f"{name}.json").read_text("utf-8"))


def studies(found: dict) -> Iterator[str]:
    """What benchmarks/studies.py wrote, and the other files' figures again, each in the form that somebody published."""
    grid = figures("grid")
    yield heading("The studies' tables, here", found)
    yield "Theirs are of photographs and Stable Diffusion, measured with CLIP, DINO and LPIPS, mostly one training and no interval; the toybox's are of its own judges. So columns do not compare: what goes up and what goes down does. All rows of a table were measured with the same weights; one that was not waits until it is.\n"
    yield from three_regimes(found["regimes"])
    yield from continued(found["beside base"])
    yield from two_stages(grid, found)
    yield from beside_dreamblend(grid)
    yield from sweeps(grid)


def three_regimes(lines: list[dict]) -> Iterator[str]:
    of = {recipe: {line["subject"]: line["scores"] for line in lines if line["recipe"] == recipe} for recipe in REGIMES}
    subjects = list(of["overfit"])
    yield f"\n### DreamBooth's regimes ({', '.join(subjects)})\n"
    yield table(["regime", *(f"{title}: theirs, here" for title in OF_REGIMES.values())], [
        [regime, *(f"{number(theirs)}, {short(bootstrap([of[regime][s][score] for s in subjects], subjects))}" for theirs, score in zip(REGIMES[regime], OF_REGIMES))] for regime in REGIMES
    ])  # fmt: skip
    yield "\nTheir deviation of likeness is of the likest photo, as their first column; here it is of the mean over photos."
    rows = []
    for title, score, order in (("likeness falls from overfit over balanced to underfit", "dino", ("overfit", "balanced", "underfit")),
                                ("obedience rises", "clip_t_class", ("underfit", "balanced", "overfit")),
                                ("sameness falls", "diversity", ("overfit", "balanced", "underfit"))):  # fmt: skip
        steps = [paired_difference([of[more][s][score] for s in subjects], [of[less][s][score] for s in subjects], groups=subjects) for more, less in zip(order, order[1:])]
        held = [one.low is not None and one.low > 0 for one in steps]
        against = [one.high is not None and one.high < 0 for one in steps]
        verdict = "**confirmed**" if all(held) else "**refuted** in part" if any(against) else "confirmed in part, the rest open" if any(held) else "open"
        rows.append([title, *(f"{more} less {less}: {short(one, signed=True)}" for more, less, one in zip(order, order[1:], steps)), verdict])
    yield "\n" + table(["they found", "first step here", "second step here", "verdict"], rows)


def continued(lines: list[dict]) -> Iterator[str]:
    yield "\n### A face and a toy, trained on after a look\n"
    yield "One subject each here as there, ten prompts of ten pictures: means, no interval beyond one subject. Likeness is CLIP-I there, which hardly measures it here: a look-alike's stands below, and DINO beside it. Variety is LPIPS there, and here its stand-in by the toybox's judge.\n"
    titles = ["CLIP-I to the photos (here hardly likeness)", "CLIP-I to the base's picture", "obedience of the base (CLIP-T)", "obedience of the run (CLIP-T)", "variety"]
    head, rows = ["measure"], [[title] for title in titles]
    for line in lines:
        run, base = line["rows"]["personalized"], line["rows"]["base"]
        here = [run["clip_i"], run["clip_i_base"], base["clip_t_class"], run["clip_t_class"], run["perceptual"]]
        head += [f"{line['recipe']}, theirs (1200 steps)", f"{line['recipe']}: {line['subject']} ({line['steps']} steps)"]
        for row, (mean, deviation), value in zip(rows, CONTINUED[line["recipe"]], here):
            row += [f"{number(mean)} ± {number(deviation)}", number(value)]
    yield table(head, rows)
    for line in lines:
        (run, base), (_, _, was, became, _) = (line["rows"][name] for name in ("personalized", "base")), CONTINUED[line["recipe"]]
        twin = next(scores for name, scores in line["rows"].items() if name.startswith("floor"))
        change = (became[0] - was[0]) / was[0], (run["clip_t_class"] - base["clip_t_class"]) / base["clip_t_class"]
        yield f"\n{line['recipe']}: obedience changed by {change[0]:+.1%} there, by {change[1]:+.1%} here; here DINO to the photos is {number(run['dino'])}, the base's {number(base['dino'])}, a look-alike's {number(twin['dino'])}; CLIP-I {number(run['clip_i'])}, {number(base['clip_i'])} and {number(twin['clip_i'])}."


def two_stages(grid: dict, found: dict) -> Iterator[str]:
    yield "\n### Two stages against DreamBooth (Zeng et al., Table 1)\n"
    cells, measured = together(grid, TWO_STAGE)
    diverse = {recipe: {c["subject"].removeprefix("toybox:"): c["scores"] for c in cells if c["recipe"] == recipe} for recipe in TWO_STAGE}
    alone = {recipe: {s["subject"]: {key: float(np.mean(s[key])) for key in ("clip_i", "dino")} for s in found["simple"] if s["recipe"] == recipe} for recipe in TWO_STAGE}
    subjects = ", ".join(alone["two_stage"])
    yield f"Diverse prompts, the {len(diverse['two_stage'])} subjects of the methods' grid{before(measured)}:\n" if cells else "Diverse prompts:\n"
    yield table(["method", "CLIP-I: theirs, here", "DINO: theirs, here"], two_rows(diverse, 0))
    yield f"\nSimple prompt, 64 pictures each of {subjects}{before(found['measured with']['studies'])}:\n"
    yield table(["method", "CLIP-I: theirs, here", "DINO: theirs, here"], two_rows(alone, 2))


def two_rows(of: dict[str, dict[str, dict[str, float]]], column: int) -> list[list[str]]:
    """Both methods beside theirs, which begin at a column of TWO_STAGE, and their difference; they wait where there are no figures of both."""
    scores = ("clip_i", "dino")
    if not all(of.values()):
        return [[f"`{recipe}`", *(f"{number(value)}, waits" for value in theirs[column : column + 2])] for recipe, theirs in TWO_STAGE.items()]
    rows = [[f"`{recipe}`", *(f"{number(value)}, {shown(of[recipe], score)}" for value, score in zip(theirs[column:], scores))] for recipe, theirs in TWO_STAGE.items()]
    return [*rows, ["difference here", *(short(paired(of["two_stage"], of["dreambooth"], score), signed=True) for score in scores)]]


def together(grid: dict, recipes: Iterable[str]) -> tuple[list[dict], Weights]:
    """The grid's cells of these recipes that were measured with the same weights, and which: those of most recipes, the newest of as many. None where no two were measured together."""
    asked, groups = set(recipes), by_weights(grid, embedded())
    kept = max(([c for c in group if c["recipe"] in asked] for group in groups), key=lambda cells: len({c["recipe"] for c in cells}))
    if len({c["recipe"] for c in kept}) < 2:
        return [], {}
    return kept, grid["measured with"][grid["jobs"][kept[0]["recipe"]]]


def before(measured: Weights) -> str:
    return ", with weights of before" if outdated({"": measured}, embedded()) else ""


def shown(of: dict[str, dict[str, float]], score: str) -> str:
    return short(bootstrap([scores[score] for scores in of.values()], list(of)))


def paired(more: dict[str, dict[str, float]], less: dict[str, dict[str, float]], score: str):
    subjects = [s for s in more if s in less]
    return paired_difference([more[s][score] for s in subjects], [less[s][score] for s in subjects], groups=subjects)


def beside_dreamblend(grid: dict) -> Iterator[str]:
    """Table 1 of DreamBlend: the best operating point by F1 of each method's training."""
    yield "\n### DreamBlend beside others (its Table 1)\n"
    blends = figures("dreamblend")
    subjects = list(dict.fromkeys(line["subject"] for line in blends["report"]))
    blended = []
    for title, theirs, is_blend in (("DreamBooth, best checkpoint", (0.659, 0.805, 0.296), False), ("DreamBlend, best blend", (0.675, 0.808, 0.308), True)):
        chosen = best(blends["report"], is_blend)
        here = ["not measured" if score == "clip_i" else short(bootstrap([float(np.mean(line[score])) for line in chosen], subjects)) for score in ("dino", "clip_i", "clip_t")]
        blended.append([title, len(subjects), *(f"{number(value)}, {text}" for value, text in zip(theirs, here))])
    cells, measured = together(grid, BLENDS)
    others = []
    for recipe, theirs in BLENDS.items():
        mine = [c for c in cells if c["recipe"] == ("dreambooth" if recipe == "real" else recipe)]
        kept = [c["real"] if recipe == "real" else c["scores"] for c in mine]
        names = [c["subject"] for c in mine]
        title = "real photos, each against the others" if recipe == "real" else f"`{recipe}`, the grid's"
        known = zip(theirs, ("dino", "clip_i", "clip_t_class"))
        others.append([title, len(kept) or "", *(f"{number(value)}, {short(bootstrap([one[score] for one in kept], names)) if kept else 'waits'}" if value else "" for value, score in known)])
    head = ["method", "subjects", *(f"{title}: theirs, here" for title in ("DINO", "CLIP-I", "CLIP-T"))]
    of_blends = blends["measured with"]["report"]
    if of_blends == measured:
        yield table(head, [*blended, *others])
    else:
        yield table(head, others) + f"\n\nBlends and their checkpoints{before(of_blends)}, which do not compare with those above:\n\n" + table(head, blended)
    yield "\nBest checkpoint and best blend are chosen by F1 on the very pictures that are shown, as theirs were, in other scenes than the rest."


def sweeps(grid: dict) -> Iterator[str]:
    yield "\n### λ, rank, vectors, and what of cross-attention (Nanuvala)\n"
    for sweep, recipes in SWEEPS.items():
        cells, measured = together(grid, recipes)
        of = {recipe: [c for c in cells if c["recipe"] == recipe] for recipe in recipes}
        shared = set.intersection(*({c["subject"] for c in mine} for mine in of.values() if mine)) if cells else set()
        rows = []
        for recipe, theirs in recipes.items():
            kept = [c for c in of[recipe] if c["subject"] in shared]
            here = [short(bootstrap([c["scores"][score] for c in kept], [c["subject"] for c in kept])) if kept else "waits" for score in SCORES]
            rows.append([f"`{recipe}`", len(kept) or "", *(f"{number(value) if value else 'none'}, {text}" for value, text in zip(theirs, here))])
        yield f"\n{sweep}{before(measured) if cells else ''}:\n"
        yield table(["recipe", "subjects", *(f"{title}: theirs, here" for title in ("CLIP-T", "CLIP-I", "DINO"))], rows)
    yield "\nWhat of it holds stands above, under what others found."
