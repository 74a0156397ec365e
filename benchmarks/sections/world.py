"""The base and its judges, measured on pictures of the world."""

from collections.abc import Iterator

from likeness.evaluation.statistics import Estimate
from likeness.toybox.check import Measured

from .writing import heading, share, short, table


def world(found: dict) -> Iterator[str]:
    """What benchmarks/check.py wrote."""
    yield heading("The base and the judges", found)
    yield "Intervals: of what the base draws over prompts, of the judges' shares of renders over pictures (Wilson's), as of decibels, marks and their correlation; of AUC over families of look-alikes; of names over individuals; of spread over prompts; of what the seed decides over seeds. A bar is reached, or not reached, where the whole interval is on one side of it; else it is open.\n"
    yield f"Made again: {found['again']['note']}\n"
    rows = [[*measured(row), made_again(row, found["again"]["rows"])] for row in found["rows"]]
    yield table(["on pictures that nothing was trained or chosen on", "measured", "of", "bar", "", "made again"], rows)
    yield from two_cores(found["two cores"], {row["what"]: row for row in found["rows"]})
    yield "\n### Who is who: the judges of individuals against the world's truth\n"
    yield "Share of an individual's pictures, in pairs of scenes, that are known where so large a share of its twins by words (or of other families of its class) are taken for it; one threshold for all families, intervals over families. `examiner` is the second judge, for last measurements. The first saw individuals of all classes, the examiner of all but three.\n"
    shares = [f"{line['false']:.0%} false" for line in found["roc"]["dino"]["twins"]]
    yield table(["judge", "told from", *shares], [
        [f"`{judge}`", against, *(share({k: v for k, v in line.items() if k != "false"}) for line in lines)] for judge, kinds in found["roc"].items() for against, lines in kinds.items()
    ])  # fmt: skip
    for judge, classes in found["classes"].items():
        yield f"\nMean cosines of `{judge}` by class: between two scenes of one individual (ceiling), of twins by words (floor), of others of the class; intervals over families.\n"
        yield table(["class", "families", "ceiling", "floor", "others"], [
            [noun, str(f["same"]["n"]), *(share(f[name]) for name in ("same", "twins", "others"))] for noun, f in classes.items()
        ])  # fmt: skip


def two_cores(found: dict, shipped: dict[str, dict]) -> Iterator[str]:
    """What the recipe gives that needs no GPU, made twice, beside what is shipped."""
    yield "\n### The base that two cores make alone, made twice\n"
    yield f"{found['note']}\n"
    yield table(["", "seed 6", "seed 7", "shipped"], [
        [row["what"], value(row), made_again(row, found["second"]), value(shipped[row["what"]])] for row in found["first"]
    ])  # fmt: skip


def value(row: dict) -> str:
    return short(Estimate(row["value"], row["low"], row["high"], row["n"]))


def measured(row: dict) -> list[str]:
    if row["bar"] is None:
        return [row["what"], value(row), str(row["n"]), "", ""]
    low, high = row["bar"][0] or 0.0, float("inf") if row["bar"][1] is None else row["bar"][1]
    wanted = f"≥ {low:g}" if high == float("inf") else f"≤ {high:g}" if not low else f"{low:g} to {high:g}"
    estimate = Estimate(row["value"], row["low"], row["high"], row["n"])
    found = Measured(row["what"], estimate, (low, high)).verdict.partition(":")[0]
    return [row["what"], value(row), str(row["n"]), wanted, "**not reached**" if found.startswith("NOT") else found]


def made_again(row: dict, again: dict) -> str:
    """The same of a second run, marked where the first's interval does not hold it."""
    if row["what"] not in again:
        return ""
    found = again[row["what"]]
    outside = not row["low"] <= found["value"] <= row["high"]
    return value({**found, "n": row["n"]}) + (" *outside*" if outside else "")
