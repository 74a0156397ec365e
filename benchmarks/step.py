"""Seconds of one training step of each method beside the bare loop: forward, backward and AdamW of the same parameters on ready tensors.

    python benchmarks/step.py [--methods dreambooth,lora,textual_inversion,custom_diffusion] [--base toybox] [--batch 4] [--rounds 40] [--out FILE]

The three run in one process on parameters, batch and precision that are alike, in turn (a step of each, many times), so that a busy machine slows all
of them; the ratio is the median of the rounds' ratios. Where gradients pass the text encoder, the bare loop encodes its prompts too. Uncached: photos and prompts are
encoded at every step, as training scripts do that keep nothing.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from likeness.learning.denoising import noised, target
from likeness.learning.method import Subject
from likeness.learning.precision import precision
from likeness.learning.training import make_optimizer, train
from likeness.model.base import Base
from likeness.workflow.stack import method_class

WARM_UP = 3
LEARN_FROM_NOISE = ("dreambooth", "lora", "textual_inversion", "custom_diffusion")  # the methods whose step is the bare loop's: noise on photos, guessed
FIXED = {"steps": 10_000_000, "learning_rate": 1e-9, "gradient_accumulation": 1, "prior_weight": 0.0, "augmentation": False}


def measure(name: str, base_name: str, batch_size: int, rounds: int) -> dict:
    cached, bare = steps_of(name, base_name, batch_size, True)
    uncached, _ = steps_of(name, base_name, batch_size, False)
    taken, _ = in_turn({"bare": bare, "likeness": cached, "likeness, uncached": uncached}, rounds)
    medians = {key: statistics.median(values) for key, values in taken.items()}
    result = {"method": name, "base": base_name, "batch": batch_size, "threads": torch.get_num_threads(), "seconds": medians}
    for key in ("likeness", "likeness, uncached"):
        result[f"ratio {key}"], result[f"ratio {key}, quartiles of rounds"] = ratio(taken[key], taken["bare"])
    return result


def in_turn(steps: dict[str, Callable[[], None]], rounds: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Seconds of each step in each round, after some that warm up; and the most bytes that a GPU held in it."""
    seconds, peaks = {key: [] for key in steps}, dict.fromkeys(steps, 0)
    for _ in range(WARM_UP + rounds):
        for key, step in steps.items():
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            began = time.perf_counter()
            step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
                peaks[key] = max(peaks[key], torch.cuda.max_memory_allocated())
            seconds[key].append(time.perf_counter() - began)
    return {key: values[WARM_UP:] for key, values in seconds.items()}, peaks


def ratio(more: list[float], less: list[float]) -> tuple[float, list[float]]:
    """The median of the rounds' ratios, and their quartiles."""
    ratios = sorted(a / b for a, b in zip(more, less))
    return statistics.median(ratios), [ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]]


def steps_of(name: str, base_name: str, batch_size: int, cache: bool, mixed_precision: str = "no") -> tuple[Callable[[], None], Callable[[], None]]:
    """One step of the method, and one of the bare loop on the same parameters."""
    base = Base.open(base_name, "cuda" if torch.cuda.is_available() else "cpu")
    size = base.resolution
    photos = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (size, size, 3), dtype=np.uint8)) for n in range(5)]
    kind = method_class(name)
    asked = kind.Spec.completed({**FIXED, "batch_size": batch_size, "cache_latents": cache, "mixed_precision": mixed_precision}, {"class_noun": "dog", "identifier": "sks"})
    spec = kind.Spec.model_validate({key: value for key, value in asked.items() if key in kind.Spec.model_fields})
    method = kind(spec, base)
    optimizer = make_optimizer(method, spec)
    subject = Subject(photos, "dog", "sks")
    trained = train(method, optimizer, spec, method.batches([subject], 0, 0), 0, 0)
    batch = next(method.batches([subject], 0, 0))[0].photos
    ready = noised(base, batch), target(base, batch), batch.timesteps
    told = None if method.changes(batch.prompts[0]) else base.condition(batch.prompts)
    parameters = [parameter for group in method.parameter_groups() for parameter in group["params"]]

    def bare() -> None:
        seen, wanted, timesteps = ready
        with precision(mixed_precision, base.device):
            loss = (base.predict(seen, timesteps, told or base.condition(batch.prompts)).float() - wanted).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return lambda: next(trained), bare


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--methods", default=",".join(LEARN_FROM_NOISE))
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    found = [measure(name, asked.base, asked.batch, asked.rounds) for name in asked.methods.split(",")]
    print(json.dumps(found, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps({"methods": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
