"""What DreamBooth made of the first base that the package carried, and what it makes of this one."""

from collections.abc import Iterator

from likeness.evaluation.statistics import mean_of, paired_difference

from .writing import SCORES, heading, short, table

SHOWN = {**SCORES, "aesthetic": "aesthetic", "examined": "examiner"}


def first_base(found: dict) -> Iterator[str]:
    """A line for each subject: its scores then and now."""
    yield heading("DreamBooth on the first base and on this one", found)
    subjects = [line["subject"] for line in found["lines"]]
    then, now = ({score: [line[when][score] for line in found["lines"]] for score in SHOWN} for when in ("then", "now"))
    yield table(["base", *SHOWN.values()], [
        *([name, *(short(mean_of(score, of[score], subjects)) for score in SHOWN)] for name, of in (("first", then), ("this", now))),
        ["this less the first, paired", *(short(paired_difference(now[score], then[score], subjects), signed=True) for score in SHOWN)],
    ])  # fmt: skip
