"""Students of few steps beside their teacher."""

from collections.abc import Iterator

from likeness.evaluation.statistics import mean_of, paired_difference

from .writing import heading, short, table

SCORES = {"named": "named", "dino": "DINO", "clip_t": "CLIP-T"}
LOSSES = {"huber": "pseudo-Huber", "l2": "L2"}
TEACHER = ("teacher", 25)
FLOORS = {"named": "floor", "dino": "floor", "clip_t": "unasked"}  # obedience has no floor in a look-alike, which is in the asked scene too
NAMES = {"floor": "*floor: a look-alike in the scene*", "ceiling": "*ceiling: the subject in the scene*", "unasked": "*the subject in another scene*"}


def lcm(found: dict) -> Iterator[str]:
    """What benchmarks/lcm.py wrote: a line for each subject, walker and number of steps, with every picture's scores."""
    means: dict[tuple, dict[str, dict[str, float]]] = {}
    for line in found["lines"]:
        means.setdefault((line["by"], line["steps"]), {})[line["subject"]] = {name: sum(line[name]) / len(line[name]) for name in SCORES}
    subjects = list(means[TEACHER])
    yield heading("Few steps", found)
    yield table(["drawn by", "steps", "processor s/picture", *SCORES.values()], [
        [title(by), steps or "", seconds(found, by, steps), *(short(mean_of(name, [of[s][name] for s in subjects], subjects)) for name in SCORES)]
        for (by, steps), of in sorted(means.items(), key=lambda item: order(*item[0]))
    ])  # fmt: skip
    yield f"\nLess the teacher in its 25 guided steps, paired on {len(subjects)} subjects ({', '.join(subjects)}); in brackets behind it the share of the way from floor to ceiling (of CLIP-T, from the subject in another scene):\n"
    compared = [key for key in sorted(means, key=lambda key: order(*key)) if key[0] in (*LOSSES, "teacher") and key != TEACHER]
    yield table(["drawn by", "steps", *SCORES.values()], [[title(by), steps, *(less(means, (by, steps), TEACHER, name, subjects) for name in SCORES)] for by, steps in compared])
    if ("l2", 4) in means:
        yield "\nL2 less pseudo-Huber, paired on the same subjects:\n"
        yield table(["steps", *SCORES.values()], [[steps, *(less(means, ("l2", steps), ("huber", steps), name, subjects) for name in SCORES)] for steps in (1, 2, 4, 8)])


def title(by: str) -> str:
    if by in LOSSES:
        return f"student, {LOSSES[by]}, no guidance"
    return NAMES.get(by, "DreamBooth, with guidance")


def order(by: str, steps: int | None) -> tuple[int, int]:
    return ["unasked", "floor", "ceiling", "teacher", *LOSSES].index(by), -(steps or 0) if by == "teacher" else steps or 0


def seconds(found: dict, by: str, steps: int | None) -> str:
    taken = found["seconds"].get(f"{'teacher' if by == 'teacher' else 'student'} {steps}")
    return "" if taken is None else f"{taken:.3f}"


def less(means: dict, one: tuple, other: tuple, name: str, subjects: list[str]) -> str:
    """The paired difference, and as a share of the distance between the means of floor and ceiling."""
    difference = paired_difference([means[one][s][name] for s in subjects], [means[other][s][name] for s in subjects])
    floor, ceiling = (sum(means[kind, None][s][name] for s in subjects) / len(subjects) for kind in (FLOORS[name], "ceiling"))
    return f"{short(difference, signed=True)} ({difference.value / (ceiling - floor):+.0%})"
