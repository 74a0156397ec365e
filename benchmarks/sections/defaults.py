"""What each method does when nothing is said."""

from collections.abc import Iterator

from likeness.methods import METHODS
from likeness.toybox.models import ADVICE
from likeness.workflow.stack import method_class

from .writing import table


def defaults() -> Iterator[str]:
    """What a method does when nothing is said: on Stable Diffusion by its spec, on the toybox by the base's advice."""
    yield "## Defaults\n"
    yield "On Stable Diffusion they are what the sources say and were not measured here. On the toybox they were chosen on biscuit, mimi, clover and daypack (docs/log.md); of these the tables here hold biscuit and mimi alone, under DreamBlend's α. DDPO's rate was chosen on bolt.\n"
    rows = []
    for name in METHODS:
        kind, advised = method_class(name).Spec, ADVICE.get(name, {})
        for option in ("learning_rate", "steps", "batch_size", "prior_weight", "rank", "vectors"):
            if (known := kind.model_fields.get(option)) is None:
                continue
            source = next((s.strip() for s in (known.description or "").split(". ") if s.startswith(("Default", "Source"))), "")
            rows.append([f"`{name}`", f"`{option}`", f"{known.default:g}", source.removesuffix("."), f"{advised.get(option, known.default):g}"])  # type: ignore[str-format]
    yield table(["method", "option", "Stable Diffusion", "source", "toybox"], rows)
