"""Every recipe on the same subjects, prompts and noise."""

from collections.abc import Iterator

from likeness.evaluation.statistics import bootstrap

from .claims import CLAIMS, tested
from .writing import SCORES, heading, short, table


def grid(found: dict) -> Iterator[str]:
    """compare.json of the methods' grid."""
    cells = found["cells"]
    subjects = list(dict.fromkeys(cell["subject"].removeprefix("toybox:") for cell in cells))
    recipes = list(dict.fromkeys(cell["recipe"] for cell in cells))
    yield heading("The methods side by side", found)
    yield f"{len(recipes)} recipes with the toybox's advice, {len(subjects)} subjects ({', '.join(subjects)}), {found['prompts']} new scenes, {found['pictures']} pictures of each.\n"
    yield table(["recipe", "subjects", "trained", "stored", "train s", "s/picture", *SCORES.values()], [
        *([f"*{name}*", str(len(subjects)), "", "", "", "", *bounds(cells, name)] for name in ("floor", "ceiling")),
        *(row(recipe, [cell for cell in cells if cell["recipe"] == recipe]) for recipe in recipes),
    ])  # fmt: skip
    seeds = len({cell["seed"] for cell in cells})
    yield f"\nSeconds are of one thread beside another such process. {len(cells)} trainings, {seeds} seed{'s' * (seeds > 1)} each. Rows of other subjects do not compare."
    yield "\n## What others found, on the toybox\n"
    yield "Paired on subjects: each difference is of the two recipes on the same subject, prompts and noise.\n"
    yield table(["claim", "difference here", "verdict"], [tested(claim, cells) for claim in CLAIMS if {claim.more, claim.less} <= set(recipes)])
    yield from cheaper(cells)


def row(recipe: str, cells: list[dict]) -> list[str]:
    mean = {key: sum(cell[key] for cell in cells) / len(cells) for key in ("parameters", "bytes", "train_seconds", "picture_seconds")}
    stored = f"{mean['bytes'] / 2**20:.1f} MiB" if mean["bytes"] > 2**19 else f"{mean['bytes'] / 2**10:.0f} KiB"
    return [f"`{recipe}`", str(len({cell["subject"] for cell in cells})), f"{mean['parameters']:,.0f}", stored, f"{mean['train_seconds']:.0f}", f"{mean['picture_seconds']:.2f}", *estimates(cells, "scores")]


def estimates(cells: list[dict], key: str) -> list[str]:
    subjects = [cell["subject"] for cell in cells]
    return [short(bootstrap([cell[key][score] for cell in cells], subjects)) for score in SCORES]


def bounds(cells: list[dict], key: str) -> list[str]:
    """Of each subject once: floor and ceiling do not depend on the recipe."""
    return estimates(list({cell["subject"]: cell for cell in cells}.values()), key)


def cheaper(cells: list[dict]) -> Iterator[str]:
    spent = {r: [c["train_seconds"] for c in cells if c["recipe"] == r] for r in ("two_stage", "dreambooth")}
    if all(spent.values()):
        two, one = (sum(values) / len(values) for values in spent.values())
        yield f"\nTwo stages took {two:.0f} s of training, DreamBooth {one:.0f} s."
