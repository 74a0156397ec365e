"""One sentence that says what the scores say, and no more than their intervals allow."""

from math import sqrt

from likeness.evaluation.statistics import Estimate, share_of_way, verdict
from likeness.report.reading import Scores

# The first of these that was measured carries the sentence.
SUBJECT_METRICS = ("dino", "dinov2", "clip_i")
PROMPT_METRICS = ("clip_t_class", "clip_t")


def sentence(scores: Scores) -> str:
    """The run in one sentence, or "" if nothing was measured on personalized pictures."""
    likeness = _likeness(scores)
    return f"{likeness}{_obedience(scores)}." if likeness else ""


def _likeness(scores: Scores) -> str:
    personalized, base = scores.row("personalized")[1], scores.row("base")[1]
    metric = next((metric for metric in SUBJECT_METRICS if metric in personalized), "")
    if not metric:
        return ""
    (floor_name, floor), (ceiling_name, ceiling) = scores.row("floor"), scores.row("ceiling")
    if metric in floor and metric in ceiling:
        share = share_of_way(personalized[metric], floor[metric], ceiling[metric])
        if share.low is not None:
            return _share_in_words(share, _meaning(floor_name), _meaning(ceiling_name))
    if metric in base:
        difference = _difference(personalized[metric], base[metric])
        against = f"({personalized[metric]} against {base[metric]})"
        if verdict(difference).startswith("no clear winner"):
            return f"It is not clear that the pictures look more like the subject than the base model's do {against}"
        more = "more" if difference.value > 0 else "less"
        return f"The pictures look {more} like the subject than the base model's do {against}"
    against = "on too few prompts to say more" if metric in floor else "with nothing yet to compare it with"
    return f"The pictures score {personalized[metric]} in likeness to the subject, {against}"


def _share_in_words(share: Estimate, floor: str, ceiling: str) -> str:
    low, high = share.low or 0.0, share.high or 0.0
    if high < 0:
        return f"The pictures look less like the subject than {floor}"
    if low <= 0:
        return f"It is not clear that the pictures look more like the subject than {floor}"
    way = f"{share.value:.0%} [{low:.0%}, {high:.0%}] of the way from {floor} to {ceiling}"
    if high - low > 0.5:  # the words below would claim more than this knows
        return f"The pictures look more like the subject than {floor}, but how much more is uncertain: {way}"
    strength = "clearly" if low >= 0.6 else "partly" if low >= 0.3 else "a little"
    return f"The pictures look {strength} like the subject, {way}"


def _obedience(scores: Scores) -> str:
    personalized, base = scores.row("personalized")[1], scores.row("base")[1]
    metric = next((metric for metric in PROMPT_METRICS if metric in personalized and metric in base), "")
    if not metric:
        return ""
    difference = _difference(personalized[metric], base[metric])
    against = f"({personalized[metric].value:.3f} against {base[metric].value:.3f})"
    if verdict(difference).startswith("no clear winner"):
        return f"; how well they follow the prompts does not clearly differ from the base model {against}"
    closer = "more closely" if difference.value > 0 else "less closely"
    return f"; they follow the prompts {closer} than the base model's do {against}"


def _difference(first: Estimate, second: Estimate) -> Estimate:
    """First minus second taken as independent: wider than a paired difference would be, so never too sure."""
    value, n = first.value - second.value, min(first.n, second.n)
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Estimate(value, None, None, n)
    half = sqrt((first.high - first.low) ** 2 + (second.high - second.low) ** 2) / 2
    return Estimate(value, value - half, value + half, n)


def _meaning(row: str) -> str:
    """ "floor: another subject of the class" -> "another subject of the class" """
    return row.partition(":")[2].strip() or f"the {row}"
