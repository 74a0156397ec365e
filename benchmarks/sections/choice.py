"""Which of a run's checkpoints to take, and when to end it."""

from collections.abc import Callable, Iterator

import numpy as np

from likeness.evaluation.operating_points import f1_difference
from likeness.evaluation.statistics import bootstrap, f1
from likeness.workflow.generating import NEW_SCENES
from likeness.world.subjects import SUBJECTS

from .writing import heading, number, short, table

Half = dict[int, tuple[float, float]]  # by step: mean likeness, mean obedience
Rule = Callable[[Half, Half], int]  # of what is decided on and what is compared on, the step to take


def choice(found: dict) -> Iterator[str]:
    """Likeness and obedience of every checkpoint, by subject and prompt: chosen on some of the prompts, compared with the last on the others."""
    subjects = list(dict.fromkeys(line["subject"] for line in found["lines"]))  # of one recipe
    runs = {name: [line for line in found["lines"] if line["subject"] == name] for name in subjects}
    steps, prompts = (len({line[key] for line in runs[subjects[0]]}) for key in ("step", "prompt"))
    yield heading("Which checkpoint", found)
    yield f"{steps} checkpoints, {len(subjects)} subjects ({', '.join(subjects)}), {prompts} new scenes, {found['seeds']} pictures of each, all from the same noise. A checkpoint is chosen by its F1 of DINO and CLIP-T, as `likeness choose` does, and compared with the last on scenes that it was not chosen on: on one half of the scenes and the other, then the halves change places; or on the {len(NEW_SCENES)} scenes that the commands draw when no prompts are given, and the others. `--until-settled` draws the same pictures; `likeness choose` by itself draws four of each scene. Intervals over the subjects.\n"
    half, own = f"{prompts // 2}, both ways", f"{len(NEW_SCENES)}, the commands' own"
    rules: list[tuple[str, str, Callable[[list[dict]], list[tuple[Half, Half]]], Rule, int]] = [
        ("recommended by `likeness choose`, given prompts", half, both_ways, chosen, steps),
        ("the best on the compared half itself, which nobody knows", half, both_ways, lambda seen, held: chosen(held, held), steps),
        ("recommended by `likeness choose`", own, as_commands, chosen, steps),
        *((f"ended and recommended as by `--until-settled {n}`", own, as_commands, lambda seen, held, n=n: chosen({step: seen[step] for step in list(seen)[: settled(seen, n)]}, held), n) for n in (1, 2, 3, 4)),
    ]  # fmt: skip
    rows = []
    for title, decided, split, rule, patience in rules:
        found_by = [[against_last(rule, *halves) for halves in split(lines)] for lines in runs.values()]
        mean = [[sum(column) / len(pair) for column in zip(*pair)] for pair in found_by]  # of the two ways, by subject
        ends = [list(seen)[settled(seen, patience) - 1] for lines in runs.values() for seen, _ in split(lines)]
        rows.append([title, decided, *(f"{sum(each) / len(each):.0f}" for each in (ends, [values[0] for values in mean])), *(over_subjects([values[n] for values in mean]) for n in (1, 2, 3))])
    yield table(["checkpoint", "scenes decided on", "run ends at, mean", "step taken, mean", "F1 less the last's", "DINO", "CLIP-T"], rows)
    yield "\nThe recommended one of either half, by subject, intervals over its prompts, each compared where it was not chosen:\n"
    yield table(["subject", "chosen on either half", "F1 less the last's"], [[name, *held_out(lines)] for name, lines in runs.items()])


def regimes(found: dict) -> Iterator[str]:
    """Recipes over their steps: means over subjects of each checkpoint, the front of them all, and what `likeness choose` recommends of each run."""
    subjects, recipes = (list(dict.fromkeys(line[key] for line in found["lines"])) for key in ("subject", "recipe"))
    yield heading("Three regimes over their steps", found)
    of: dict[tuple[str, int], list[tuple[float, float]]] = {}
    taken: dict[str, list[int]] = {}
    for recipe in recipes:
        for name in subjects:
            seen = means(mine := [line for line in found["lines"] if (line["recipe"], line["subject"]) == (recipe, name)], [line["prompt"] for line in mine])
            taken.setdefault(recipe, []).append(chosen(seen, seen))
            for step, values in seen.items():
                of.setdefault((recipe, step), []).append(values)
    middle = {key: tuple(sum(column) / len(column) for column in zip(*values)) for key, values in of.items()}
    front = {key for key, (dino, clip) in middle.items() if not any(d >= dino and c >= clip and (d, c) != (dino, clip) for d, c in middle.values())}
    rows = [
        [recipe, step, *(over_subjects([one[n] for one in values], signed=False) for n in (0, 1)), over_subjects([f1(*one) for one in values], signed=False), "on it" if (recipe, step) in front else ""]
        for (recipe, step), values in of.items()
    ]  # fmt: skip
    yield table(["recipe", "step", "DINO", "CLIP-T", "F1", "front of means"], rows)
    yield f"\n{len(subjects)} subjects ({', '.join(subjects)}). Recommended steps, decided on all scenes, subject by subject: " + "; ".join(f"{recipe}: {', '.join(map(str, steps))}" for recipe, steps in taken.items()) + "."


def over_subjects(values: list[float], signed: bool = True) -> str:
    """The mean; its interval from five subjects on: fewer say nothing of others."""
    estimate = bootstrap(values)
    return short(estimate, signed) if len(values) >= 5 else number(estimate.value, signed)


def both_ways(lines: list[dict]) -> list[tuple[Half, Half]]:
    """The prompts in two halves, every other one, as (chosen on, compared on)."""
    prompts = sorted({line["prompt"] for line in lines})
    first, second = (means(lines, prompts[start::2]) for start in (0, 1))
    return [(first, second), (second, first)]


def as_commands(lines: list[dict]) -> list[tuple[Half, Half]]:
    """The prompts that `likeness choose` and `--until-settled` draw when none are given, to choose on; the others, to compare on."""
    drawn = [scene.format(SUBJECTS[lines[0]["subject"]].class_noun) for scene in NEW_SCENES]
    return [(means(lines, drawn), means(lines, sorted({line["prompt"] for line in lines}.difference(drawn))))]


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


def against_last(rule: Rule, seen: Half, held: Half) -> tuple[float, float, float, float]:
    """The step that a rule takes, and on the held half its F1, likeness and obedience less the last checkpoint's."""
    step, last = rule(seen, held), max(held)
    return step, f1(*held[step]) - f1(*held[last]), held[step][0] - held[last][0], held[step][1] - held[last][1]
