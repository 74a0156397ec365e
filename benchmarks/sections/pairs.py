"""Two subjects in one picture."""

from collections.abc import Iterator

from likeness.evaluation.statistics import mean_of

from .writing import heading, short, table


def pairs(found: dict) -> Iterator[str]:
    """Scores of runs with two subjects."""
    yield heading("Two subjects in one picture", found)
    kinds = list(dict.fromkeys(line["kind"] for line in found["lines"]))
    names = ("both", "first", "second")
    rows = []
    for kind in kinds:
        lines = [line for line in found["lines"] if line["kind"] == kind]
        rows.append([kind, *(short(mean_of(name, [line[name] for line in lines], [line["pair"] for line in lines])) for name in names)])
    yield table(["pictures", "both named", "first named", "second named"], rows)
