"""A student of few steps beside its teacher."""

from collections.abc import Callable, Iterator

from likeness.evaluation.statistics import bootstrap, paired_difference

from .writing import SCORES, heading, short, table


def lcm(found: dict) -> Iterator[str]:
    """What benchmarks/lcm.py wrote."""
    lines = found["lines"]
    subjects = [line["subject"] for line in lines]
    yield heading("Few steps", found)

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
