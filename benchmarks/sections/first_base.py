"""What DreamBooth made of the bases that the package carried, and what it makes of this one."""

from collections.abc import Iterator

from likeness.evaluation.statistics import mean_of, paired_difference

from .writing import SCORES, heading, short, table

SHOWN = {**SCORES, "aesthetic": "aesthetic", "examined": "examiner"}
BASES = {"then": "first", "two cores": "of two cores alone", "now": "this"}


def first_base(found: dict) -> Iterator[str]:
    """A line for each base, and what each has more than the one before it."""
    yield heading("DreamBooth on the bases before and on this one", found)
    subjects = [line["subject"] for line in found["lines"]]
    of = {base: {score: [line[base][score] for line in found["lines"]] for score in SHOWN} for base in BASES}
    pairs = list(zip(list(BASES)[1:], BASES))
    yield table(["base", *SHOWN.values()], [
        *([name, *(short(mean_of(score, of[base][score], subjects)) for score in SHOWN)] for base, name in BASES.items()),
        *([f"{BASES[more]} less {BASES[less]}, paired", *(short(paired_difference(of[more][score], of[less][score], subjects), signed=True) for score in SHOWN)] for more, less in pairs),
    ])  # fmt: skip
