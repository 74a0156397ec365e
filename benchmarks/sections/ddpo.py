"""What a reward does to runs that were there."""

from collections.abc import Iterator

from likeness.evaluation.statistics import bootstrap, f1, paired_difference

from .writing import heading, number, short, table

SCORES = {"named": "named", "dino": "DINO", "clip_t": "CLIP-T", "f1": "F1 of the two, which was rewarded", "examiner": "examiner, which rewards nobody"}
SHOWN = 6  # rollouts of a run that the page names


def ddpo(found: dict) -> Iterator[str]:
    """What benchmarks/ddpo.py wrote: a line for each subject, before and after, with every picture's scores."""
    lines = {(line["subject"], line["when"]): line for line in found["lines"]}
    subjects = list(dict.fromkeys(name for name, _ in lines))

    def of(when: str, score: str) -> list[float]:
        columns = [lines[name, when] for name in subjects]
        if score == "f1":
            return [sum(map(f1, line["dino"], line["clip_t"])) / len(line["dino"]) for line in columns]
        return [sum(line[score]) / len(line[score]) for line in columns]

    yield heading("A reward", found)
    rows = [[when, *(short(bootstrap(of(when, score), subjects)) for score in SCORES)] for when in ("before", "after")]
    rows.append(["difference, paired", *(short(paired_difference(of("after", score), of("before", score)).difference, signed=True) for score in SCORES)])
    yield table(["pictures", *SCORES.values()], rows)
    yield f"\nMean reward of a rollout's pictures, drawn before each step, on {len(subjects)} subjects:\n"
    rollouts = len(lines[subjects[0], "after"]["rewards"])
    places = sorted({round(n * (rollouts - 1) / (SHOWN - 1)) for n in range(SHOWN)})
    yield table(["subject", *(f"rollout {place + 1}" for place in places)], [[name, *(number(lines[name, "after"]["rewards"][place]) for place in places)] for name in subjects])
