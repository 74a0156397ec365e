"""What a user takes away: a run's last checkpoint in the files of other tools, with a card that says what it is."""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..files.atomic import write_text
from ..files.errors import UserError, did_you_mean
from ..files.picture import safe_name
from ..files.prompts import said
from ..files.run_folder import RunFolder
from ..interchange import diffusers, kohya, peft
from ..learning.method import Method
from ..methods.textual_inversion import TEMPLATES
from ..model.adapters import Adapter, LowRank, NewWord, Weights
from ..model.base import Base
from ..model.denoiser import Pixels
from .generating import checkpoint_of, say_unfinished
from .progress import Progress
from .stack import check_same_base, open_layer, put_beneath, read_card, stage_types
from .ways import differs, wanted_by_card

UNTOLD = "it has no text encoder of its own, so hand it the `prompt_embeds` of the first stage"


@dataclass(frozen=True)
class Learned:
    """A checkpoint, opened for export: its last layer is attached and not yet part of the base."""

    base: Base
    card: dict[str, Any]
    method: Method
    adapters: Sequence[Adapter]
    name: str
    about: dict[str, Any]
    tool: str

    def of_kind(self, kind: type[Any]) -> list[Any]:
        """The adapters of a kind; UserError if the run holds anything else than such and new words."""
        found = [adapter for adapter in self.adapters if isinstance(adapter, kind)]
        others = [adapter for adapter in self.adapters if not isinstance(adapter, (kind, NewWord))]
        if not found or others or any(entry["method"] != "textual_inversion" for entry in self.card["stages"][:-1]):
            stages = " on ".join(entry["method"] for entry in reversed(self.card["stages"]))
            raise UserError(f"{self.tool}: has no file for {stages}. Export the whole pipeline instead: --to diffusers")
        return found


def export(run: RunFolder, tool: str, progress: Progress, step: int | None = None, base_name: str | None = None) -> list[Path]:
    """Write output/<tool>/ of a run; its paths."""
    if tool not in TOOLS:
        raise UserError(f"--to {tool}: {did_you_mean(tool, TOOLS)}")
    checkpoint = checkpoint_of(run, step)
    card = read_card(checkpoint)
    base = Base.open(base_name or card["base"]["name"])
    check_same_base(card, base, checkpoint)
    below = put_beneath(base, checkpoint, len(card["stages"]) - 1)
    method = open_layer(base, checkpoint, len(below))
    adapters = [adapter for one in (*below, method) for adapter in getattr(one, "adapters", ()) if one is method or isinstance(adapter, NewWord)]
    learned = Learned(base, card, method, adapters, safe_name(run.name), _about(run, card, base), tool)
    if step is None:
        say_unfinished(run, checkpoint, progress)
    folder = run.output(tool)
    try:
        written = TOOLS[tool](learned, folder)
    finally:
        with suppress(OSError):  # refused: an empty folder would look like an export
            folder.rmdir()
    _remove_others(folder, written)
    write_text(folder / "README.md", _model_card(run, learned, written))
    for path in written:
        progress.say(f"wrote {path}")
    return written


def _remove_others(folder: Path, written: Sequence[Path]) -> None:
    """What the card there lists of an earlier export: beside the new files it would be taken for a part of them. What else lies there is not ours."""
    card = folder / "README.md"
    listed = re.findall(r"^- `(\w[^`/\\]*)`$", card.read_text("utf-8"), re.MULTILINE) if card.is_file() else []
    for path in (folder / name for name in {*listed} - {path.name for path in written}):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _to_diffusers(learned: Learned, folder: Path) -> list[Path]:
    below = {entry["method"] for entry in learned.card["stages"][:-1]}
    added = all(isinstance(adapter, (LowRank, NewWord)) for adapter in learned.adapters)
    of_t5 = isinstance(learned.base, Pixels) and any(getattr(adapter, "prefix", "").startswith("text_encoder") for adapter in learned.adapters)  # no loader of diffusers reads such a LoRA
    if learned.adapters and added and not of_t5 and below <= {"textual_inversion"}:
        lora = [adapter for adapter in learned.adapters if isinstance(adapter, LowRank)]
        return [*([diffusers.lora_file(lora, folder)] if lora else []), *_words(learned, folder, diffusers.EMBEDDINGS)]
    learned.method.freeze()
    if learned.card["sampling"].get("sampler") == "LCM":
        learned.base.scheduler = learned.base.few_step_sampler()
    enlarging = [diffusers.upscaler_folder(learned.base.upscaler, folder / "upscaler")] if "upscaler" in learned.card["sampling"] else []
    return [diffusers.pipeline_folder(learned.base, folder / "pipeline"), *enlarging]


def _new_words(learned: Learned) -> dict[str, list[Tensor]]:
    """Each new word's rows, of each text encoder."""
    return {next(iter(a.chosen)).partition(".")[2]: a.parameters() for a in learned.adapters if isinstance(a, NewWord)}


def _words(learned: Learned, folder: Path, only: str | None = None) -> list[Path]:
    """A file for each new word, called by what a prompt says; or, of a single word, by the name that a loader looks for."""
    words = _new_words(learned)
    named = {word: f"{safe_name(word.strip('<>').lower())}.safetensors" for word in words}
    if only and len(words) == 1:
        named = dict.fromkeys(words, only)
    return [diffusers.word_file(rows, word, folder / named[word]) for word, rows in words.items()]


def _to_kohya(learned: Learned, folder: Path) -> list[Path]:
    """A1111 and ComfyUI read LoRAs in kohya's layout, and new words from a file that has the word's name."""
    if all(entry["method"] == "textual_inversion" for entry in learned.card["stages"]):
        return _words(learned, folder)
    if isinstance(learned.base, Pixels):
        raise UserError(f"{learned.tool}: kohya's layout is of Stable Diffusion's networks, and what opens it draws with no DeepFloyd IF. Use --to diffusers.")
    lora = kohya.lora_file(learned.of_kind(LowRank), folder / f"{learned.name}.safetensors", learned.about)
    return [lora, *_words(learned, folder)]


def _to_peft(learned: Learned, folder: Path) -> list[Path]:
    return [peft.adapter_folder(adapter, folder / adapter.prefix) for adapter in learned.of_kind(LowRank)] + _words(learned, folder)


def _to_custom_diffusion(learned: Learned, folder: Path) -> list[Path]:
    if learned.card["stages"][-1]["method"] != "custom_diffusion":
        raise UserError("custom-diffusion: holds what the method custom_diffusion trains, and this run ends with another. Use --to diffusers.")
    (attention,) = learned.of_kind(Weights)
    return [diffusers.custom_diffusion_file(attention.weights(), folder), *_words(learned, folder)]


TOOLS: dict[str, Callable[[Learned, Path], list[Path]]] = {
    "diffusers": _to_diffusers, "kohya": _to_kohya, "a1111": _to_kohya, "comfyui": _to_kohya, "peft": _to_peft, "custom-diffusion": _to_custom_diffusion,
}  # fmt: skip


def _about(run: RunFolder, card: dict[str, Any], base: Base) -> dict[str, Any]:
    """What a file's header may say: no path, no photo's name, no caption."""
    spec, sdxl = card["stages"][-1]["spec"], len(base.text_encoders) == 2
    family = "sdxl_base_v1-0" if sdxl else "sd_v2" if base.unet.config.cross_attention_dim == 1024 else "sd_v1"
    version = f"{family}_v" if base.prediction_type == "v_prediction" and not sdxl else family  # as kohya's scripts call it
    second = "stable-diffusion-v2-768-v" if base.prediction_type == "v_prediction" else "stable-diffusion-v2-512"
    architecture = {"sdxl_base_v1-0": "stable-diffusion-xl-v1-base", "sd_v2": second, "sd_v1": "stable-diffusion-v1"}[family]
    resolution = run.recipe(stage_types()).resolution or base.resolution
    imported = "imported" in (run.record().lineage or {})  # how such a run was trained is not known: its recipe's numbers are defaults
    trained = {} if imported else {
        "ss_num_train_images": str(sum(photo.used for photo in run.photos())), "ss_steps": str(card["step"]), "ss_seed": str(run.record().seed),
        "ss_learning_rate": str(spec["learning_rate"]),
    }  # fmt: skip
    return {
        **({"ss_v2": "True"} if family == "sd_v2" else {}),  # by which A1111 tells whose it is
        "ss_base_model_version": version, "ss_sd_model_name": safe_name(Path(base.name).name), "ss_output_name": safe_name(run.name),
        **trained, "modelspec.architecture": f"{architecture}/lora", "modelspec.implementation": "diffusers",
        "modelspec.title": safe_name(run.name), "modelspec.resolution": f"{resolution}x{resolution}",
        "modelspec.date": f"{datetime.date.today():%Y-%m-%d}", "modelspec.trigger_phrase": card["subject"]["called"],
    }  # fmt: skip


def _trained_prompt(card: dict[str, Any]) -> str:
    """What photos were captioned, of the last stage that has such a prompt."""
    prompts = [TEMPLATES.get(spec.get("templates", "prompt"), (spec["prompt"],))[0] for spec in (entry["spec"] for entry in card["stages"]) if "prompt" in spec]
    return said(prompts[-1] if prompts else "a photo of a {}", card["subject"]["called"])


def _elsewhere(learned: Learned, written: Sequence[Path]) -> str:
    """How other tools are told a new word: A1111 knows it by its file's name, ComfyUI after "embedding:" alone."""
    count = len(_new_words(learned))
    names = [path.stem for path in written[len(written) - count :] if path.suffix == ".safetensors"] if count else []
    if not names:
        return ""
    return f"; A1111 knows a new word by its file's name, {' and '.join(f'`{name}`' for name in names)}, ComfyUI as {' and '.join(f'`embedding:{name}`' for name in names)}"


def _loading(learned: Learned, written: Sequence[Path]) -> Iterator[str]:
    """What a person who opens the files must know, or would draw without them."""
    if any(path.name == diffusers.CUSTOM_DIFFUSION for path in written):
        yield (
            f"diffusers' own loader takes `{diffusers.CUSTOM_DIFFUSION}` without a word and draws without it (huggingface/diffusers#9320). "
            "For diffusers export the run as a pipeline: `likeness export RUN --to diffusers`."
        )
    if isinstance(learned.base, Pixels) and any(path.name == diffusers.LORA for path in written):
        yield (
            "The network's own guess of the variance was not trained. Before drawing: "
            '`pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, variance_type="fixed_small")`.'
        )
    words = [word.lower() for word in _new_words(learned)]
    if len(learned.base.text_encoders) == 2 and all(path.suffix for path in written):
        for word, path in zip(words, written[len(written) - len(words) :]):
            yield "\n".join((
                f"To load `{path.name}` in diffusers (the last line, or the pooled vector would be read at the new word instead of the end):", "", "```python",
                "from safetensors.torch import load_file", "", f't = load_file("{path.name}")',
                f'pipe.load_textual_inversion(t["clip_l"], token="{word}", text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)',
                f'pipe.load_textual_inversion(t["clip_g"], token="{word}", text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)',
                "pipe.text_encoder_2.text_model.eos_token_id = pipe.tokenizer_2.eos_token_id", "```",
            ))  # fmt: skip


def _model_card(run: RunFolder, learned: Learned, written: Sequence[Path]) -> str:
    """README.md with the front matter that the hub reads, and pictures if the run has drawn any."""
    from huggingface_hub import ModelCardData

    card = learned.card
    mark, how = f"{run.name}/{card['step']}", wanted_by_card(card)
    shown = [p for p in run.pictures() if p.labels.get("model") == "personalized" and p.settings.checkpoint == mark and not p.with_others and not differs(p.settings, how)][:4]
    widget = []
    for n, picture in enumerate(shown):
        target = written[0].parent / "images" / f"{n}.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(picture.path, target)
        widget.append({"text": picture.settings.prompt, "output": {"url": f"images/{n}.png"}})
    methods = [entry["method"] for entry in card["stages"]]
    tags = ["text-to-image", "diffusers", "likeness", *methods, *(["template:sd-lora"] if "lora" in methods else [])]
    about = ModelCardData(
        base_model=safe_name(Path(learned.base.name).name) if Path(learned.base.name).is_dir() else learned.base.name,
        library_name="diffusers", pipeline_tag="text-to-image", tags=tags, instance_prompt=_trained_prompt(card), widget=widget or None,
    )  # fmt: skip
    subjects = [card["subject"], *card.get("others", [])]
    early = "" if max(kept.step for kept in run.checkpoints()) == card["step"] else f", as it was after {card['step']} steps"
    nouns = " and ".join(f"a {subject['class_noun']}" for subject in subjects).capitalize()
    words_apart = any(path.suffix for path in written)  # files of words are written in lower case, pipelines as the run has them
    spoken = " and ".join(f"`{subject['called'].lower() if words_apart else subject['called']}`" for subject in subjects)
    files = "\n".join(f"- `{path.name}`" for path in written)
    how = card["sampling"]
    if how.get("sampler") == "LCM":
        config = f"pipeline.scheduler.config, original_inference_steps={how.get('most_steps', 50)}"
        files += f"\n\nDraw with `LCMScheduler.from_config({config})`, {how['steps']} steps and a guidance scale of {how['guidance_scale']:g}."
    elif how.get("eta"):
        files += f"\n\nIt was drawn by `DDIMScheduler` with `eta={how['eta']:g}`, {how['steps']} steps and a guidance scale of {how['guidance_scale']:g}."
    if second := how.get("upscaler"):
        files += f"\n\nEnlarge the pictures with `upscaler`, {second['steps']} steps, a guidance scale of {second['guidance_scale']:g} and `noise_level={second['noise_level']}`; {UNTOLD}."
    files += "".join(f"\n\n{note}" for note in _loading(learned, written))
    return (
        f"---\n{about.to_yaml()}\n---\n\n# {learned.name}\n\n<Gallery />\n\n"
        f"{nouns}, learned by {' and then '.join(methods)}{early}. Say {spoken} in a prompt{_elsewhere(learned, written)}.\n\n{files}\n\n"
        "Pictures made with it are synthetic; say so where you show them. Of a person: only with that person's consent.\n"
    )
