"""What scoring costs beside its encoders' bare forward passes."""

from collections.abc import Iterator

from .writing import heading, table

NAMES = {"embedded": "the toybox's judges, 96 pixels", "published": "CLIP ViT-B/32 and DINO ViT-S/16 by shape, 224 pixels"}


def scoring(found: dict) -> Iterator[str]:
    """What benchmarks/evaluate.py wrote: times of each pair of encoders, and where processor time goes."""
    known = {name: found[name] for name in NAMES if name in found}
    yield heading("Scoring beside the bare forward passes", found)
    yield table(["encoders", "pictures", "bare s", "scoring s", "scoring / bare", "quartiles", "in processor seconds", "quartiles"], [
        [NAMES[name], f"{each['pictures']:,} of {each['size']} px, {each['rounds']} round{'s' * (each['rounds'] > 1)}", *(f"{each['clock']['seconds'][side]:.2f}" for side in ("bare", "scoring")),
         *(cell for unit in ("clock", "processor") for cell in (f"{each[unit]['ratio']:.3f}", "–".join(f"{q:.3f}" for q in each[unit]["quartiles"]) if each["rounds"] > 1 else "none"))]
        for name, each in known.items()
    ])  # fmt: skip
    yield "\nProcessor milliseconds per picture, each part alone:\n"
    parts = list(dict.fromkeys(part for each in known.values() for part in each["parts"]))
    yield table(["part", *(NAMES[name] for name in known)], [[part, *(f"{each['parts'][part]:.3f}" for each in known.values())] for part in parts])
