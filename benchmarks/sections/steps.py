"""What a training step costs beside the bare loop."""

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
