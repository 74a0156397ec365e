"""DreamBlend: what it costs, which α, and whether it brings what no checkpoint of the same run brings.

    python benchmarks/dreamblend.py cost OUT.json
    python benchmarks/dreamblend.py roundtrip OUT.json
    python benchmarks/dreamblend.py calibrate OUT.json --runs RUNS --subjects biscuit,mimi,clover
    python benchmarks/dreamblend.py report OUT.json --runs RUNS --subjects earl,ramen,bolt,grumble
    python benchmarks/dreamblend.py pairs OUT.json --runs RUNS --subjects wick

`cost`: seconds of a blended picture over a plain one, in turn in one process, on the toybox and on a small network of Stable Diffusion 1.5's shape; and the same
ratio in floating-point operations on the full shapes of Stable Diffusion 1.5 and XL, which nothing has to be computed for. Beside them Algorithm 1 as it is
written: maps of all layers and steps kept, no pass cut, both models to the end.

`roundtrip`: true renders of individuals that no subject is, led back to noise and drawn again, no guidance: dB to the render, beside what the autoencoder alone keeps.

The others: runs made by `likeness train dreambooth toybox:NAME --checkpoints 50-400:50` under RUNS. Every checkpoint and every blend draws the same scenes from
the same noise; what is drawn already is not drawn again. Judged are likeness (DINO), obedience (CLIP-T with the class noun) and the name among ten others of the same words.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from judging import Judged
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from likeness.files.prompts import said as filled
from likeness.files.run_folder import RunFolder
from likeness.model.attention import Watch, coarsest, watched
from likeness.model.base import Base, Conditioning
from likeness.model.trajectory import guided, initial_latents, walk
from likeness.sampling.dreamblend import blended_latents
from likeness.sampling.editing import redrawn
from likeness.sampling.options import Blend, Edit
from likeness.sampling.steering import Prompts
from likeness.workflow.generating import generate
from likeness.workflow.looking import open_judges
from likeness.workflow.progress import Progress, Silent
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, distractors, photo_scenes, prompts_for

WAYS = {
    "the default": Blend(),
    "every step": Blend(until=1.0),
    "every step, encoder's maps": Blend(until=1.0, layers="encoder"),
    "the default, encoder's maps": Blend(layers="encoder"),
}
LAST = 400
GUIDES, EDITS = (0, 50, 100, 200), (100, 200, LAST)  # of pairs: checkpoints that guide, 0 for the base, and that are guided
SCENES = {"calibrate": (10, range(1)), "report": (12, range(2)), "pairs": (10, range(1))}  # recontextualization prompts, and pictures of each
FULL_SHAPES = {
    "Stable Diffusion 1.5": ({"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}, None),
    "Stable Diffusion XL": ({
        "sample_size": 128, "block_out_channels": (320, 640, 1280), "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), "transformer_layers_per_block": (1, 2, 10), "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048, "use_linear_projection": True, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    }, (1280, 6)),
}  # fmt: skip


class Random(Base):
    """A network of random weights behind the verbs that a walk needs."""

    def __init__(self, name: str, pooled: tuple[int, int] | None = None, **shape):
        torch.manual_seed(0)
        self.name, self.device, self.pooled = name, torch.device(torch.get_default_device()), pooled
        self.unet = UNet2DConditionModel(**shape).eval().requires_grad_(False)
        self.scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1)

    @property
    def pixels_per_latent(self) -> int:
        return 8

    def condition(self, prompts):
        return Conditioning(torch.randn(len(prompts), 77, self.unet.config.cross_attention_dim))

    def predict(self, latents, timesteps, conditioning):
        added = None
        if self.pooled:
            added = {"text_embeds": torch.zeros(len(latents), self.pooled[0]), "time_ids": torch.zeros(len(latents), self.pooled[1])}
        return self.unet(latents, timesteps, conditioning.states, added_cond_kwargs=added).sample


def cost() -> list[dict]:
    toybox = [Base.open("toybox") for _ in range(2)]
    small = [Random("Stable Diffusion 1.5's shape, an eighth as wide", sample_size=64, block_out_channels=(40, 80, 160, 160), norm_num_groups=8, cross_attention_dim=96) for _ in range(2)]
    found = [timed("toybox", toybox, 2, 4, 5), timed(small[0].name, small, 1, 2, 3)]
    return [*found, *(counted(name, shape, pooled) for name, (shape, pooled) in FULL_SHAPES.items())]


def timed(name: str, models: list[Base], pictures: int, steps: int, rounds: int) -> dict:
    """Medians over rounds of seconds for the pictures; each round runs every way in turn, so that a busy machine slows all of them."""
    guide, edit = models
    prompts = Prompts(["a dog on the beach"] * pictures)
    ways: dict[str, Callable[[], object]] = {
        "plain": lambda: plain(edit, prompts, steps), "Algorithm 1 as it is written": lambda: naive(guide, edit, prompts, steps),
        **{way: lambda how=how: blended_latents(guide, edit, prompts, initial_latents(edit, range(pictures)), steps, 4.0, how) for way, how in WAYS.items()},
    }  # fmt: skip
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, run in ways.items():
            began = time.perf_counter()
            run()
            seconds[way].append(time.perf_counter() - began)
    taken = {way: each[1:] for way, each in seconds.items()}
    lines = {}
    for way in list(ways)[1:]:
        ratios = sorted(a / b for a, b in zip(taken[way], taken["plain"]))
        lines[way] = {"ratio": statistics.median(ratios), "quartiles": [ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]]}
    print(name, json.dumps(lines, indent=1))
    return {"name": name, "by": "seconds", "plain": statistics.median(taken["plain"]), "pictures": pictures, "steps": steps, "ratios": lines}


@torch.no_grad()
def plain(base: Base, prompts: Prompts, steps: int) -> None:
    for _ in walk(base, initial_latents(base, range(len(prompts.asked))), base.condition(prompts.asked), base.condition([""] * len(prompts.asked)), steps, 4.0):
        pass


def naive(guide: Base, edit: Base, prompts: Prompts, steps: int) -> None:
    """Lines 1 to 19: the guidance model to its end with all maps of all layers kept, then the edit model, twice at every step, no pass cut."""
    latents, everything = initial_latents(edit, range(len(prompts.asked))), Watch(10_000)
    half = slice(len(prompts.asked), None)
    with torch.no_grad():
        said = [prompts.condition(model) for model in (guide, edit)]
    sampler = edit.sampler()
    sampler.set_timesteps(steps)
    stored, moved = [], latents
    for t in sampler.timesteps:
        with torch.no_grad(), watched(guide.unet, everything, half) as maps:
            moved = sampler.step(guided(guide, moved, t, said[0], 4.0), t, moved).prev_sample  # type: ignore[union-attr]
        stored.append(maps)
    for t, reference in zip(sampler.timesteps, stored):
        latents = latents - gradient(edit, latents, t, said[1][half], reference, everything, None)
        with torch.no_grad():
            latents = sampler.step(guided(edit, latents, t, said[1], 4.0), t, latents).prev_sample  # type: ignore[union-attr]


def gradient(base: Base, latents: torch.Tensor, t: torch.Tensor, said: Conditioning, reference: dict, watch: Watch, until: str | None) -> torch.Tensor:
    start = latents.detach().requires_grad_(True)
    with watched(base.unet, watch, until=until) as maps:
        base.predict(start, t.expand(len(start)), said)
    sum((maps[layer] - wanted).abs().mean(1).sum() for layer, wanted in reference.items()).backward()  # not autograd.grad: the counter's hooks refuse it
    return start.grad  # type: ignore[return-value]


def counted(name: str, shape: dict, pooled: tuple[int, int] | None) -> dict:
    """Multiplications and additions of matrix products and convolutions of one step, by torch's counter on tensors without content."""
    with torch.device("meta"):
        base = Random(name, pooled, **shape)
        latents, t = torch.randn(1, 4, shape["sample_size"], shape["sample_size"]), torch.tensor(500)
        both, said = base.condition(["", "a"]), base.condition(["a"])
        watch = Watch(max(16, coarsest(base.unet, shape["sample_size"])))
        one = operations(lambda: guided(base, latents, t, both, 4.0))
        spent = {}
        for way, seen in (("cut", watch), ("encoder", Watch(watch.largest, ("down_blocks", "mid_block"))), ("naive", Watch(10_000))):
            with torch.no_grad(), watched(base.unet, seen) as reference:
                base.predict(latents, t.expand(1), said)
            until = None if way == "naive" else list(reference)[-1]
            spent[way] = operations(lambda seen=seen, reference=reference, until=until: gradient(base, latents, t, said, reference, seen, until), True)
    ratios = {
        "Algorithm 1 as it is written": 2 + spent["naive"] / one, "the default": 1 + Blend().until * (1 + spent["cut"] / one), "every step": 2 + spent["cut"] / one,
        "every step, encoder's maps": 2 + spent["encoder"] / one, "the default, encoder's maps": 1 + Blend().until * (1 + spent["encoder"] / one),
    }  # fmt: skip
    print(name, one / 1e12, ratios)
    return {"name": name, "by": "operations", "plain": one, "largest": watch.largest, "ratios": {way: {"ratio": ratio} for way, ratio in ratios.items()}}


def operations(run: Callable[[], object], backward: bool = False) -> int:
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        run()
    return counter.get_total_flops()


def roundtrip() -> list[dict]:
    base, lines = Base.open("toybox"), []
    photos = [(f"a {noun}", draw(photo_scenes(distractors(SUBJECTS[name], 1)[0], 1, 7)[0], 64)) for name, noun in (("bruno", "dog"), ("clover", "rabbit"), ("bolt", "robot"))]
    for steps in (10, 25, 50):
        for refinements in (0, 2):
            drawn = [redrawn(base, photo, prompt, steps, Edit(strength=1.0, refinements=refinements)) for prompt, photo in photos]
            lines.append({"steps": steps, "refinements": refinements, "decibels": [decibels(photo, again) for (_, photo), again in zip(photos, drawn)]})
            print(lines[-1], flush=True)
    lines.append({"steps": 0, "refinements": 0, "decibels": [decibels(photo, base.decode(base.moments([photo])[0])[0]) for _, photo in photos]})
    return lines


def decibels(one: Image.Image, other: Image.Image) -> float:
    return round(float(10 * np.log10(255**2 / np.square(np.asarray(one, float) - np.asarray(other, float)).mean())), 1)


def score(name: str, run: RunFolder, steps: list[int], blends: list[tuple[int, int, Blend]], prompts: int, seeds: range) -> list[dict]:
    """A line for every checkpoint and every blend (guidance checkpoint, edit checkpoint, how), with each picture's scores."""
    subject = SUBJECTS[name]
    templates = [p.template for p in prompts_for(subject.class_noun) if p.kind == "recontextualization"][:prompts]
    for step in steps:
        generate(run, templates, seeds, Silent(), step=step, beside_base=False)
    for guide, edit, how in blends:
        generate(run, templates, seeds, Silent(), step=edit, guide=guide, how=how, beside_base=False)
    judged = Judged(subject, run, open_judges("toybox"))
    kinds = [({"checkpoint": step}, None) for step in steps] + [({"checkpoint": edit, "guide": guide}, how.model_dump()) for guide, edit, how in blends]
    lines, wanted = [], [filled(template, subject.class_noun) for template in templates]
    for about, how in kinds:
        options = {} if how is None else {"guide": about["guide"], **how}
        saved = [p for p in run.pictures() if p.labels["checkpoint"] == about["checkpoint"] and p.settings.options == options and p.labels["model"] != "base"]
        saved = [p for p in saved if p.settings.seed in seeds and p.labels["class_prompt"] in wanted]
        images, said = [Image.open(p.path).convert("RGB") for p in saved], [p.labels["class_prompt"] for p in saved]
        assert len(saved) == len(templates) * len(seeds), (about, len(saved))
        scores = judged.scores(images, said)
        changed = {} if how is None else {"how": {key: value for key, value in how.items() if key in ("alpha", "until", "layers")}}
        lines.append({"subject": name, **about, **changed, "prompt": [wanted.index(text) for text in said], **scores})
        print(name, about, changed, {key: round(float(np.mean(each)), 3) for key, each in scores.items()}, flush=True)
    return lines


GRID = [(guide, LAST, Blend(alpha=alpha)) for guide in (50, 100) for alpha in (0.3, 1.0, 3.0)] + [(50, LAST, Blend(alpha=1.0, until=1.0)), (50, LAST, Blend(alpha=1.0, layers="encoder"))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["cost", "roundtrip", "calibrate", "report", "pairs"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--subjects", default="biscuit,mimi,clover")
    parser.add_argument("--blends", default="50:0.3,100:0.3,50:1,100:1,50:1:encoder", help="of report: guidance checkpoints, α, and layers if not all")
    asked = parser.parse_args()
    pairs = [(int(guide), LAST, Blend(alpha=float(alpha), **({"layers": layers[0]} if layers else {}))) for guide, alpha, *layers in (pair.split(":") for pair in asked.blends.split(","))]
    found = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    if asked.what == "cost":
        found["cost"] = cost()
    elif asked.what == "roundtrip":
        found["roundtrip"] = roundtrip()
    else:
        names = asked.subjects.split(",")
        steps = {"report": [*range(50, LAST + 1, 50)], "calibrate": [50, 100, LAST], "pairs": list(EDITS)}[asked.what]
        chosen = {"report": pairs, "calibrate": GRID, "pairs": [(guide, edit, Blend()) for edit in EDITS for guide in GUIDES if guide < edit]}[asked.what]
        with Progress().task(asked.what, len(names)) as task:
            for name in names:
                run = RunFolder.open(sorted(asked.runs.glob(f"{name}-dreambooth-*"))[-1])
                mine = score(name, run, steps, chosen, *SCENES[asked.what])
                found[asked.what] = [line for line in found.get(asked.what, []) if line["subject"] != name] + mine
                task.advance(note=name)
                asked.out.write_text(json.dumps(found, indent=None, separators=(",", ":")) + "\n")
    asked.out.write_text(json.dumps(found, indent=None, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
