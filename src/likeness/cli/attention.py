"""Where words are looked for in pictures, and photos edited by it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..files.typed import flags, typed
from ..sampling.options import Blend, Edit
from .shared import Blending, MovedBase, app, parse_seeds, progress, run_at, step_or_choose


@app.command
def edit(
    run: Path, photo: Path, /, *, prompt: str = "a photo of a {}", source: str | None = None, checkpoint: int | None = None, steps: int | None = None,
    guidance_scale: float | None = None, negative_prompt: str = "", base: MovedBase = None,
    edit: Annotated[Edit, Parameter(name="edit")] = Edit(), blend: Blending = Blend(),
) -> None:  # fmt: skip
    """Put a run's subject in the place of another of its class in a real picture: likeness edit RUN photo.jpg --prompt "a photo of a {} on the beach"

    Parameters
    ----------
    run
        Folder of the run.
    photo
        The picture, of any kind that photos may have; its middle square is taken.
    prompt
        What the picture is to show, with {} where the subject is.
    source
        What the picture shows now. Default: the prompt with the class noun.
    checkpoint
        Step of the checkpoint. Default: the last.
    steps
        Sampling steps. Default: what the base wants.
    guidance_scale
        Classifier-free guidance. Default: what the base wants; less keeps more of the picture.
    negative_prompt
        What the picture should not show.
    """
    from ..workflow.editing import edit as draw

    path = draw(
        run_at(run), photo, prompt, progress(), source=source, step=checkpoint, steps=steps, guidance_scale=guidance_scale, negative=negative_prompt,
        way=edit, how=blend, base_name=base,
    )  # fmt: skip
    print(f"the edited picture: {path}")
    if edit.strength > 0.1:
        ways = {f"{kind}.{name}": getattr(way, name) for kind, way in (("edit", edit), ("blend", blend)) for name in way.model_fields_set}
        again = {
            "prompt": prompt, "source": source, "checkpoint": checkpoint, "steps": steps, "guidance_scale": guidance_scale, "negative_prompt": negative_prompt or None,
            "base": base, **ways, "edit.strength": f"{max(0.1, edit.strength - 0.2):.1f}",
        }  # fmt: skip
        said = flags({name: value for name, value in again.items() if value is not None})
        print(f"next: look at it, then, to keep more of the photo: likeness edit {typed(run)} {typed(photo)} {said}")
    else:
        print(f"next: look at it, then likeness report {typed(run)}")


@app.command
def attention(
    run: Path, prompt: str = "a {} in the jungle", /, *, seeds: str = "0-1", checkpoint: str = "all", guide: str | None = None, base: MovedBase = None,
    blend: Blending = Blend(),
) -> None:  # fmt: skip
    """Show where each checkpoint looks for the words of a prompt, and how far their maps have become alike: what overfitting does to attention.

    Parameters
    ----------
    run
        Folder of the run.
    prompt
        A prompt with {} where the subject belongs.
    seeds
        Such as 0-1: numbers are means over them, the panels show the first.
    checkpoint
        Steps such as 50,400, or all.
    guide
        DreamBlend: the step of an earlier checkpoint that guides the last of these; 0 is the base itself. Or choose.
    """
    from ..workflow.attending import attend
    from ..workflow.attending import table as said
    from ..workflow.choosing import to_blend
    from ..workflow.generating import steps_to_draw

    opened, guiding = run_at(run), step_or_choose(guide)
    chosen = steps_to_draw(opened, checkpoint)
    if guiding == "choose":
        guiding, _ = to_blend(opened, chosen[-1])
    print(said(attend(opened, prompt, parse_seeds(seeds), progress(), chosen, guiding, blend, base)))
    print(f"panels and figures: {run / 'attention'}")
    print(f"next: likeness report {typed(run)}")
