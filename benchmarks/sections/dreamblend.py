"""DreamBlend beside the checkpoints that it blends."""

import json
from collections.abc import Iterator, Sequence

import numpy as np

from likeness.evaluation.operating_points import pareto_front
from likeness.evaluation.statistics import Estimate, bootstrap, bootstrap_of, paired_difference, share

from .writing import heading, number, short, table


def dreamblend(found: dict) -> Iterator[str]:
    """What benchmarks/dreamblend.py wrote."""
    yield heading("DreamBlend", found)
    ways = list(found["cost"][0]["ratios"])
    yield "A blended picture's cost over a plain one's. Seconds: medians of rounds in which all ways run in turn, quartiles in brackets; operations: of matrix products and convolutions on the full shape, nothing computed.\n"
    yield table(["network", "by", *ways], [[line["name"], line["by"], *(times(line["ratios"][way]) for way in ways)] for line in found["cost"]])
    yield "\n### α, on open subjects\n"
    pooled = list(dict.fromkeys(line["subject"] for line in found["calibrate"]))
    yield f"Pictures of {' and '.join(pooled)} together; intervals over the pairs of subject and scene, so they say nothing of other subjects.\n"
    yield table(["drawn by", "α", "until", "layers", "DINO", "CLIP-T", "F1", "named"], blends(found["calibrate"]))
    yield "\nThe blend with the highest F1 of these, minus each of its checkpoints and the best of the three; chosen on these very pictures, so both are flattered:\n"
    yield table(["minus", "subject", "DINO", "CLIP-T", "F1"], list(against(found["calibrate"])))
    yield "\n### Against its checkpoints, on subjects that nothing was chosen on\n"
    yield "Guided less not guided, the same checkpoint, prompts and noise; intervals are over subjects:\n"
    yield table(["drawn by", "subjects", "DINO", "CLIP-T", "F1", "named"], list(together(found["report"])))
    for subject in dict.fromkeys(line["subject"] for line in found["report"]):
        yield f"\n**{subject}**\n"
        yield table(["drawn by", "α", "until", "layers", "DINO", "CLIP-T", "F1", "named"], blends([line for line in found["report"] if line["subject"] == subject]))
    yield "\nThe blend with the highest F1, minus each on the same prompts and noise. The best single checkpoint is that of the highest F1 on these very pictures, as the blend is, so both are flattered, and the best of more is flattered more.\n"
    yield table(["minus", "subject", "DINO", "CLIP-T", "F1"], list(against(found["report"])))
    yield f"\n{against_best(found['report'])}\n\n{front(found['report'])}\n"
    yield from over_pairs(found.get("pairs", []))
    yield from led_back(found["roundtrip"])


def over_pairs(lines: list[dict]) -> Iterator[str]:
    """DreamBlend's Figure 10 in numbers: which checkpoint guides which."""
    if not lines:
        return
    yield f"\n### Which checkpoint guides which ({', '.join(dict.fromkeys(line['subject'] for line in lines))})\n"
    yield "α = .3, ten scenes, one picture of each; DINO, CLIP-T and the F1 of the means.\n"
    by = {(line.get("guide"), line["checkpoint"]): line for line in lines}
    guides, edits = (sorted({pair[n] for pair in by if pair[n] is not None}) for n in (0, 1))
    yield table(["", *(f"edit: {edit}" for edit in edits)], [
        ["unguided" if guide is None else f"guided by {guide or 'the base'}", *(three(by[guide, edit]) if (guide, edit) in by else "" for edit in edits)] for guide in (None, *guides)
    ])  # fmt: skip


def three(line: dict) -> str:
    return " ".join(number(value) for value in (sum(line["dino"]) / len(line["dino"]), sum(line["clip_t"]) / len(line["clip_t"]), mean_f1(line)))


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
    if "how" not in line:
        return title(line)
    return f"{title(line)}, α = {line['how']['alpha']:g}" + ("" if line["how"]["layers"] == "all" else f", {line['how']['layers']} alone")


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
        written.append([name, *how, short(bootstrap(columns["dino"], groups)), short(bootstrap(columns["clip_t"], groups)), short(f1_of(columns, groups)), short(share(columns["named"], groups))])
    return written


def f1_of(columns: dict, groups: list) -> Estimate:
    return bootstrap_of(harmonic, [columns["dino"], columns["clip_t"]], groups)


def harmonic(subject, prompt):
    return 2 * subject * prompt / (subject + prompt)


def mean_f1(line: dict) -> float:
    return float(harmonic(sum(line["dino"]) / len(line["dino"]), sum(line["clip_t"]) / len(line["clip_t"])))


def together(lines: list[dict]) -> Iterator[list[str]]:
    """Each blend less its edit checkpoint, paired on the subjects that have it."""
    plain = {(line["subject"], line["checkpoint"]): line for line in lines if "guide" not in line}
    of: dict[str, list[tuple[dict, dict]]] = {}
    for line in lines:
        if "guide" in line:
            of.setdefault(strong(line), []).append((line, plain[line["subject"], line["checkpoint"]]))
    for name, pairs in of.items():
        columns = {key: [[sum(line[key]) / len(line[key]) for line in side] for side in zip(*pairs)] for key in ("dino", "clip_t", "named")}
        columns["f1"] = [[mean_f1(line) for line in side] for side in zip(*pairs)]
        yield [name, len(pairs), *(short(paired_difference(*columns[key]), signed=True) for key in ("dino", "clip_t", "f1", "named"))]


def against(lines: list[dict]) -> Iterator[list[str]]:
    for subject in dict.fromkeys(line["subject"] for line in lines):
        mine = [line for line in lines if line["subject"] == subject]
        blend = max((line for line in mine if "guide" in line), key=mean_f1)
        single = {line["checkpoint"]: line for line in mine if "guide" not in line}
        best = max(single.values(), key=mean_f1)
        for kind, other in (("its edit checkpoint", single[blend["checkpoint"]]), ("its guidance checkpoint", single[blend["guide"]]), ("the best single checkpoint", best)):
            assert blend["prompt"] == other["prompt"]
            pairs = [paired_difference(blend[key], other[key], groups=blend["prompt"]) for key in ("dino", "clip_t")]
            both = bootstrap_of(lambda a, b, c, d: harmonic(a, b) - harmonic(c, d), [blend["dino"], blend["clip_t"], other["dino"], other["clip_t"]], blend["prompt"])
            yield [f"{kind} ({other['checkpoint']})", f"{subject}: {strong(blend)}", *(short(each, signed=True) for each in (*pairs, both))]


def against_best(lines: list[dict]) -> str:
    """Over subjects: the best blend less the best checkpoint of the same run, each by F1 on one half of the scenes, compared on the other, both ways."""
    subjects = list(dict.fromkeys(line["subject"] for line in lines))
    ways = [tuple(zip(*(halves(line) for line in lines)))]
    ways += [way[::-1] for way in ways]
    blends, singles = ([compared(seen, held, blended) for seen, held in ways] for blended in (True, False))
    difference = paired_difference(np.mean(blends, axis=0), np.mean(singles, axis=0), groups=subjects)
    counts = [len({title(line) + strong(line) for line in lines if ("guide" in line) == blended}) for blended in (True, False)]
    return f"Over the {len(subjects)} subjects the best of {counts[0]} blends of step 400 less the best of {counts[1]} checkpoints, each chosen by F1 on one half of the scenes and compared on the other, then the halves change places: F1 {short(difference, signed=True)}: {verdict(difference)}."


def verdict(difference: Estimate) -> str:
    """What may be said of the best blend; an interval that ends at 0 to three places goes with the seed of its resampling."""
    if difference.low is None or difference.high is None:
        return "no interval, so no verdict"
    if min(abs(difference.low), abs(difference.high)) < 0.0005:
        return f"the best blend is {'ahead' if difference.value > 0 else 'behind'}, if at all, for the interval ends at 0"
    if difference.low < 0 < difference.high:
        return "no difference can be told"
    return f"the best blend is {'ahead' if difference.value > 0 else 'behind'}"


def halves(line: dict) -> tuple[dict, dict]:
    """The same line of every other scene, and of the rest."""
    scenes = sorted(set(line["prompt"]))
    kept = [[n for n, scene in enumerate(line["prompt"]) if scene in scenes[start::2]] for start in (0, 1)]
    return tuple({**line, **{key: [line[key][n] for n in of] for key in ("dino", "clip_t")}} for of in kept)  # type: ignore[return-value]


def compared(seen: tuple[dict, ...], held: tuple[dict, ...], blended: bool) -> list[float]:
    """Of each subject the F1 on held scenes of what has the highest F1 on the seen ones."""
    of = {id(one): other for one, other in zip(seen, held)}
    return [mean_f1(of[id(line)]) for line in best(seen, blended)]


def best(lines: Sequence[dict], blended: bool) -> list[dict]:
    """Of each subject the line of the highest F1, among blends or among plain checkpoints."""
    subjects = dict.fromkeys(line["subject"] for line in lines)
    return [max((line for line in lines if line["subject"] == s and ("guide" in line) == blended), key=mean_f1) for s in subjects]


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
