"""What others found elsewhere, asked of the grid's cells."""

from dataclasses import dataclass

from likeness.evaluation.statistics import Estimate, paired_difference

from .writing import SCORES, short


@dataclass(frozen=True)
class Claim:
    """`more` scores higher than `less` in `score`, somebody says."""

    says: str
    more: str
    less: str
    score: str
    holds: bool = True  # False: the claim is that there is no such gain


CLAIMS = (
    Claim("Textual Inversion: four vectors hold more of a subject than one (Nanuvala's study on Stable Diffusion 1.5, DINO .687 against .628)",
          "textual_inversion:vectors=4", "textual_inversion:vectors=1", "dino"),
    Claim("… and eight hold no more than four (DINO .690 against .687)", "textual_inversion:vectors=8", "textual_inversion:vectors=4", "dino", holds=False),
    Claim("Textual Inversion, four vectors, holds more of a subject than DreamBooth with λ = .25 (the same study, DINO .687 against .588)",
          "textual_inversion:vectors=4", "dreambooth:prior_weight=0.25", "dino"),
    Claim("DreamBooth: λ = .25 holds more of a subject than λ = 1 (the same, DINO .588 against .462)", "dreambooth:prior_weight=0.25", "dreambooth:prior_weight=1", "dino"),
    Claim("LoRA: rank 16 follows prompts worse than rank 4 (the same, CLIP-T .183 against .249, of a style, in pictures of rank 16 that had collapsed; here of subjects)", "lora:rank=4", "lora:rank=16", "clip_t_class"),
    Claim("Custom Diffusion: keys and values alone hold more of a subject than the whole cross-attention (the same, DINO .081 against .005)",
          "custom_diffusion:trained=kv", "custom_diffusion:trained=all", "dino"),
    Claim("DreamBooth: prior preservation with λ = 1 costs identity", "dreambooth", "dreambooth:prior_weight=1", "dino"),
    Claim("Two stages hold more of a subject than DreamBooth (Zeng et al., DINO .629 against .540 on Stable Diffusion 2.1)", "two_stage", "dreambooth", "dino"),
)  # fmt: skip


def tested(claim: Claim, cells: list[dict]) -> list[str]:
    difference = compared(cells, claim.more, claim.less, claim.score)
    if difference.low is None or difference.high is None:
        verdict = "open: one subject only"
    elif difference.low > 0:
        verdict = "**confirmed**" if claim.holds else "**refuted**: there is a gain"
    elif difference.high < 0:
        verdict = "**refuted**: it is the other way round" if claim.holds else "**confirmed**: it is lower"
    else:
        verdict = "open: the interval holds 0" if claim.holds else "not contradicted: a gain cannot be told"
    examined = compared(cells, claim.more, claim.less, "examined") if claim.score == "dino" and all("examined" in cell["scores"] for cell in cells) else None
    return [claim.says, f"{SCORES[claim.score]} {short(difference, signed=True)}", short(examined, signed=True) if examined else "", verdict]


def compared(cells: list[dict], more: str, less: str, score: str) -> Estimate:
    by = {(cell["recipe"], cell["subject"], cell["seed"]): cell["scores"][score] for cell in cells}
    shared = [key for key in {(c["subject"], c["seed"]): None for c in cells} if (more, *key) in by and (less, *key) in by]
    values = ([by[(recipe, *key)] for key in shared] for recipe in (more, less))
    return paired_difference(*values, groups=[subject for subject, _ in shared])
