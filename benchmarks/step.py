"""Seconds of one training step beside the bare loop: U-Net forward, backward and AdamW on ready tensors.

    python benchmarks/step.py [--base toybox] [--batch 4] [--rounds 40]

All three run in one process on the same parameters, batch and precision, in turn (a round of each, many times), so
that a busy machine slows all of them; the ratio is of medians.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from PIL import Image

from likeness.learning.denoising import noised, target
from likeness.learning.method import Subject
from likeness.learning.training import make_optimizer, train
from likeness.methods.dreambooth import DreamBooth, Spec
from likeness.model.base import Base


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", default="toybox")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    base = Base.open(asked.base, "cuda" if torch.cuda.is_available() else "cpu")
    size = base.resolution
    photos = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (size, size, 3), dtype=np.uint8)) for n in range(5)]
    subject = Subject(photos, "dog", "sks")
    options = {"steps": 10_000_000, "batch_size": asked.batch, "learning_rate": 1e-9, "prior_weight": 0.0}

    def loop(cached: bool):
        spec = Spec(**options, cache_latents=cached)
        method = DreamBooth(spec, base)
        optimizer = make_optimizer(method, spec)
        return method, optimizer, train(method, optimizer, spec, method.batches([subject], 0, 0), 0, 0)

    method, optimizer, cached = loop(True)
    _, _, uncached = loop(False)
    batch = next(method.batches([subject], 0, 0))[0].photos
    ready = noised(base, batch), target(base, batch), batch.timesteps, base.condition(batch.prompts)
    parameters = list(base.unet.parameters())

    def bare() -> None:
        seen, wanted, timesteps, conditioning = ready
        (base.predict(seen, timesteps, conditioning) - wanted).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    steps = {"bare": bare, "likeness": lambda: next(cached), "likeness, uncached": lambda: next(uncached)}
    for step in steps.values():
        for _ in range(3):
            step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(asked.rounds):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    result = {"base": asked.base, "batch": asked.batch, "threads": torch.get_num_threads(), "seconds": medians}
    for name in ("likeness", "likeness, uncached"):
        ratios = sorted(a / b for a, b in zip(seconds[name], seconds["bare"]))
        result[f"ratio {name}"] = medians[name] / medians["bare"]
        result[f"ratio {name}, quartiles of rounds"] = [ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]]
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
