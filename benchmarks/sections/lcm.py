"""Students of few steps beside their teacher."""

from collections.abc import Iterator

from likeness.evaluation.statistics import bootstrap, paired_difference

from .writing import heading, short, table

SCORES = {"named": "named", "dino": "DINO", "clip_t": "CLIP-T"}
LOSSES = {"huber": "pseudo-Huber", "l2": "L2"}
TEACHER = ("teacher", 25)
APART = 0.1  # floor and ceiling, for a share of the way between them to say something


def lcm(found: dict) -> Iterator[str]:
    """What benchmarks/lcm.py wrote: a line for each subject, walker and number of steps, with every picture's scores."""
    means: dict[tuple, dict[str, dict[str, float]]] = {}
    for line in found["lines"]:
        means.setdefault((line["by"], line["steps"]), {})[line["subject"]] = {name: sum(line[name]) / len(line[name]) for name in SCORES}
    subjects = list(means[TEACHER])
    yield heading("Few steps", found)
    yield table(["drawn by", "steps", "processor s/picture", *SCORES.values()], [
        [title(by), steps or "", seconds(found, by, steps), *(short(bootstrap([of[s][name] for s in subjects], subjects)) for name in SCORES)]
        for (by, steps), of in sorted(means.items(), key=lambda item: order(*item[0]))
    ])  # fmt: skip
    yield f"\nLess the teacher in its 25 guided steps, paired on {len(subjects)} subjects ({', '.join(subjects)}); in brackets behind it the share of the way from floor to ceiling, where those lie apart:\n"
    compared = [key for key in sorted(means, key=lambda key: order(*key)) if key[0] in (*LOSSES, "teacher") and key != TEACHER]
    yield table(["drawn by", "steps", *SCORES.values()], [[title(by), steps, *(less(means, (by, steps), TEACHER, name, subjects) for name in SCORES)] for by, steps in compared])
    if ("l2", 4) in means:
        yield "\nL2 less pseudo-Huber, paired on the same subjects:\n"
        yield table(["steps", *SCORES.values()], [[steps, *(less(means, ("l2", steps), ("huber", steps), name, subjects) for name in SCORES)] for steps in (1, 2, 4, 8)])


def title(by: str) -> str:
    if by in LOSSES:
        return f"student, {LOSSES[by]}, no guidance"
    return f"*{by}*" if by in ("floor", "ceiling") else "DreamBooth, with guidance"


def order(by: str, steps: int | None) -> tuple[int, int]:
    return ["floor", "ceiling", "teacher", *LOSSES].index(by), -(steps or 0) if by == "teacher" else steps or 0


def seconds(found: dict, by: str, steps: int | None) -> str:
    taken = found["seconds"].get(f"{'teacher' if by == 'teacher' else 'student'} {steps}")
    return "" if taken is None else f"{taken:.3f}"


def less(means: dict, one: tuple, other: tuple, name: str, subjects: list[str]) -> str:
    """The paired difference, and as a share of the distance between the means of floor and ceiling, where that is one."""
    difference = paired_difference([means[one][s][name] for s in subjects], [means[other][s][name] for s in subjects]).difference
    floor, ceiling = (sum(means[kind, None][s][name] for s in subjects) / len(subjects) for kind in ("floor", "ceiling"))
    return short(difference, signed=True) + (f" ({difference.value / (ceiling - floor):+.0%})" if ceiling - floor > APART else "")
