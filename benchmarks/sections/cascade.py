"""What a second stage keeps of a subject's detail."""

from collections.abc import Iterator

from likeness.evaluation.statistics import bootstrap, paired_difference

from .writing import heading, short, table

PRETRAINED, BICUBIC, TRUTH = "as pretrained", "bicubic", "truth"


def cascade(found: dict) -> Iterator[str]:
    """What benchmarks/cascade.py wrote: a line for each subject, stage and noise level, with every picture's scores."""
    means: dict[tuple, dict[str, dict[str, float]]] = {}
    for line in found["lines"]:
        known = {name: sum(line[name]) / len(line[name]) for name in ("psnr", "dino") if line[name]}
        means.setdefault((line["stage"], line["level"]), {})[line["subject"]] = known
    subjects, levels = list(means[TRUTH, None]), sorted({level for _, level in means if level is not None})

    def mean(key: tuple, name: str) -> str:
        return short(bootstrap([means[key][s][name] for s in subjects], subjects)) if name in means[key][subjects[0]] else ""

    def less(one: tuple, other: tuple, name: str) -> str:
        return short(paired_difference([means[one][s][name] for s in subjects], [means[other][s][name] for s in subjects]), signed=True)

    yield heading("A second stage", found)
    yield table(["enlarged by", "noise level", "dB to the truth", "DINO to the photos"], [[stage, "" if level is None else level, mean((stage, level), "psnr"), mean((stage, level), "dino")] for stage, level in means])
    tuned = [stage for stage in dict.fromkeys(stage for stage, _ in means) if stage not in (PRETRAINED, BICUBIC, TRUTH)]
    compared = [(f"{stage}, less {PRETRAINED}, level {level}", (stage, level), (PRETRAINED, level)) for stage in tuned for level in levels[:2]]
    compared += [(f"{tuned[0]}: level {levels[0]} less level {level}", (tuned[0], levels[0]), (tuned[0], level)) for level in levels[1:]]
    compared += [(f"{tuned[0]}, less {tuned[1]}, level {level}", (tuned[0], level), (tuned[1], level)) for level in levels[:2]]
    yield f"\nPaired on {len(subjects)} subjects ({', '.join(subjects)}):\n"
    yield table(["difference", "dB", "DINO"], [[title, less(one, other, "psnr"), less(one, other, "dino")] for title, one, other in compared])
