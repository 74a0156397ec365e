"""Plain sampling: DDIM with classifier-free guidance, one checkpoint, one picture for each prompt and seed."""

from ..model.trajectory import sample

__all__ = ["sample"]
