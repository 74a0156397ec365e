"""ToyBench's prompts by what they ask for."""

from collections.abc import Iterator

from likeness.evaluation.statistics import bootstrap

from .writing import heading, short, table

KINDS = {"recontextualization": "new scenes", "style": "styles", "viewpoint": "viewpoints", "accessory": "accessories", "property": "other properties", "expression": "expressions"}
SCORES = {"dino": "DINO", "clip_t_class": "CLIP-T"}


def toybench(found: dict) -> Iterator[str]:
    """compare.json of ToyBench's protocol."""
    cells = found["cells"]
    recipes = list(dict.fromkeys(cell["recipe"] for cell in cells))
    subjects = list(dict.fromkeys(cell["subject"].removeprefix("toybox:") for cell in cells))
    kinds = [kind for kind in dict.fromkeys(kind for cell in cells for kind in cell["kinds"])]
    yield heading("ToyBench, by what is asked for", found)
    yield f"All of ToyBench's 25 prompts a subject, {found['pictures']} picture{'s' * (found['pictures'] > 1)} of each, {len(subjects)} subjects ({', '.join(subjects)}); mean over a kind's prompts, intervals over the subjects that it is asked of.\n"
    for score, title in SCORES.items():
        yield f"\n**{title}**\n"
        yield table(["recipe", *(KINDS.get(kind, kind) for kind in kinds)], [[f"`{recipe}`", *(mean(cells, recipe, kind, score) for kind in kinds)] for recipe in recipes])


def mean(cells: list[dict], recipe: str, kind: str, score: str) -> str:
    kept = [cell for cell in cells if cell["recipe"] == recipe and kind in cell["kinds"]]
    return short(bootstrap([cell["kinds"][kind][score] for cell in kept], [cell["subject"] for cell in kept])) if kept else ""
