"""What the embedded base and judges can do, as figures for docs/results.md: likeness pretrain --check, and the judges of individuals as an ROC.

    python benchmarks/check.py OUT.json
"""

import argparse
import json
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np

from likeness.evaluation.loading import EMBEDDED, load_dino
from likeness.evaluation.statistics import bootstrap
from likeness.toybox.check import check
from likeness.toybox.individuals import Family, families

FALSE = (0.01, 0.05, 0.10, 0.20)  # shares of look-alikes taken for the individual


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    rows = [{"what": m.what, "bar": None if m.bar is None else [None if np.isinf(b) else b for b in m.bar], **asdict(m.estimate)} for m in check(print)]
    judges = {name: families(load_dino(EMBEDDED / name)) for name in ("dino", "examiner")}
    found = {"rows": rows, "roc": {name: roc(seen) for name, seen in judges.items()}, "classes": {name: classes(seen) for name, seen in judges.items()}}
    asked.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"wrote {asked.out}")


def roc(found: list[Family]) -> dict[str, list[dict]]:
    """How many of an individual's pictures are known where so many of its twins', or of others of its class, are taken for it: one threshold for all families."""
    lines: dict[str, list[dict]] = {}
    for against in ("twins", "others"):
        lines[against] = []
        for share in FALSE:
            threshold = np.quantile(np.concatenate([getattr(f, against) for f in found]), 1 - share)
            known = [float((f.same > threshold).mean()) for f in found]
            lines[against].append({"false": share, **asdict(bootstrap(known))})
    return lines


def classes(found: list[Family]) -> dict[str, dict]:
    """Of each class the mean cosine of one individual in two scenes, of twins by words, and of others; intervals over families."""
    by: dict[str, list[Family]] = defaultdict(list)
    for family in found:
        by[family.noun].append(family)
    return {
        noun: {name: asdict(bootstrap([float(getattr(f, name).mean()) for f in kept])) for name in ("same", "twins", "others")}
        for noun, kept in sorted(by.items()) if all(len(f.others) for f in kept)
    }  # fmt: skip


if __name__ == "__main__":
    main()
