"""What the laws need to know of each method: options that make it quick on the tiny model, and another value for each."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from likeness.files.recipe import Recipe, Stage, recipe_from_dict
from likeness.files.run_folder import RunFolder
from likeness.files.subject import prepare_photos
from likeness.learning.method import Method, Subject
from likeness.learning.training import Trained, make_optimizer, train
from likeness.methods import METHODS
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.workflow.drawing import enlarged
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Silent
from likeness.workflow.stack import attach as attached_to
from likeness.workflow.stack import method_class, stage_types


@dataclass(frozen=True)
class Case:
    """One method under test. `silent`: options that change no number by design, only memory or time."""

    quick: dict[str, Any]
    changed: dict[str, Any]  # its own options; those of every stage are in EVERY_STAGE
    silent: tuple[str, ...] = ()
    besides: dict[str, dict[str, Any]] = field(default_factory=dict)  # what else an option needs to show itself
    learns: dict[str, Any] | None = field(default_factory=dict)  # what makes the loss fall visibly in forty steps; None: it need not
    needs_words: bool = False  # a random network does nothing with words: it learns on the embedded base


EVERY_STAGE: dict[str, Any] = {
    "steps": 2, "learning_rate": 2e-3, "learning_rate_schedule": "cosine", "warmup_steps": 2, "batch_size": 3, "gradient_accumulation": 2,
    "weight_decay": 0.5, "max_gradient_norm": 0.01, "mixed_precision": "bf16", "checkpoints": (2,), "previews": (2,), "save_every": 2,
}  # fmt: skip
PHOTOS: dict[str, Any] = {
    "prompt": "{}", "use_captions": True, "min_snr_gamma": 5.0, "gradient_checkpointing": True, "cache_latents": False,
}  # fmt: skip
CAPTIONED = {option: value for option, value in PHOTOS.items() if option != "cache_latents"}
PRIOR: dict[str, Any] = {**PHOTOS, "prior_weight": 0.5, "class_pictures": 1, "class_steps": 3, "class_guidance_scale": 3.0}
FAMILIES = ["epsilon", "v_prediction", "sdxl"]  # sdxl: another family, which predicts epsilon
ON_PIXELS = ("dreambooth", "lora", "super_resolution")  # tried on DeepFloyd IF's first stage too
SILENT = ("gradient_checkpointing", "cache_latents")
CLASS = {"class_pictures": 4, "class_steps": 2}
CASES = {
    "dreambooth": Case(
        quick={"steps": 3, "learning_rate": 1e-3, **CLASS},
        changed={**PRIOR, "train_text_encoder": True, "text_encoder_learning_rate": 1e-4},
        silent=SILENT,
        besides={"text_encoder_learning_rate": {"train_text_encoder": True}},
    ),
    "lora": Case(
        quick={"steps": 3, "learning_rate": 3e-2, "prior_weight": 1.0, **CLASS},
        learns={"targets": "everything", "rank": 8},
        changed={
            **PRIOR, "rank": 2, "alpha": 1.0, "targets": "everything", "dropout": 0.5, "rank_stabilized": True, "dora": True,
            "train_text_encoder": True, "text_encoder_learning_rate": 1e-3, "text_targets": "attention+feedforward",
        },
        silent=SILENT,
        besides={"text_encoder_learning_rate": {"train_text_encoder": True}, "text_targets": {"train_text_encoder": True}},
    ),
    "textual_inversion": Case(
        quick={"steps": 3, "learning_rate": 5e-1},
        changed={**PHOTOS, "word": "<other>", "initializer": "cat", "vectors": 2, "templates": "style", "adjective": True},
        silent=SILENT,
        besides={"prompt": {"templates": "prompt"}},
        learns={"learning_rate": 1e-1, "templates": "prompt", "batch_size": 4, "initializer": "dog"},
        needs_words=True,
    ),
    "custom_diffusion": Case(
        quick={"steps": 3, "learning_rate": 5e-2, "augmentation": False, **CLASS},
        changed={
            **PRIOR, "trained": "all", "words": ("<other>",), "initializers": ("dog",), "augmentation": True, "legacy_weight": True,
        },
        silent=SILENT,
    ),
    "super_resolution": Case(
        quick={"steps": 3, "learning_rate": 1e-3, "draw_steps": 2},
        changed={
            **CAPTIONED, "upscaler": "another", "noise_least": 15, "noise_most": 500, "noise_level": 300, "draw_steps": 1, "draw_guidance_scale": 2.0,
        },
        silent=("gradient_checkpointing",),
        learns={"learning_rate": 3e-3, "batch_size": 2},
    ),
    "lcm": Case(
        quick={"steps": 3, "learning_rate": 1e-2, "rank": 4, "batch_size": 1, "pictures": 4, "picture_steps": 2},
        changed={
            "student": "full", "rank": 2, "alpha": 1.0, "loss": "l2", "solver_steps": 25, "guidance_min": 2.0, "guidance_max": 20.0, "average": 0.5, "zero_init": False,
            "pictures": 2, "picture_steps": 3, "picture_guidance_scale": 3.0, "prompts": ("{}",), "draws_in": 2, "gradient_checkpointing": True,
        },
        silent=("gradient_checkpointing",),
        besides={"average": {"student": "full"}, "zero_init": {"student": "full"}},
        learns={"batch_size": 4, "learning_rate": 3e-3, "loss": "l2"},
    ),
    "ddpo": Case(
        quick={
            "steps": 3, "learning_rate": 1e-2, "updates": 1, "batch_size": 2, "gradient_accumulation": 1, "draw_steps": 2, "rewards": ("compressible",), "clip_range": 0.1,
            "prompts": ("a photo of a {}", "a {} on the beach"), "statistics_least": 2, "advantage_clip": 1.1,
        },
        changed={
            "trained": "full", "rank": 2, "updates": 3, "rewards": ("incompressible",), "reward_clip": "clip", "reward_dino": "dino", "aesthetic_head": "head", "prompts": ("{}",),
            "draw_steps": 3, "draw_guidance_scale": 2.0, "clip_range": 1e-6, "advantage_clip": 0.1, "statistics_size": 2, "statistics_least": 50, "kl_weight": 100.0,
            "gradient_checkpointing": True,
        },
        silent=("gradient_checkpointing", "reward_clip", "reward_dino", "aesthetic_head"),  # the encoders of other rewards than these two
        learns=None,
    ),
}  # fmt: skip
for name in METHODS:
    if name not in CASES:  # of another package: its module says what the laws need to know
        CASES[name] = Case(**importlib.import_module(METHODS[name].partition(":")[0]).CONTRACT)


def options_of(method: str) -> dict[str, Any]:
    return {**EVERY_STAGE, **CASES[method].changed}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "option" in metafunc.fixturenames:
        pairs = [(m, o) for m in METHODS for o in options_of(m) if o not in CASES[m].silent]
        metafunc.parametrize(("method", "option"), pairs)
    elif "method" in metafunc.fixturenames and "prediction" in metafunc.fixturenames:
        pairs = [(m, p) for m in METHODS for p in (*FAMILIES, *(["deepfloyd"] if m in ON_PIXELS else []))]
        metafunc.parametrize(("method", "prediction"), pairs)
    elif "method" in metafunc.fixturenames:
        metafunc.parametrize("method", list(METHODS))


def filled(method: str, options: dict[str, Any], upscalers: dict[str, Path], prediction: str) -> dict[str, Any]:
    """What makes a method quick on a tiny base, and options; a super-resolution stage is the base's own, or another that belongs to it too."""
    whole = {**CASES[method].quick, **options}
    if "upscaler" in method_class(method).Spec.model_fields and prediction in upscalers:
        whole["upscaler"] = str(upscalers[whole.get("upscaler", prediction)])
    return whole


@pytest.fixture
def case(method: str) -> Case:
    return CASES[method]


@pytest.fixture
def changed_options(method: str) -> dict[str, Any]:
    return options_of(method)


@pytest.fixture(scope="session")
def subject(photo_folder: Path) -> Subject:
    return Subject([p.image for p in prepare_photos(photo_folder, 16) if p.image], "dog", "sks")


@pytest.fixture
def open_base(tiny_folders: dict[str, Path]) -> Callable[..., Base]:
    return lambda prediction="epsilon": Base.open("toybox" if prediction == "toybox" else str(tiny_folders[prediction]))


@dataclass
class Attached:
    """A method on a base of its own, and its one loop."""

    method: Method
    base: Base
    stage: Stage
    subject: Subject
    seed: int = 0

    @property
    def called(self) -> str:
        return self.method.called(self.subject.class_noun, self.subject)

    def batches(self, count: int, start: int = 0) -> list[list]:
        return list(islice(self.method.batches([self.subject], start, self.seed), count))

    def trained(self) -> list[Trained]:
        return list(self.training())

    def training(self) -> Iterator[Trained]:
        batches = self.method.batches([self.subject], 0, self.seed)
        return train(self.method, make_optimizer(self.method, self.stage), self.stage, batches, 0, self.seed)

    @torch.no_grad()
    def loss(self, batches: list[list]) -> float:
        return sum(sum(self.method.loss(batch).values()).item() for step in batches for batch in step)  # type: ignore[union-attr]

    def pictures(self, *prompts: str) -> list[Image.Image]:
        """As the method's own are drawn: where it trains a super-resolution stage, enlarged by the base's."""
        seeds = range(len(prompts))
        return list(enlarged(self.base, sample(self.base, prompts, seeds, steps=3, guidance_scale=5.0), prompts, seeds, self.method.sampling()))

    def everything(self) -> dict[str, torch.Tensor]:
        """Every parameter and buffer of the base."""
        return {f"{name}.{key}": value.detach().clone() for name, network in self.base.parts.items() for key, value in network.state_dict().items()}


@pytest.fixture
def attach(open_base: Callable[..., Base], subject: Subject, tiny_upscalers: dict[str, Path]) -> Callable[..., Attached]:
    def attached(method: str, prediction: str = "epsilon", subject: Subject = subject, **options: Any) -> Attached:
        kind, base = method_class(method), open_base(prediction)
        stage = kind.Spec(**filled(method, options, tiny_upscalers, prediction))
        size = (stage.photo_size(base.resolution),) * 2
        photos = [photo if photo.size == size else photo.resize(size) for photo in subject.photos]
        return Attached(attached_to(stage, base, 0, 0), base, stage, replace(subject, photos=photos))

    return attached


@pytest.fixture
def recipe_of(tiny_folders: dict[str, Path], tiny_upscalers: dict[str, Path], photo_folder: Path) -> Callable[..., Recipe]:
    def recipe(*methods: str, prediction: str = "epsilon", seed: int = 0, **options: Any) -> Recipe:
        stages = [{"method": m, **filled(m, options, tiny_upscalers, prediction)} for m in methods]
        subject = {"photos": photo_folder, "class_noun": "dog"}
        return recipe_from_dict({"base": str(tiny_folders[prediction]), "seed": seed, "subject": subject, "stages": stages}, stage_types())

    return recipe


@pytest.fixture
def fitted(recipe_of: Callable[..., Recipe], tmp_path: Path) -> Callable[..., RunFolder]:
    """Train in a run folder, as the command line does."""
    return lambda *methods, **options: fit(recipe_of(*methods, **options), tmp_path / "runs", Silent())


@pytest.fixture(scope="session")
def journal_of() -> Callable[[RunFolder], list[dict[str, Any]]]:
    """What was done, but for clock and memory."""
    return lambda run: [{k: v for k, v in line.items() if k not in ("seconds", "peak_bytes")} for line in run.journal()]


@pytest.fixture(scope="session")
def observed(journal_of: Callable) -> Callable[[RunFolder], dict[str, str]]:
    """Everything that two runs of the same recipe must have in common: journal, pictures, and each byte of checkpoints."""

    def seen(run: RunFolder) -> dict[str, str]:
        kept = [p for kind in ("checkpoints", "resume") for p in sorted((run.path / kind).rglob("*")) if p.is_file()]
        content = {p.relative_to(run.path).as_posix(): p.read_bytes() for p in kept}
        content |= {p.name: Image.open(p).tobytes() for p in run.previews()}  # the file itself names its run
        return {**{name: hashlib.sha256(data).hexdigest() for name, data in content.items()}, "journal": json.dumps(journal_of(run))}

    return seen
