"""Table of contents: the methods by command word, and the recipes made of them. Import strings, so that reading the list loads no torch.

A method of another package is found by its entry point in the group `likeness.methods`.
"""

from importlib.metadata import entry_points
from pathlib import Path

METHODS = {
    "dreambooth": "likeness.methods.dreambooth:DreamBooth",
    "lora": "likeness.methods.lora:LoRA",
    "textual_inversion": "likeness.methods.textual_inversion:TextualInversion",
    "custom_diffusion": "likeness.methods.custom_diffusion:CustomDiffusion",
    "super_resolution": "likeness.methods.super_resolution:SuperResolution",
    "lcm": "likeness.methods.lcm:LCM",
    "ddpo": "likeness.methods.ddpo:DDPO",
}
SENTENCES = {
    "dreambooth": "Train the whole U-Net on the photos, with prior preservation (arXiv 2208.12242).",
    "lora": "Train low-rank additions to the network's layers: a subject or a style in a small file (arXiv 2106.09685).",
    "textual_inversion": "Train one new word and nothing else (arXiv 2208.01618).",
    "custom_diffusion": "Train the cross-attention's keys and values and a word for each subject (arXiv 2212.04488).",
    "super_resolution": "Train the stage that enlarges what lies beneath draws, so that it keeps the subject's detail (arXiv 2208.12242).",
    "lcm": "Teach what lies beneath to draw in one to eight steps (arXiv 2310.04378).",
    "ddpo": "Raise a reward of the model's own pictures, such as likeness to the subject (arXiv 2305.13301).",
}
for _found in entry_points(group="likeness.methods"):
    METHODS[_found.name] = _found.value
    SENTENCES[_found.name] = f"From the package {_found.dist.name if _found.dist else 'of ' + _found.module}."


RECIPES = Path(__file__).parent.parent / "recipes"


def packaged_recipes() -> dict[str, Path]:
    """The recipes that the package carries, by name."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.toml"))}


def packaged_sweeps() -> dict[str, Path]:
    """The sweeps that the package carries, by name: several recipes that differ in one thing."""
    return {path.stem: path for path in sorted((RECIPES / "sweeps").glob("*.toml"))}


def sentence_of(path: Path) -> str:
    """What a packaged recipe says of itself: the comment that it begins with."""
    lines = path.read_text("utf-8").splitlines()
    comment = [line.removeprefix("#").strip() for line in lines[: next(n for n, line in enumerate(lines) if not line.startswith("#"))]]
    return " ".join(comment)
