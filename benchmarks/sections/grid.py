"""Every recipe on the same subjects, prompts and noise."""

from collections.abc import Iterator

from weights import by_weights, embedded

from likeness.evaluation.statistics import mean_of

from .claims import CLAIMS, tested
from .writing import SCORES, heading, number, short, table

SHOWN = {**SCORES, "clip_i": "CLIP-I", "aesthetic": "aesthetic", "examined_named": "named by the examiner", "examined": "examiner"}
NO_FLOOR = ("placed", "clip_t_class")  # a look-alike in the asked scene obeys as the subject does


def grid(found: dict) -> Iterator[str]:
    """compare.json of the methods' grid; rows that were measured with other weights stand apart, and nothing is compared across."""
    groups = by_weights(found, embedded())
    cells = groups[0]
    subjects = list(dict.fromkeys(cell["subject"].removeprefix("toybox:") for cell in cells))
    recipes = list(dict.fromkeys(cell["recipe"] for cell in found["cells"]))
    yield heading("The methods side by side", found)
    yield f"{len(recipes)} recipes with the toybox's advice, {len(subjects)} subjects ({', '.join(subjects)}), {found['prompts']} new scenes, {found['pictures']} pictures of each.\n"
    yield f"{worth(cells)} The last two columns are of the second judge of individuals (the examiner), built otherwise and taught by other pictures, by which nothing was chosen.\n"
    for n, group in enumerate(groups):
        if n:
            yield "\n**Rows measured with weights and advice of before.** They do not compare with those above.\n"
        yield from tables(group, found["processor seconds of a picture"])
    seeds = len({cell["seed"] for cell in cells})
    yield f"\nTraining seconds are of one thread beside other processes; a picture's processor seconds were taken in turn. {len(found['cells'])} trainings, {seeds} seed{'s' * (seeds > 1)} each. Rows of other subjects do not compare."
    yield "\n## What others found, on the toybox\n"
    yield "Paired on subjects: each difference is of the two recipes on the same subject, prompts and noise.\n"
    yield table(["claim", "difference here", "by the examiner", "verdict"], claims_of(groups))
    yield from cheaper(cells)


def worth(cells: list[dict]) -> str:
    """What a look-alike in the asked scene says of the scores, and what it does not."""
    subjects = list({cell["subject"]: cell for cell in cells}.values())

    def mean(of: list[dict], key: str, score: str) -> float:
        return sum(cell[key][score] for cell in of) / len(of)

    obeys, told, like, true = (number(mean(subjects, key, score)) for score in ("clip_t_class", "clip_i") for key in ("floor", "ceiling"))
    trained = sorted(mean(of(cells, recipe), "scores", "clip_i") for recipe in {cell["recipe"] for cell in cells})
    return (
        f"The floor is one of likeness: a look-alike in the asked scene obeys as the subject there does (CLIP-T {obeys}, the ceiling {told}), so it has no figures of placed and CLIP-T. "
        f"CLIP-I hardly measures likeness: the look-alike has {like}, the ceiling {true}, the first table's rows {number(trained[0])} to {number(trained[-1])}."
    )


def tables(cells: list[dict], seconds: dict[str, float]) -> Iterator[str]:
    recipes = list(dict.fromkeys(cell["recipe"] for cell in cells))
    subjects = list({cell["subject"]: cell for cell in cells}.values())
    yield table(["recipe", "what is trained", "numbers", "stored", "training s", "drawn in steps", "guidance", "processor s/picture", "several subjects"], [costs(recipe, of(cells, recipe), seconds) for recipe in recipes])
    yield "\n" + table(["recipe", "subjects", *SHOWN.values()], [
        ["*floor*", len(subjects), *estimates(subjects, "floor", NO_FLOOR)],
        ["*ceiling*", len(subjects), *estimates(subjects, "ceiling")],
        *([f"`{recipe}`", len({cell["subject"] for cell in of(cells, recipe)}), *estimates(of(cells, recipe), "scores")] for recipe in recipes),
    ])  # fmt: skip


def claims_of(groups: list[list[dict]]) -> list[list[str]]:
    """Each claim on rows that compare, or that there are none."""
    rows = []
    for claim in CLAIMS:
        cells = next((group for group in groups if {claim.more, claim.less} <= {cell["recipe"] for cell in group}), None)
        row = [claim.says, "", "", "waits until both rows are measured with the same weights"] if cells is None else tested(claim, cells)
        rows.append([*row[:3], f"{row[3]} (with weights of before)"] if cells and cells is not groups[0] else row)
    return rows


def of(cells: list[dict], recipe: str) -> list[dict]:
    return [cell for cell in cells if cell["recipe"] == recipe]


def costs(recipe: str, cells: list[dict], seconds: dict[str, float]) -> list[str]:
    """What no interval is asked of: words, sizes, and mean seconds."""
    mean = {key: sum(cell[key] for cell in cells) / len(cells) for key in ("parameters", "bytes", "train_seconds")}
    stored = f"{mean['bytes'] / 2**20:.1f} MiB" if mean["bytes"] > 2**19 else f"{mean['bytes'] / 2**10:.0f} KiB"
    steps, guidance = (", ".join(dict.fromkeys(f"{way[key]:g}" for cell in cells for way in cell["sampling"])) for key in ("steps", "guidance_scale"))
    return [
        f"`{recipe}`", cells[0]["trains"], f"{mean['parameters']:,.0f}", stored, f"{mean['train_seconds']:.0f}", steps, "none" if guidance == "1" else guidance,
        f"{seconds[recipe]:.2f}", cells[0]["several_subjects"],
    ]  # fmt: skip


def estimates(cells: list[dict], key: str, without: tuple[str, ...] = ()) -> list[str]:
    """Of the scores that are shown; empty where a row has none of it, or is to have none."""
    known = {score: [(cell[key][score], cell["subject"]) for cell in cells if score in cell[key] and score not in without] for score in SHOWN}
    return [short(mean_of(score.removeprefix("examined_"), [value for value, _ in pairs], [subject for _, subject in pairs])) if pairs else "" for score, pairs in known.items()]


def cheaper(cells: list[dict]) -> Iterator[str]:
    spent = {r: [c["train_seconds"] for c in cells if c["recipe"] == r] for r in ("two_stage", "dreambooth")}
    if all(spent.values()):
        two, one = (sum(values) / len(values) for values in spent.values())
        yield f"\nTwo stages took {two:.0f} s of training, DreamBooth {one:.0f} s, beside other processes."
