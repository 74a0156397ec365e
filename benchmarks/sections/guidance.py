"""What guidance, and noise on the way, give the base and what they take."""

from collections.abc import Iterator

from likeness.evaluation.statistics import Estimate

from .writing import heading, short, table


def guidance(found: dict) -> Iterator[str]:
    """What benchmarks/guidance.py wrote: a line for each guidance scale and η."""
    yield heading("Guidance and variety", found)
    yield "Intervals: of class, colour and spread over prompts, of the border's colour over seeds.\n"
    columns = {"class": "class", "colour": "colour", "spread": "spread, as a share of the world's", "cast": "border's colour by the seed"}
    rows = [[f"{line['scale']:g}", f"{line['eta']:g}", *(short(Estimate(**line[name])) for name in columns)] for line in found["lines"]]
    yield table(["guidance", "η", *columns.values()], rows)
