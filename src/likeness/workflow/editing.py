"""Put a run's subject in the place of another of its class in a real picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from ..files.atomic import sha256_of
from ..files.decoding import Unreadable, decode
from ..files.errors import UserError
from ..files.picture import Settings
from ..files.run_folder import RunFolder
from ..files.subject import squared
from ..model.base import Base
from ..sampling.editing import Asked, edited
from ..sampling.options import Blend, Edit
from ..sampling.steering import watch_of
from .generating import check_sampling, checkpoint_of, jobs_for
from .progress import Progress
from .stack import check_same_base, device_for, put_on, read_card
from .ways import wanted_by_card


def edit(
    run: RunFolder, photo: Path, template: str, progress: Progress, *, source: str | None = None, step: int | None = None, steps: int | None = None,
    guidance_scale: float | None = None, negative: str = "", way: Edit | None = None, how: Blend | None = None, base_name: str | None = None,
) -> Path:  # fmt: skip
    """The photo drawn anew with the run's subject, saved in the run. What was drawn of the same photo with the same settings is not drawn again.

    template  what it is to show, {} where the subject is
    source    what it shows; default the template with the class noun
    """
    checkpoint = checkpoint_of(run, step)
    card = read_card(checkpoint)
    wanted = {**wanted_by_card(card), **{key: value for key, value in (("steps", steps), ("guidance_scale", guidance_scale)) if value is not None}}
    if wanted["sampler"] != "DDIM":
        raise UserError(f"edit: {run.path} was distilled to draw in few steps, and has no way back to noise. Edit with the run beneath it.")
    check_sampling(wanted, [0], None)
    job = jobs_for([template], [card["subject"], *card.get("others", [])], [0])[0]
    if card["subject"]["called"] not in job.prompt:
        raise UserError(f"--prompt {template!r}: does not say the subject. Write {{}} where it is: a photo of a {{}}")
    asked = Asked(job.class_prompt if source is None else source, job.prompt, negative)
    way, how = way or Edit(), how or Blend()
    taken = _taken(photo)
    with progress.task("edit", 3) as task:
        before, after = (Base.open(base_name or card["base"]["name"], device_for()) for _ in range(2))
        check_same_base(card, before, checkpoint)
        watch_of(before, how)  # its maps exist
        task.advance(note="models")
        settings = Settings(
            prompt=asked.target, negative_prompt=negative, sampler="DDIM", steps=wanted["steps"], guidance_scale=wanted["guidance_scale"], seed=0,
            width=before.resolution, height=before.resolution, model=before.name, model_hash=before.hash, checkpoint=f"{run.name}/{checkpoint.step}",
            options=_options(photo, asked, way, how),
        )  # fmt: skip
        if known := next((p.path for p in run.pictures() if p.settings == settings and p.labels["model"] == "edited"), None):
            return known
        put_on(after, checkpoint)
        picture = edited(before, after, squared(taken, before.resolution), asked, wanted["steps"], wanted["guidance_scale"], way, how)
        task.advance(note="drawn")
        path = run.add_picture(picture, settings, {"model": "edited", "class_prompt": job.class_prompt, "checkpoint": checkpoint.step})
        task.advance(note=path.name)
    return path


def _taken(photo: Path) -> Image.Image:
    if photo.is_dir():
        raise UserError(f"{photo}: is a folder. Give one picture.")
    try:
        return decode(photo, enough=2048).image
    except Unreadable as problem:
        raise UserError(f"{photo}: {problem}. Give a picture that opens elsewhere.") from None


def _options(photo: Path, asked: Asked, way: Edit, how: Blend) -> dict[str, Any]:
    return {"photo": photo.name, "photo_hash": sha256_of(photo)[:16], "source": asked.source, **way.model_dump(), **how.model_dump()}
