"""What a training step costs beside the bare loop, on the toybox and on networks of real size."""

from collections.abc import Iterator

from .writing import heading, table


def steps(found: dict) -> Iterator[str]:
    """What benchmarks/step.py prints, for each method."""
    yield heading("A training step beside the bare loop", found)
    yield table(["method", "bare s", "likeness / bare", "quartiles", "uncached / bare", "quartiles"], [
        [f"`{m['method']}`", f"{m['seconds']['bare']:.4f}", *(cell for name in ("likeness", "likeness, uncached") for cell in (
            f"{m[f'ratio {name}']:.3f}", "–".join(f"{q:.3f}" for q in m[f"ratio {name}, quartiles of rounds"])))]
        for m in found["methods"]
    ])  # fmt: skip


def real_size(found: dict) -> Iterator[str]:
    """What benchmarks/real_size.py wrote."""
    yield heading("A training step on networks of real size", found)
    yield table(["shape", "method", "batch", "likeness s", "bare s", "likeness / bare", "quartiles", "peak GiB", "bare loop's"], [
        [row["shape"], f"`{row['method']}`", str(row["batch"]), *([row["failed"], *[""] * 5] if "failed" in row else costs(row))] for row in found["rows"]
    ])  # fmt: skip


def costs(row: dict) -> list[str]:
    seconds, peaks = ([f"{row[of][key]:{form}}" for key in ("likeness", "bare")] for of, form in (("seconds", ".3f"), ("peak GiB", ".1f")))
    return [*seconds, f"{row['ratio']:.3f}", "–".join(f"{q:.3f}" for q in row["ratio, quartiles of rounds"]), *peaks]
