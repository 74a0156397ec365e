"""What a reward does to runs that were there."""

from collections.abc import Iterator

from likeness.evaluation.statistics import bootstrap, f1, mean_of, paired_difference

from .writing import heading, number, short, table

SCORES = {"named": "named", "dino": "DINO", "clip_t": "CLIP-T", "f1": "F1 of the two", "aesthetic": "aesthetic", "examiner": "examiner, which rewards nobody"}
SHOWN = 6  # rollouts of a run that the page names


def ddpo(found: dict) -> Iterator[str]:
    """What benchmarks/ddpo.py wrote: a line for each way, subject, before and after, with every picture's scores."""
    ways = list(dict.fromkeys(line["way"] for line in found["lines"]))
    yield heading("A reward", found)
    for way in ways:
        lines = {(line["subject"], line["when"]): line for line in found["lines"] if line["way"] == way}
        subjects = list(dict.fromkeys(name for name, _ in lines))
        yield f"\n### {way} ({', '.join(subjects)})\n"
        yield table(["pictures", *SCORES.values(), "drift of other things"], list(rows_of(lines, subjects)))
    yield "\n### Reward against pictures seen\n"
    yield "Mean reward of a rollout's pictures, drawn before its step, by the judges that gave it; means over subjects, intervals too.\n"
    for way in ways:
        after = [line for line in found["lines"] if line["way"] == way and line["when"] == "after"]
        rollouts, each = len(after[0]["rewards"]), found["pictures a rollout"]
        places = sorted({round(n * (rollouts - 1) / (SHOWN - 1)) for n in range(SHOWN)})
        yield "\n" + table([way, *(f"{place * each} pictures" for place in places)], [
            *([line["subject"], *(number(line["rewards"][place]) for place in places)] for line in after),
            ["mean", *(short(bootstrap([line["rewards"][place] for line in after], [line["subject"] for line in after])) for place in places)],
        ])  # fmt: skip


def rows_of(lines: dict[tuple[str, str], dict], subjects: list[str]) -> Iterator[list[str]]:
    def of(when: str, score: str) -> list[float]:
        columns = [lines[name, when] for name in subjects]
        if score == "f1":
            return [sum(map(f1, line["dino"], line["clip_t"])) / len(line["dino"]) for line in columns]
        return [sum(line[score]) / len(line[score]) for line in columns]

    yield ["before", *(short(mean_of(score, of("before", score), subjects)) for score in SCORES), ""]
    yield ["after", *(short(mean_of(score, of("after", score), subjects)) for score in SCORES), short(bootstrap(of("after", "drift"), subjects))]
    yield ["difference, paired", *(short(paired_difference(of("after", score), of("before", score), groups=subjects), signed=True) for score in SCORES), ""]
