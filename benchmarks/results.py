"""Write docs/results.md from the figures in benchmarks/results/*.json.

    python benchmarks/results.py

Each file there is what another command printed or wrote; which one is said beside its table. A better base costs a rerun of those
whose cells are missing, and this.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness.evaluation.operating_points import f1_difference
from likeness.evaluation.statistics import Comparison, Estimate, bootstrap, bootstrap_of, f1, paired_difference, pareto_front
from likeness.methods import METHODS
from likeness.toybox.models import ADVICE
from likeness.workflow.stack import method_class

HERE = Path(__file__).parent
FIGURES = HERE / "results"
PAGE = HERE.parent / "docs" / "results.md"
SCORES = {
    "named": "named", "dino": "DINO", "placed": "placed", "clip_t_class": "CLIP-T", "diversity": "sameness",
}  # fmt: skip
BEGINNING = """# Results

This page is written by `python benchmarks/results.py` from the figures in `benchmarks/results/`; change it there.

Every number is of the toybox: a small base and judges of our own on drawn scenes of 64 pixels. What holds here is a hint for Stable Diffusion and no
measurement of it. Intervals are 95 %, over subjects (bootstrap with Student's widening), in brackets.

- **named**: share of pictures in which the identity judge picks the subject among ten others of its class of whom the same words are true.
- **DINO**: mean cosine of the identity judge between a picture and the subject's photos. **placed**: share in which the text–image judge finds the asked place
  among all places. **CLIP-T**: cosine of picture and prompt, with the class noun. **sameness**: mean cosine between the pictures of one prompt; lower is more varied.
- floor: another individual of whom the same words are true, drawn by the world in the asked places. ceiling: the subject itself.
"""


@dataclass(frozen=True)
class Claim:
    """`more` scores higher than `less` in `score`, somebody says."""

    says: str
    more: str
    less: str
    score: str
    holds: bool = True  # False: the claim is that there is no such gain


CLAIMS = (
    Claim("Textual Inversion: four vectors hold more of a subject than one (Nanuvala's study on Stable Diffusion 1.5, DINO .687 against .628)",
          "textual_inversion:vectors=4", "textual_inversion:vectors=1", "dino"),
    Claim("… and eight hold no more than four (DINO .690 against .687)", "textual_inversion:vectors=8", "textual_inversion:vectors=4", "dino", holds=False),
    Claim("LoRA: rank 16 follows prompts worse than rank 4 (the same study, CLIP-T .183 against .249)", "lora:rank=4", "lora:rank=16", "clip_t_class"),
    Claim("Custom Diffusion: keys and values alone hold more of a subject than the whole cross-attention (the same, DINO .081 against .005)",
          "custom_diffusion:trained=kv", "custom_diffusion:trained=all", "dino"),
    Claim("DreamBooth: prior preservation with λ = 1 costs identity", "dreambooth", "dreambooth:prior_weight=1", "dino"),
    Claim("Two stages hold more of a subject than DreamBooth (Zeng et al., DINO .629 against .540 on Stable Diffusion 2.1)", "two_stage", "dreambooth", "dino"),
)  # fmt: skip


def main() -> None:
    parts = [BEGINNING]
    for name, write in SECTIONS.items():
        path = FIGURES / f"{name}.json"
        if path.exists():
            parts.append("\n".join(write(json.loads(path.read_text("utf-8")))))
    parts.append("\n".join(settings()))
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {PAGE}")


def world(found: dict) -> Iterator[str]:
    """What benchmarks/check.py wrote."""
    yield f"## The base and the judges\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"
    yield table(["on pictures that nothing was trained on", "measured", "bar", ""], [measured(row) for row in found["rows"]])
    yield "\n### Who is who: the judges of individuals against the world's truth\n"
    yield "Share of an individual's pictures, in pairs of scenes, that are known where so large a share of its twins by words (or of others of its class that share no words) are taken for it; a threshold a family, intervals over families. `examiner` is the second judge, for last measurements.\n"
    shares = [f"{line['false']:.0%} false" for line in found["roc"]["dino"]["twins"]]
    yield table(["judge", "told from", *shares], [
        [f"`{judge}`", against, *(share({k: v for k, v in line.items() if k != "false"}) for line in lines)] for judge, kinds in found["roc"].items() for against, lines in kinds.items()
    ])  # fmt: skip
    yield "\nMean cosines of `dino` by class: between two scenes of one individual (ceiling), of twins by words (floor), of others of the class.\n"
    yield table(["class", "families", "ceiling", "floor", "others"], [
        [noun, str(f["families"]), *(number(f[name]) for name in ("same", "twins", "others"))] for noun, f in found["classes"].items()
    ])  # fmt: skip
    yield ""


def measured(row: dict) -> list[str]:
    estimate = Estimate(row["value"], row["low"], row["high"], row["n"])
    if row["bar"] is None:
        return [row["what"], short(estimate), "", ""]
    low, high = row["bar"][0] or 0.0, float("inf") if row["bar"][1] is None else row["bar"][1]
    wanted = f"≥ {low:g}" if high == float("inf") else f"≤ {high:g}" if not low else f"{low:g} to {high:g}"
    return [row["what"], short(estimate), wanted, "reached" if low <= estimate.value <= high else "**not reached**"]


def grid(found: dict) -> Iterator[str]:
    """compare.json of the methods' grid."""
    cells = found["cells"]
    subjects = list(dict.fromkeys(cell["subject"].removeprefix("toybox:") for cell in cells))
    recipes = list(dict.fromkeys(cell["recipe"] for cell in cells))
    yield f"## The methods side by side\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"
    yield f"{len(recipes)} recipes with the toybox's advice, {len(subjects)} subjects ({', '.join(subjects)}), {found['prompts']} new scenes, {found['pictures']} pictures of each.\n"
    yield table(["recipe", "subjects", "trained", "stored", "train s", "s/picture", *SCORES.values()], [
        *([f"*{name}*", str(len(subjects)), "", "", "", "", *bounds(cells, name)] for name in ("floor", "ceiling")),
        *(row(recipe, [cell for cell in cells if cell["recipe"] == recipe]) for recipe in recipes),
    ])  # fmt: skip
    seeds = len({cell["seed"] for cell in cells})
    yield f"\nSeconds are of one thread beside another such process. {len(cells)} trainings, {seeds} seed{'s' * (seeds > 1)} each. Rows of other subjects do not compare.\n"
    yield "## What others found, on the toybox\n"
    yield "Paired on subjects: each difference is of the two recipes on the same subject, prompts and noise.\n"
    yield table(["claim", "difference here", "verdict"], [tested(claim, cells) for claim in CLAIMS if {claim.more, claim.less} <= set(recipes)])
    yield from cheaper(cells)


def row(recipe: str, cells: list[dict]) -> list[str]:
    mean = {key: sum(cell[key] for cell in cells) / len(cells) for key in ("parameters", "bytes", "train_seconds", "picture_seconds")}
    stored = f"{mean['bytes'] / 2**20:.1f} MiB" if mean["bytes"] > 2**19 else f"{mean['bytes'] / 2**10:.0f} KiB"
    return [f"`{recipe}`", str(len({cell["subject"] for cell in cells})), f"{mean['parameters']:,.0f}", stored, f"{mean['train_seconds']:.0f}", f"{mean['picture_seconds']:.2f}", *estimates(cells, "scores")]


def estimates(cells: list[dict], key: str) -> list[str]:
    subjects = [cell["subject"] for cell in cells]
    return [short(bootstrap([cell[key][score] for cell in cells], subjects)) for score in SCORES]


def bounds(cells: list[dict], key: str) -> list[str]:
    """Of each subject once: floor and ceiling do not depend on the recipe."""
    return estimates(list({cell["subject"]: cell for cell in cells}.values()), key)


def compared(cells: list[dict], more: str, less: str, score: str) -> Comparison:
    by = {(cell["recipe"], cell["subject"], cell["seed"]): cell["scores"][score] for cell in cells}
    shared = [key for key in {(c["subject"], c["seed"]): None for c in cells} if (more, *key) in by and (less, *key) in by]
    values = ([by[(recipe, *key)] for key in shared] for recipe in (more, less))
    return paired_difference(*values, groups=[subject for subject, _ in shared])


def tested(claim: Claim, cells: list[dict]) -> list[str]:
    difference = compared(cells, claim.more, claim.less, claim.score).difference
    if difference.low is None or difference.high is None:
        verdict = "open: one subject only"
    elif difference.low > 0:
        verdict = "**confirmed**" if claim.holds else "**refuted**: there is a gain"
    elif difference.high < 0:
        verdict = "**refuted**: it is the other way round" if claim.holds else "**confirmed**: it is lower"
    else:
        verdict = "open: the interval holds 0" if claim.holds else "not contradicted: no gain is seen"
    return [f"{claim.says}", f"{SCORES[claim.score]} {short(difference, signed=True)}", verdict]


def cheaper(cells: list[dict]) -> Iterator[str]:
    spent = {r: [c["train_seconds"] for c in cells if c["recipe"] == r] for r in ("two_stage", "dreambooth")}
    if all(spent.values()):
        two, one = (sum(values) / len(values) for values in spent.values())
        yield f"\nTwo stages took {two:.0f} s of training, DreamBooth {one:.0f} s.\n"


def settings() -> Iterator[str]:
    """What a method does when nothing is said: on Stable Diffusion by its spec, on the toybox by the base's advice."""
    yield "\n## Defaults\n"
    yield "On Stable Diffusion they are what the sources say and were not measured here. On the toybox they were chosen on biscuit, mimi, clover and daypack (docs/log.md), which no table here holds.\n"
    rows = []
    for name in METHODS:
        kind, advised = method_class(name).Spec, ADVICE.get(name, {})
        for option in ("learning_rate", "steps", "batch_size", "prior_weight", "rank", "vectors"):
            if (known := kind.model_fields.get(option)) is None:
                continue
            source = next((s.strip() for s in (known.description or "").split(". ") if s.startswith(("Default", "Source"))), "")
            rows.append([f"`{name}`", f"`{option}`", f"{known.default:g}", source.removesuffix("."), f"{advised.get(option, known.default):g}"])  # type: ignore[str-format]
    yield table(["method", "option", "Stable Diffusion", "source", "toybox"], rows)


def steps(found: dict) -> Iterator[str]:
    """What benchmarks/step.py prints, for each method."""
    yield f"## A training step beside the bare loop\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"
    yield table(["method", "bare s", "likeness / bare", "quartiles", "uncached / bare", "quartiles"], [
        [f"`{m['method']}`", f"{m['seconds']['bare']:.4f}", *(cell for name in ("likeness", "likeness, uncached") for cell in (
            f"{m[f'ratio {name}']:.3f}", "–".join(f"{q:.3f}" for q in m[f"ratio {name}, quartiles of rounds"])))]
        for m in found["methods"]
    ])  # fmt: skip


def pairs(found: dict) -> Iterator[str]:
    """Scores of runs with two subjects."""
    yield f"\n## Two subjects in one picture\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"
    kinds = list(dict.fromkeys(line["kind"] for line in found["lines"]))
    names = ("both", "first", "second")
    rows = []
    for kind in kinds:
        lines = [line for line in found["lines"] if line["kind"] == kind]
        rows.append([kind, *(short(bootstrap([line[name] for line in lines], [line["pair"] for line in lines])) for name in names)])
    yield table(["pictures", "both named", "first named", "second named"], rows)


def style(found: dict) -> Iterator[str]:
    """Scores of style LoRAs."""
    yield f"\n## A style\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"
    yield table(["pictures", "in the style", "placed"], [[line["kind"], *(share(line[name]) for name in ("styled", "placed"))] for line in found["lines"]])


def choice(found: dict) -> Iterator[str]:
    """Likeness and obedience of every checkpoint, by subject and prompt: chosen on one half of the prompts, compared with the last on the other, both ways."""
    subjects = list(dict.fromkeys(line["subject"] for line in found["lines"]))
    runs = {name: [line for line in found["lines"] if line["subject"] == name] for name in subjects}
    steps, prompts = (len({line[key] for line in runs[subjects[0]]}) for key in ("step", "prompt"))
    yield f"\n## Which checkpoint\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"
    yield f"DreamBooth with the toybox's advice, {steps} checkpoints, {len(subjects)} subjects ({', '.join(subjects)}), {prompts} new scenes, {found['seeds']} pictures of each, all from the same noise. A checkpoint is chosen by its F1 of DINO and CLIP-T on half of the prompts, as `likeness choose` does, and compared with the last on the other half; then the halves change places.\n"
    rules = {
        "recommended by `likeness choose`": chosen,
        "the best on the compared half itself, which nobody knows": lambda seen, held: chosen(held, held),
        **{f"ended and recommended as by `--until-settled {n}`": (lambda seen, held, n=n: chosen({step: seen[step] for step in list(seen)[: settled(seen, n)]}, held)) for n in (1, 2, 3, 4)},
    }  # fmt: skip
    rows = []
    for title, rule in rules.items():
        found_by = [[against_last(rule, *halves) for halves in both_ways(lines)] for lines in runs.values()]
        mean = [[sum(column) / 2 for column in zip(*pair)] for pair in found_by]  # of the two ways, by subject
        rows.append([title, f"{sum(values[0] for values in mean) / len(mean):.0f}", *(over_subjects([values[n] for values in mean]) for n in (1, 2, 3))])
    yield table(["checkpoint", "step, mean", "F1 less the last's", "DINO", "CLIP-T"], rows)
    yield "\nThe recommended one by subject, intervals over its prompts, each compared where it was not chosen:\n"
    yield table(["subject", "chosen on either half", "F1 less the last's"], [[name, *held_out(lines)] for name, lines in runs.items()])
    trained = {n: [step_reached(lines, n) for lines in runs.values()] for n in (1, 2, 3, 4)}
    spent = ", ".join(f"{n}: {sum(reached) / len(reached):.0f}" for n, reached in trained.items())
    yield f"\nSteps until `--until-settled N` would have ended the run, judged on all prompts, mean over subjects: {spent}.\n"


def over_subjects(values: list[float]) -> str:
    """The mean; its interval from five subjects on: fewer say nothing of others."""
    estimate = bootstrap(values)
    return short(estimate, signed=True) if len(values) >= 5 else number(estimate.value, signed=True)


Half = dict[int, tuple[float, float]]  # by step: mean likeness, mean obedience


def both_ways(lines: list[dict]) -> list[tuple[Half, Half]]:
    """The prompts in two halves, every other one, as (chosen on, compared on)."""
    prompts = sorted({line["prompt"] for line in lines})
    first, second = (means(lines, prompts[start::2]) for start in (0, 1))
    return [(first, second), (second, first)]


def means(lines: list[dict], prompts: list[str]) -> Half:
    of_step = {step: [line for line in lines if line["step"] == step and line["prompt"] in prompts] for step in sorted({line["step"] for line in lines})}
    return {step: tuple(sum(line[name] for line in mine) / len(mine) for name in ("dino", "clip_t_class")) for step, mine in of_step.items()}  # type: ignore[misc]


def held_out(lines: list[dict]) -> list[str]:
    """The checkpoints that the two halves recommend, and their F1 less the last's on the prompts of the other half, over all prompts."""
    prompts, last = sorted({line["prompt"] for line in lines}), max(line["step"] for line in lines)
    steps = [chosen(seen, held) for seen, held in both_ways(lines)]
    taken = {prompt: steps[(place + 1) % 2] for place, prompt in enumerate(prompts)}  # every other prompt is compared by what the others chose
    at = {(line["step"], line["prompt"]): (line["dino"], line["clip_t_class"]) for line in lines}
    columns = [np.array([at[step, prompt] for prompt, step in of]).T for of in (taken.items(), [(prompt, last) for prompt in prompts])]
    return [" and ".join(map(str, steps)), short(f1_difference(columns[0], columns[1], prompts), signed=True)]


def chosen(seen: Half, held: Half) -> int:
    return max(seen, key=lambda step: f1(*seen[step]))


def settled(seen: Half, patience: int) -> int:
    """How many checkpoints are kept until so many in a row had no higher F1."""
    scores = [f1(*values) for values in seen.values()]
    return next((n + 1 for n in range(len(scores)) if n - scores.index(max(scores[: n + 1])) >= patience), len(scores))


def step_reached(lines: list[dict], patience: int) -> int:
    seen = means(lines, sorted({line["prompt"] for line in lines}))
    return list(seen)[settled(seen, patience) - 1]


def against_last(rule: Callable[[Half, Half], int], seen: Half, held: Half) -> tuple[float, float, float, float]:
    """The step that a rule takes, and on the held half its F1, likeness and obedience less the last checkpoint's."""
    step, last = rule(seen, held), max(held)
    return step, f1(*held[step]) - f1(*held[last]), held[step][0] - held[last][0], held[step][1] - held[last][1]


def dreamblend(found: dict) -> Iterator[str]:
    """What benchmarks/dreamblend.py wrote."""
    yield f"\n## DreamBlend\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"
    ways = list(found["cost"][0]["ratios"])
    yield "A blended picture's cost over a plain one's. Seconds: medians of rounds in which all ways run in turn, quartiles in brackets; operations: of matrix products and convolutions on the full shape, nothing computed.\n"
    yield table(["network", "by", *ways], [[line["name"], line["by"], *(times(line["ratios"][way]) for way in ways)] for line in found["cost"]])
    yield "\n### α, on open subjects\n"
    yield table(["drawn by", "α", "until", "layers", "DINO", "CLIP-T", "F1", "named"], blends(found["calibrate"]))
    yield "\nThe blend with the highest F1 of these, minus each of its checkpoints and the best of the three:\n"
    yield table(["minus", "subject", "DINO", "CLIP-T", "F1"], list(against(found["calibrate"])))
    yield "\n### Against its checkpoints, on subjects that nothing was chosen on\n"
    for subject in dict.fromkeys(line["subject"] for line in found["report"]):
        yield f"\n**{subject}**\n"
        yield table(["drawn by", "α", "until", "layers", "DINO", "CLIP-T", "F1", "named"], blends([line for line in found["report"] if line["subject"] == subject]))
    yield "\nThe blend with the highest F1, minus each on the same prompts and noise. The best single checkpoint is that of the highest F1 on these very pictures, as the blend is, so both are flattered.\n"
    yield table(["minus", "subject", "DINO", "CLIP-T", "F1"], list(against(found["report"])))
    yield f"\n{front(found['report'])}\n"
    yield from led_back(found["roundtrip"])


def led_back(lines: list[dict]) -> Iterator[str]:
    yield "\n### Photos led back to noise and drawn again\n"
    yield "Mean dB over three true renders, in brackets the lowest and the highest; the whole walk, no guidance. Each refinement costs a pass a step.\n"
    said = {line["steps"]: "" for line in lines}
    for line in lines:
        said[line["steps"]] += f"{sum(line['decibels']) / len(line['decibels']):.1f} [{min(line['decibels']):.1f}, {max(line['decibels']):.1f}] | "
    rows = [[str(steps) if steps else "the autoencoder alone", *text.removesuffix(" | ").split(" | "), *([""] * (not steps))] for steps, text in said.items()]
    yield table(["steps", "plain DDIM inversion", "two refinements"], rows)


def times(line: dict) -> str:
    return f"{line['ratio']:.2f}" + ("" if "quartiles" not in line else f" [{line['quartiles'][0]:.2f}, {line['quartiles'][1]:.2f}]")


def title(line: dict) -> str:
    return f"{line['checkpoint']} guided by {line['guide']}" if "guide" in line else f"checkpoint {line['checkpoint']}"


def strong(line: dict) -> str:
    return f"{title(line)}, α = {line['how']['alpha']:g}" if "how" in line else title(line)


def blends(lines: list[dict]) -> list[list[str]]:
    """A row for every way to draw that all subjects have: means over pictures, intervals over subjects and prompts."""
    rows = {}
    for line in lines:
        rows.setdefault((title(line), json.dumps(line.get("how"))), []).append(line)
    written = []
    for (name, _), mine in rows.items():
        how = [str(mine[0]["how"][key]) if "how" in mine[0] else "" for key in ("alpha", "until", "layers")]
        groups = [(line["subject"], prompt) for line in mine for prompt in line["prompt"]]
        columns = {key: [value for line in mine for value in line[key]] for key in ("dino", "clip_t", "named")}
        written.append([name, *how, short(bootstrap(columns["dino"], groups)), short(bootstrap(columns["clip_t"], groups)), short(f1_of(columns, groups)), short(bootstrap(columns["named"], groups))])
    return written


def f1_of(columns: dict, groups: list) -> Estimate:
    return bootstrap_of(harmonic, [columns["dino"], columns["clip_t"]], groups)


def harmonic(subject, prompt):
    return 2 * subject * prompt / (subject + prompt)


def mean_f1(line: dict) -> float:
    return float(harmonic(sum(line["dino"]) / len(line["dino"]), sum(line["clip_t"]) / len(line["clip_t"])))


def against(lines: list[dict]) -> Iterator[list[str]]:
    for subject in dict.fromkeys(line["subject"] for line in lines):
        mine = [line for line in lines if line["subject"] == subject]
        blend = max((line for line in mine if "guide" in line), key=mean_f1)
        single = {line["checkpoint"]: line for line in mine if "guide" not in line}
        best = max(single.values(), key=mean_f1)
        for kind, other in (("its edit checkpoint", single[blend["checkpoint"]]), ("its guidance checkpoint", single[blend["guide"]]), ("the best single checkpoint", best)):
            assert blend["prompt"] == other["prompt"]
            pairs = [paired_difference(blend[key], other[key], groups=blend["prompt"]).difference for key in ("dino", "clip_t")]
            both = bootstrap_of(lambda a, b, c, d: harmonic(a, b) - harmonic(c, d), [blend["dino"], blend["clip_t"], other["dino"], other["clip_t"]], blend["prompt"])
            yield [f"{kind} ({other['checkpoint']})", f"{subject}: {strong(blend)}", *(short(each, signed=True) for each in (*pairs, both))]


def front(lines: list[dict]) -> str:
    """Whether blends lie beyond the front of the single checkpoints."""
    said = []
    for subject in dict.fromkeys(line["subject"] for line in lines):
        mine = [line for line in lines if line["subject"] == subject]
        points = [[sum(line[key]) / len(line[key]) for key in ("dino", "clip_t")] for line in mine]
        on = {strong(mine[n]) for n in pareto_front(np.array(points))}
        ahead = [strong(line) for line in mine if "guide" in line and strong(line) in on]
        said.append(f"{subject}: {', '.join(ahead) if ahead else 'none'}")
    return f"Blends on the front of likeness and obedience, which no checkpoint or other blend beats in both means: {'; '.join(said)}. Means alone: no interval stands behind a place on it."


def lcm(found: dict) -> Iterator[str]:
    """What benchmarks/lcm.py wrote."""
    lines = found["lines"]
    subjects = [line["subject"] for line in lines]
    yield f"\n## Few steps\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"

    def of(kind: str, score: str) -> list[float]:
        return [line[kind][score] for line in lines]

    def seconds(kind: str) -> str:
        known = [line["picture_seconds"].get(kind) for line in lines]
        return f"{sum(known) / len(known):.2f}" if all(known) else ""

    yield table(["pictures", "s/picture", *SCORES.values()], [
        [title, seconds(kind), *(short(bootstrap(of(kind, score), subjects)) for score in SCORES)]
        for kind, title in (("floor", "*floor*"), ("ceiling", "*ceiling*"), ("teacher", "DreamBooth, 25 steps with guidance"), ("student", "its student, 4 steps without"))
    ])  # fmt: skip
    yield f"\nStudent less teacher, paired on {len(subjects)} subjects ({', '.join(subjects)}):\n"
    yield table(["score", "difference", "of the way from floor to ceiling"], [difference_of(score, of) for score in ("named", "dino", "clip_t_class")])


def difference_of(score: str, of: Callable[[str, str], list[float]]) -> list[str]:
    """A score's paired difference, and as a share of the distance between the means of floor and ceiling, where that is one."""
    difference = paired_difference(of("student", score), of("teacher", score)).difference
    floor, ceiling = (sum(of(kind, score)) / len(of(kind, score)) for kind in ("floor", "ceiling"))
    way = f"{difference.value / (ceiling - floor):+.0%}" if ceiling - floor > 0.1 else "floor and ceiling are alike"
    return [SCORES[score], short(difference, signed=True), way]


def share(estimate: dict) -> str:
    return short(Estimate(**estimate))


def short(estimate: Estimate, signed: bool = False) -> str:
    """.830 [.693, .938]"""

    if estimate.low is None or estimate.high is None:
        return number(estimate.value, signed)
    return f"{number(estimate.value, signed)} [{number(estimate.low, signed)}, {number(estimate.high, signed)}]"


def number(value: float, signed: bool = False) -> str:
    return f"{value:+.3f}" if signed else f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


SECTIONS = {"world": world, "grid": grid, "steps": steps, "pairs": pairs, "style": style, "choice": choice, "dreamblend": dreamblend, "lcm": lcm}

if __name__ == "__main__":
    main()
