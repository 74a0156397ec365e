"""How figures stand on the page."""

from likeness.evaluation.statistics import Estimate

SCORES = {
    "named": "named", "dino": "DINO", "placed": "placed", "clip_t_class": "CLIP-T", "diversity": "sameness",
}  # fmt: skip


def heading(title: str, found: dict) -> str:
    """A section's first lines: its name, and what made its figures."""
    return f"## {title}\n\n`{found['command']}`, {found['machine']}. {found['note']}\n"


def share(estimate: dict) -> str:
    return short(Estimate(**estimate))


def short(estimate: Estimate, signed: bool = False) -> str:
    """.830 [.693, .938]"""
    if estimate.low is None or estimate.high is None:
        return number(estimate.value, signed)
    return f"{number(estimate.value, signed)} [{number(estimate.low, signed)}, {number(estimate.high, signed)}]"


def number(value: float, signed: bool = False) -> str:
    if signed:  # -0.000 says on which side of 0 it is
        return f"{value:+.3f}"
    value = round(value, 3) + 0.0  # 0.0, no -0.0
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.3f}"


def table(head: list[str], rows: list[list]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
