"""A run of what another tool has trained: it is drawn, combined, scored and exported like any other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..files.errors import UserError
from ..files.recipe import Recipe, recipe_from_dict
from ..files.run_folder import RunFolder
from ..files.subject import check_identifier
from ..interchange import reading
from ..interchange.reading import File, ReadLoRA
from ..methods.lora import TARGETS, TEXT_TARGETS
from ..model.base import Base
from .photos import gather_all, title_of
from .progress import Progress
from .recipe_facts import facts_in_words
from .stack import attach, names_after, stage_types, write_layers

Layer = tuple[dict[str, Any], dict[str, Tensor] | ReadLoRA]  # a stage's options, and its weights


def import_files(
    path: Path, parent: Path, progress: Progress, base_name: str = "toybox", class_noun: str | None = None, identifier: str | None = None,
    photos: Path | None = None,
) -> RunFolder:  # fmt: skip
    """A run folder with a LoRA, new words, or Custom Diffusion's weights from files of other tools.

    photos  of the subject, if it is to be scored
    """
    path = Path(os.path.abspath(path))  # "." has no name
    files = [reading.read_file(one) for one in reading.files_at(path)]
    kinds = [reading.kind_of(file) for file in files]
    noun, name = _subject(files, class_noun, identifier)
    base = Base.open(base_name)
    layers = _layers(files, kinds, base, noun, identifier)
    words = [options["word"] for options, _ in layers if "word" in options]
    subject = {"photos": photos or path, "class_noun": noun, "identifier": name or (words[0].strip("<>") if words else "sks")}
    recipe = recipe_from_dict({"base": base_name, "subject": subject, "stages": [options for options, _ in layers]}, stage_types())
    taken = gather_all(recipe) if photos else []
    run = RunFolder.create(parent, title_of(path), seed=0, base=base_name, base_hash=base.hash, lineage={"imported": path.name})
    run.write_recipe(recipe)
    run.write_photos(taken)
    try:
        called = _keep(run, recipe, base, layers)
    except BaseException:
        shutil.rmtree(run.path)
        raise
    run.update(status="finished", pid=None, **facts_in_words(recipe))
    progress.say(f"run: {run.path}; its prompts say {called!r}. If it was trained under another word: --identifier")
    for file, kind in zip(files, kinds):
        progress.say(f"{file.path.name}: {kind.replace('_', ' ')}")
    return run


def _keep(run: RunFolder, recipe: Recipe, base: Base, layers: Sequence[Layer]) -> str:
    """The layers, each on those beneath it, in checkpoints; what the subject is called."""
    methods, beneath = [], None
    for n, (stage, (_, weights)) in enumerate(zip(recipe.stages, layers)):
        upto = recipe.model_copy(update={"stages": recipe.stages[: n + 1]})
        method = attach(stage, base, 0, n)
        wanted = method.weights()
        given = weights.weights(wanted) if isinstance(weights, ReadLoRA) else weights
        if {name: value.shape for name, value in given.items()} != {name: value.shape for name, value in wanted.items()}:
            raise UserError(f"import: the weights of {stage.method} do not fit {base.name}. Give the base that they were trained on with --base.")
        method.restore(given)
        methods.append(method)
        beneath = run.save_checkpoint(n, lambda folder: write_layers(folder, upto, base, methods, n, beneath))  # noqa: B023
        method.freeze()
    for checkpoint in run.checkpoints()[:-1]:  # what was imported is one model, and no row of checkpoints
        shutil.rmtree(checkpoint.path)
    return names_after(recipe, methods)[0]


def _subject(files: Sequence[File], class_noun: str | None, identifier: str | None) -> tuple[str, str | None]:
    """Class noun and identifier: as given, or from a trigger phrase of two words in a header ("sks dog")."""
    phrases = [file.header.get("modelspec.trigger_phrase", "").split() for file in files]
    told = next((phrase for phrase in phrases if len(phrase) == 2), [None, None])
    if identifier:
        check_identifier(identifier)
    if not (noun := class_noun or told[1]):
        raise UserError("import: the files do not say what they show. Say it with --class-noun, in a word that the base knows: dog, backpack, style.")
    return noun, identifier or told[0]


def _layers(files: Sequence[File], kinds: Sequence[str], base: Base, noun: str, identifier: str | None) -> list[Layer]:
    of_kind = {kind: [file for file, one in zip(files, kinds) if one == kind] for kind in dict.fromkeys(kinds)}
    named = of_kind.get("word", [])
    words = [reading.read_word(file, base, identifier if len(named) == 1 else None) for file in named]
    if len({word for word, _ in words}) < len(words):
        raise UserError(f"import: two files hold the word {words[-1][0]}, as it is read in lower case. Give the one that is meant, or rename one of them.")
    phrases = {file.header.get("modelspec.trigger_phrase", "").lower() for file in files}
    rows = {name: value for _, each in words for name, value in each.items()}
    if custom := of_kind.get("custom_diffusion"):
        if len(words) > 1:
            raise UserError(f"import: Custom Diffusion of {len(words)} subjects ({', '.join(word for word, _ in words)}) is not taken in: which of them its weights know best no file says. Train them again, or import one that was trained alone.")
        if len(custom) > 1 or "lora" in of_kind or len(words) != 1:
            raise UserError("import: Custom Diffusion is one file of weights and one of its word in a folder of their own.")
        weights = reading.read_custom_diffusion(custom[0])
        trained = "all" if any(".to_q." in name for name in weights) else "kv"
        return [({"method": "custom_diffusion", "trained": trained, "words": [words[0][0]], "steps": 1}, weights | rows)]
    layers: list[Layer] = []
    for word, each in words:
        vectors = len(next(iter(each.values())))
        layers.append(({"method": "textual_inversion", "word": word, "vectors": vectors, "adjective": f"{word} {noun}".lower() in phrases, "steps": 1}, each))
    if lora := of_kind.get("lora"):
        read = reading.read_lora(lora, base)
        layers.append((_lora_options(read), read))
    return layers


def _lora_options(read: ReadLoRA) -> dict[str, Any]:
    of_unet, of_text = ([name for name in read.layers if name.startswith("unet.") == unet] for unet in (True, False))
    rank = max(rank for rank, _ in read.scales.values())
    if read.dora and {r for r, _ in read.scales.values()} != {rank}:
        raise UserError("LoRA: is a DoRA whose layers have several ranks, which likeness does not read.")
    return {
        "method": "lora", "rank": rank, "targets": _covering(of_unet, TARGETS), "train_text_encoder": bool(of_text),
        "text_targets": _covering(of_text, TEXT_TARGETS), "dora": read.dora, "steps": 1,
    }  # fmt: skip


def _covering(layers: Sequence[str], targets: dict[str, list[str]]) -> str:
    """The first choice of targets that has all the layers."""
    for choice, parts in targets.items():
        missing = [layer for layer in layers if not any(layer.endswith(f".{part}") for part in parts)]
        if not missing:
            return choice
    raise UserError(f"LoRA: has an addition to {missing[0]}, which likeness does not train. Merge it into a pipeline with diffusers, and use that as --base.")
