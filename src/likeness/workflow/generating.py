"""Draw a run's subject in new scenes, and beside it what the base draws when asked for the class alone."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation.benchmark import SIMPLE, unrelated_prompts
from ..files.checkpoints import Checkpoint
from ..files.errors import UserError
from ..files.picture import Settings
from ..files.prompts import renamed, said
from ..files.run_folder import RunFolder
from ..files.typed import typed
from ..methods.super_resolution import Spec as Upscaling
from ..model.base import Base
from ..model.cascade import attached_upscaler
from ..model.trajectory import BATCH, sample
from ..sampling.dreamblend import blend
from ..sampling.options import Blend
from ..sampling.steering import watch_of
from .drawing import enlarged, picture_size
from .progress import Progress
from .stack import check_beside, check_same_base, device_for, method_class, put_beside, put_on, read_card, sampling_of, stage_of
from .stopping import Stopped, stop_request
from .ways import wanted_by_card

NEW_SCENES = ("a {} in the jungle", "a {} in the snow", "a {} with a mountain in the background", "a {} floating on top of water")  # what is drawn where no prompt is asked for
MOST_FEW_STEPS = 50  # of a card that does not say how many its solver had: diffusers' LCMScheduler
CLASS_PICTURES = 16  # of the class alone, at least, to see what became of it
MOST_STEPS, MOST_GUIDANCE = 1000, 100  # the bounds of class pictures too; schedules have 1000 steps


@dataclass(frozen=True)
class Job:
    """One picture to draw. `about`: what it asks for, if not the subject."""

    prompt: str
    class_prompt: str
    seed: int
    about: str | None = None


def jobs_for(templates: Sequence[str], subjects: Sequence[Mapping[str, str]], seeds: Sequence[int]) -> list[Job]:
    """Every prompt with every seed. {} is the first subject, {2} the second, …; a template without {} is used as it is typed.

    subjects  of a checkpoint's card: what each is called, and its class noun
    """
    jobs = []
    for template in templates:
        filled = _filled(template, [subject["called"] for subject in subjects])
        plain = _filled(template, [subject["class_noun"] for subject in subjects])
        for subject in subjects:
            plain = renamed(plain, subject["called"], subject["class_noun"])
        jobs += [Job(filled, plain, seed) for seed in seeds]
    return jobs


def drift_jobs(class_noun: str, seeds: Sequence[int]) -> list[Job]:
    """Prompts of other things with every seed, and the class alone as often as a distribution of it needs."""
    alone = said(SIMPLE, class_noun)
    of_class = [Job(alone, alone, seed, "class") for seed in range(seeds[0], seeds[0] + max(CLASS_PICTURES, len(seeds)))]
    return [*(Job(prompt, prompt, seed, "unrelated") for prompt in unrelated_prompts(class_noun) for seed in seeds), *of_class]


def _filled(template: str, names: Sequence[str]) -> str:
    for number, name in enumerate(names[1:], 2):
        template = template.replace(f"{{{number}}}", name)
    if unknown := re.search(r"\{\d+\}", template):
        raise UserError(f"prompt {template!r}: has {unknown[0]}, and there {'are' if len(names) > 1 else 'is'} {len(names)} subject{'s' * (len(names) > 1)}. Write {{}} for the first.")
    return said(template, names[0]) if "{}" in template else template


def generate(
    run: RunFolder, templates: Sequence[str], seeds: Sequence[int], progress: Progress, *, step: int | None = None, steps: int | None = None,
    guidance_scale: float | None = None, eta: float | None = None, negative: str = "", beside_base: bool = True, base_name: str | None = None,
    others: Sequence[tuple[RunFolder, float]] = (), guide: int | None = None, how: Blend | None = None, drift: bool = False,
    upscaler: str | None = None, noise_level: int | None = None,
) -> list[Path]:  # fmt: skip
    """Pictures of every prompt and seed, saved in the run. What is there already, drawn with the same settings, is not drawn again.

    templates    prompts with {} where the subject's name goes
    step         of which checkpoint; default the last
    eta          how much noise DDIM adds on its way, 0 to 1
    beside_base  also draw the base's picture of the same prompt with the class noun, from the same noise
    others       runs whose LoRA is added, and how strongly
    guide        DreamBlend: the step of the earlier checkpoint whose attention guides this one, 0 for the base itself; and how
    drift        instead of templates: prompts of other things and the class alone, by the base and by the run, on a shelf of their own
    upscaler     a super-resolution stage that was not trained, for a run that trained none; it is told the class noun alone
    noise_level  of the small pictures that the stage is shown
    """
    check_blend(guide, how)
    checkpoint = checkpoint_of(run, step)
    guiding = guide_of(run, checkpoint, guide, others)
    added = [(checkpoint_of(other), strength, other.name) for other, strength in others]
    card = read_card(checkpoint)
    asked_for = {k: v for k, v in (("steps", steps), ("guidance_scale", guidance_scale), ("eta", eta)) if v is not None}
    wanted = wanted_by_card(card) | asked_for
    check_sampling(wanted, seeds, guide, negative)
    if step is None:
        say_unfinished(run, checkpoint, progress)
    base = Base.open(base_name or card["base"]["name"], device_for())
    blended = how or Blend()
    if guide is not None:
        watch_of(base, blended)  # its maps exist
    plain = wanted if wanted["sampler"] == "DDIM" else sampling_of(base, [])  # the base was not distilled with what lies on it
    second = _second_stage(base, wanted, upscaler, noise_level)
    wanted, plain = wanted | second, plain | second
    check_same_base(card, base, checkpoint)
    for other, _, _ in added:
        check_beside(base, other)
    cards = [card, *(read_card(other) for other, _, _ in added)]
    if drift:
        jobs = drift_jobs(card["subject"]["class_noun"], seeds)
    else:
        jobs = jobs_for(templates, [subject for each in cards for subject in (each["subject"], *each.get("others", []))], seeds)

    def settings(prompt: str, seed: int, mark: str | None) -> Settings:
        return drawn_as(base, prompt, seed, wanted if mark else plain, mark, negative)

    written = []
    if beside_base or drift:
        asked = [(settings(job.class_prompt, job.seed, None), job, "base", 0) for job in jobs]
        written += _draw(run, base, asked, progress, "base pictures", second)
    model = put_on(base, checkpoint)
    mark = f"{run.name}/{checkpoint.step}"
    for other, strength, name in added:
        called = put_beside(base, other, strength)
        progress.say(f"{name}: say {called!r} for its subject")
        if called == model.called:
            progress.say(f"warning: {called!r} is what both subjects are called, so no prompt can tell them apart. Train one under another --identifier.")
        mark += f" + {name}/{other.step}:{strength:g}"
    unnamed = drift or all(entry["spec"].get("use_captions") for entry in card["stages"])  # such a run may teach a style, which no prompt has to name
    _warn(base, jobs, [] if unnamed else [model.called, *(each["subject"]["called"] for each in cards[1:]), *(s["called"] for s in card.get("others", []))], progress)
    if guide is None:
        asked = [(settings(job.prompt, job.seed, mark), job, "personalized", checkpoint.step) for job in jobs]
        return written + _draw(run, model.base, asked, progress, "pictures", second)
    asked = []
    for job in jobs:
        used = Settings.model_validate({**settings(job.prompt, job.seed, mark).model_dump(), "options": {"guide": guide, **blended.model_dump(), **second}})
        asked.append((used, job, "blended", checkpoint.step))
    earlier = Base.open(base_name or card["base"]["name"], device_for())
    if guiding:
        put_on(earlier, guiding)
    return written + _draw(run, base, asked, progress, "blended pictures", second, (earlier, blended))


def _second_stage(base: Base, wanted: Mapping[str, Any], upscaler: str | None, noise_level: int | None) -> dict[str, Any]:
    """How a super-resolution stage draws, as {"upscaler": …}: the card's, or one that was not trained; {} where none is wanted."""
    how = wanted.get("upscaler")
    if how and upscaler not in (None, how["name"]):
        raise UserError(f"--upscaler {upscaler}: this run has trained {how['name']}. Leave --upscaler out.")
    if upscaler and not how:
        advised = Upscaling.model_validate({**base.advice.get("super_resolution", {}), "upscaler": upscaler})
        how = {**advised.drawing(), "hash": attached_upscaler(base, upscaler).hash}
    if noise_level is not None:
        if not how:
            raise UserError("--noise-level: this run has no super-resolution stage. Name one with --upscaler, or train the recipe cascade.")
        most = attached_upscaler(base, how["name"]).levels - 1
        if not 0 <= noise_level <= most:
            raise UserError(f"--noise-level {noise_level}: must be from 0 to {most}.")
        how = how | {"noise_level": noise_level}
    return {"upscaler": how} if how else {}


def drawn_as(base: Base, prompt: str, seed: int, how: Mapping[str, Any], mark: str | None, negative: str = "") -> Settings:
    """The settings of one picture. how: sampler, steps, guidance, and what enlarges it; mark: run and step of the checkpoint, None for the base alone."""
    size, second = picture_size(base, how), {"upscaler": how["upscaler"]} if how.get("upscaler") else {}
    return Settings(
        prompt=prompt, negative_prompt=negative, **{key: how[key] for key in ("sampler", "steps", "guidance_scale", "eta")}, seed=seed,
        width=size, height=size, model=base.name, model_hash=base.hash, checkpoint=mark, options=second,
    )  # fmt: skip


def steps_to_draw(run: RunFolder, asked: str | None) -> list[int | None]:
    """The checkpoints that "all" or "100,200" names; None is the last."""
    if asked is None:
        return [None]
    kept = [checkpoint.step for checkpoint in run.checkpoints()]
    if asked == "all":
        return list(kept) or [None]
    try:
        steps = list(dict.fromkeys(int(part) for part in asked.split(",")))
    except ValueError:
        raise UserError(f"--checkpoint {asked!r}: must be a step, steps such as 100,200, or all. This run has {', '.join(map(str, kept)) or 'none'}.") from None
    for step in steps:
        checkpoint_of(run, step)  # before any is drawn
    return [*steps]


def check_blend(guide: int | None, how: Blend | None) -> None:
    """Refuse a blend's options where nothing is blended; raises UserError."""
    if guide is None and how and how.model_fields_set:
        raise UserError(f"--blend.{min(how.model_fields_set)}: nothing guides these pictures. Give the step of an earlier checkpoint with --guide, or leave it out.")


def guide_of(run: RunFolder, checkpoint: Checkpoint, guide: int | None, others: Sequence[Any]) -> Checkpoint | None:
    """The checkpoint that guides another of the same run; None for the base itself, or where nothing guides."""
    if guide is None:
        return None
    if others:
        raise UserError("--guide: other runs' LoRAs cannot be added to a blend. Leave --with out.")
    if not 0 <= guide < checkpoint.step:
        raise UserError(f"--guide {guide}: must be a step before the checkpoint that is guided ({checkpoint.step}); 0 is the base itself.")
    if guide:
        guiding = checkpoint_of(run, guide)
        if strange := sorted(_words_of(checkpoint) - _words_of(guiding)):
            raise UserError(f"--guide {guide}: that checkpoint does not know the word {strange[0]} yet, and maps are compared word by word. Give the step of a later one.")
        return guiding
    if words := [entry["method"] for entry in read_card(checkpoint)["stages"] if method_class(entry["method"]).Spec.new_words]:
        raise UserError(f"--guide 0: the base does not know the word of {words[0]}, and maps are compared word by word. Give the step of an early checkpoint.")
    return None


def _words_of(checkpoint: Checkpoint) -> set[str]:
    return {word for entry in read_card(checkpoint)["stages"] for word in stage_of(entry).new_rows()}


def checkpoint_of(run: RunFolder, step: int | None = None) -> Checkpoint:
    """The checkpoint of a step, or the last; UserError if there is none, or if it is damaged: an earlier one would be another model."""
    if step is not None:
        return run.checkpoint(step)
    checkpoint = run.latest()
    if damaged := run.damaged_after(checkpoint.step if checkpoint else 0):
        earlier = f" The one of step {checkpoint.step} is sound: say --checkpoint {checkpoint.step} where a command takes it, or remove the damaged folder." if checkpoint else ""
        raise UserError(f"{run.path}: {damaged[-1]}. Copy the run again.{earlier}")
    if checkpoint is None:
        raise UserError(f"{run.path}: has no checkpoint yet. Train it first: likeness resume {typed(run.path)}")
    return checkpoint


def say_unfinished(run: RunFolder, checkpoint: Checkpoint, progress: Progress) -> None:
    """A line where training has not ended: the last checkpoint is none of the end."""
    if (status := run.status()) != "finished":
        progress.say(f"{run.name} is {status}: this is step {checkpoint.step}. Go on with it: likeness resume {typed(run.path)}")


def check_sampling(sampling: Mapping[str, Any], seeds: Sequence[int], guide: int | None, negative: str = "") -> None:
    if not 0 <= sampling["eta"] <= 1:
        raise UserError(f"--eta {sampling['eta']}: must be from 0 (the first noise decides alone) to 1 (as much noise at every step as DDPM).")
    if sampling["sampler"] == "LCM":
        if sampling["eta"]:
            raise UserError("--eta: this run was distilled to draw in few steps, and its sampler has its own noise. Leave --eta out.")
        if sampling["steps"] > (most := sampling.get("most_steps", MOST_FEW_STEPS)):
            raise UserError(f"--steps {sampling['steps']}: must be from 1 to {most}; this run was distilled to draw in few, at some of its solver's timesteps.")
        if guide is not None:
            raise UserError("--guide: a run that was distilled to draw in few steps has no walk to guide. Blend the run beneath it.")
    if not 1 <= sampling["steps"] <= MOST_STEPS:
        raise UserError(f"--steps {sampling['steps']}: must be from 1 to {MOST_STEPS}.")
    if not 0 <= sampling["guidance_scale"] <= MOST_GUIDANCE:
        raise UserError(f"--guidance-scale {sampling['guidance_scale']}: must be from 0 to {MOST_GUIDANCE}; 1 is no guidance.")
    if negative and sampling["guidance_scale"] == 1:
        raise UserError("--negative-prompt: says what guidance leads away from, and there is none at a guidance scale of 1. Give --guidance-scale, or leave it out.")
    if outside := [seed for seed in seeds if not 0 <= seed < 2**63]:
        raise UserError(f"--seeds {outside[0]}: must be from 0 to 2^63 - 1.")


def _warn(base: Base, jobs: Sequence[Job], called: Sequence[str], progress: Progress) -> None:
    for prompt in dict.fromkeys(job.prompt for job in jobs):
        if called and not any(name in prompt for name in called):
            progress.say(f"warning: {prompt!r} does not say {called[0]!r}, so it asks for no subject. Write {{}} where the subject belongs.")
        if lost := base.cut_off(prompt):
            progress.say(f"warning: {prompt!r} is longer than the text encoder reads; this is cut off: {lost!r}")


def _draw(run: RunFolder, base: Base, asked: list, progress: Progress, title: str, second: Mapping[str, Any], guided: tuple[Base, Blend] | None = None) -> list[Path]:
    shelf = "drift" if asked and asked[0][1].about else "pictures"
    known = {(p.settings.model_dump_json(), p.labels.get("model")) for p in run.pictures(shelf)}
    asked = [a for key, a in {(a[0].model_dump_json(), a[2]): a for a in asked}.items() if key not in known]  # each once, however often it was asked for
    if not asked:
        return []
    first: Settings = asked[0][0]
    wanted = [a[0].prompt for a in asked], [a[0].seed for a in asked], first.steps, first.guidance_scale
    unwanted, eta = first.negative_prompt, first.eta
    small = blend(guided[0], base, *wanted, guided[1], unwanted, eta) if guided else sample(base, *wanted, unwanted, eta, first.sampler)
    heard = [job.class_prompt if second and not second["upscaler"].get("trained") else settings.prompt for settings, job, *_ in asked]  # what it never learned it is not told
    drawn = enlarged(base, small, heard, wanted[1], second, first.negative_prompt)
    paths, before = [], time.monotonic()
    with stop_request() as stop, progress.task(title, len(asked)) as task:
        for picture, (settings, job, kind, step) in zip(drawn, asked):
            seconds, before = round(time.monotonic() - before, 4), time.monotonic()  # the first of a batch has the time of all: they count as means
            labels = {"model": kind, "class_prompt": job.class_prompt, "checkpoint": step, "seconds": seconds} | ({"about": job.about} if job.about else {})
            paths.append(run.add_picture(picture, settings, labels, shelf))
            task.advance()
            if stop and len(paths) < len(asked) and len(paths) % BATCH == 0:  # what was computed together is kept together
                raise Stopped(stop.number or 2, f"stopped by a signal after {len(paths)} of {len(asked)} {title}. The same command draws the rest.")
    return paths
