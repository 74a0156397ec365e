"""Pictures in a learned style."""

from collections.abc import Iterator

from .writing import heading, share, table


def style(found: dict) -> Iterator[str]:
    """Scores of style LoRAs."""
    yield heading("A style", found)
    yield table(["pictures", "in the style", "placed"], [[line["kind"], *(share(line[name]) for name in ("styled", "placed"))] for line in found["lines"]])
