"""Write docs/results.md from the figures in benchmarks/results/*.json, and into the packaged recipes' first lines what was measured with them.

    python benchmarks/results.py

Each file there is what another command printed or wrote; which one is said beside its table. A better base costs a rerun of those
whose cells are missing, and this. A new file results/NAME.json wants a function in sections/, and its line in SECTIONS.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from sections.cascade import cascade
from sections.choice import choice, regimes
from sections.ddpo import ddpo
from sections.defaults import defaults
from sections.dreamblend import dreamblend
from sections.first_base import first_base
from sections.grid import grid
from sections.guidance import guidance
from sections.lcm import lcm
from sections.pairs import pairs
from sections.scoring import scoring
from sections.steps import real_size, steps
from sections.studies import also_measured_with, studies
from sections.style import style
from sections.toybench import toybench
from sections.world import world
from weights import embedded, outdated

from likeness.files.recipe import content_of
from likeness.methods import packaged_recipes, packaged_sweeps

HERE = Path(__file__).parent
FIGURES = HERE / "results"
PAGE = HERE.parent / "docs" / "results.md"
SECTIONS: dict[str, Callable[[dict], Iterator[str]]] = {  # by the name of their figures, in the page's order
    "world": world,
    "guidance": guidance,
    "grid": grid,
    "first_base": first_base,
    "studies": studies,
    "toybench": toybench,
    "steps": steps,
    "real_size": real_size,
    "scoring": scoring,
    "pairs": pairs,
    "style": style,
    "choice": choice,
    "regimes": regimes,
    "dreamblend": dreamblend,
    "lcm": lcm,
    "ddpo": ddpo,
    "cascade": cascade,
}
ALSO: dict[str, Callable[[], dict[str, dict[str, str]]]] = {"studies": also_measured_with}  # what figures of other files that a section shows were measured with
BEGINNING = """# Results

This page is written by `python benchmarks/results.py` from the figures in `benchmarks/results/`; change it there.

Every number is of the toybox, but where a table names another network or another's study: a small base and judges of our own on drawn scenes of 64 pixels. What holds here is a hint for Stable Diffusion and no
measurement of it. Intervals are 95 %, in brackets, over subjects where nothing else is said: of six and more a bootstrap with Student's widening, of fewer Student's t on the jackknife's
pseudo-values, of a share that is the same for all Wilson's, of as many as there are subjects.

- **named**: share of pictures in which the identity judge picks the subject among ten others of its class of whom the same words are true.
- **DINO**: mean cosine of the identity judge between a picture and the subject's photos. These are the photos that were trained on, here and for **named**: copying them raises both. **placed**: share in which the text–image judge finds the asked place
  among all places. **CLIP-T**: cosine of picture and prompt, with the class noun. **sameness**: mean cosine between the pictures of one prompt; lower is more varied.
- **CLIP-I**: as DINO, by the text–image judge, which is taught by words. Look-alikes have the same words, and by it they are about as like as what was trained: here it hardly
  measures likeness. **aesthetic**: marks of the judge of looks, about 1 to 10, whatever is shown. It learned how much true renders were spoilt: it knows blur, noise and bent outlines, not taste.
- floor: other individuals of whom the same words are true, another one in each prompt and none of those ten, drawn by the world in the asked places. ceiling: the subject itself."""


def main() -> None:
    known = {name: FIGURES / f"{name}.json" for name in SECTIONS}
    now = embedded()
    written = [section(name, json.loads(path.read_text("utf-8")), now) for name, path in known.items() if path.exists()]
    parts = [BEGINNING, *written, "\n".join(defaults())]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {PAGE}")
    for path, text in told().items():
        path.write_text(text, encoding="utf-8")


def section(name: str, found: dict, now: dict[str, str]) -> str:
    """A section of the page; what is older than the weights says so under its title."""
    old = outdated(found.get("measured with", {}) | ALSO.get(name, dict)(), now)
    title, rest = "\n".join(SECTIONS[name](found)).split("\n", 1)
    return f"{title}\n\n{old}\n{rest}" if old else f"{title}\n{rest}"


def told() -> dict[Path, str]:
    """The packaged recipes and sweeps that tell what was measured with them: the means of the figures there are for the weights of now, or what was told before, and that it was before."""
    grid, studies = (json.loads((FIGURES / f"{name}.json").read_text("utf-8")) for name in ("grid", "studies"))
    now, scores = embedded(), dict[str, list[dict]]()
    for line in (*grid["cells"], *studies["regimes"]):
        scores.setdefault(line["recipe"], []).append(line["scores"])
    fresh = {recipe for recipe, job in grid["jobs"].items() if not outdated({job: grid["measured with"][job]}, now)}
    if not outdated(studies["measured with"], now):
        fresh |= {line["recipe"] for line in studies["regimes"]}

    def mean(recipe: str, score: str) -> str:
        return f"{sum(each[score] for each in scores[recipe]) / len(scores[recipe]):.3f}".removeprefix("0")

    def with_figures(path: Path, recipes: list[str], figures: str, said: Callable[[], str]) -> str:
        whole, text = fresh.issuperset(recipes), path.read_text("utf-8")
        text = re.sub("On the toybox[^,]*, ten subjects", "On the toybox, ten subjects" if whole else "On the toybox as it was before, ten subjects", text)
        return re.sub(figures, said(), text) if whole else text

    texts = {}
    for name, path in packaged_recipes().items():
        if name in scores:
            each = ("DINO", "dino"), ("CLIP-T", "clip_t_class"), ("sameness", "diversity")
            texts[path] = with_figures(path, [name], r"DINO \.\d+, CLIP-T \.\d+, sameness \.\d+", lambda name=name, each=each: ", ".join(f"{said} {mean(name, score)}" for said, score in each))
    for path in packaged_sweeps().values():
        recipes = [recipe.replace("prior_weight=1.0", "prior_weight=1") for recipe in content_of(path)["recipes"]]
        texts[path] = with_figures(path, recipes, r"below: DINO [^(]+ \(", lambda recipes=recipes: f"below: DINO {', '.join(mean(recipe, 'dino') for recipe in recipes)} (")
    return texts


if __name__ == "__main__":
    main()
