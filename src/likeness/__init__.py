"""likeness: teach a text-to-image diffusion model one subject from a few photos, and measure how well it worked.

NAMES are what a notebook needs. Each is imported when it is first asked for: `import likeness` loads no torch.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

NAMES = {
    "UserError": "likeness.files.errors:UserError",
    "RunFolder": "likeness.files.run_folder:RunFolder",
    "Progress": "likeness.workflow.progress:Progress",
    "Silent": "likeness.workflow.progress:Silent",
    "Encoders": "likeness.evaluation.options:Encoders",
    "recipe_for": "likeness.workflow.recipes:recipe_for",
    "packaged_recipe": "likeness.workflow.recipes:packaged_recipe",
    "fit": "likeness.workflow.fitting:fit",
    "resume": "likeness.workflow.fitting:resume",
    "branch": "likeness.workflow.branching:branch",
    "stand": "likeness.workflow.branching:stand",
    "generate": "likeness.workflow.generating:generate",
    "evaluate": "likeness.workflow.evaluating:evaluate",
    "export": "likeness.workflow.exporting:export",
    "write_report": "likeness.report.page:write_report",
    "Base": "likeness.model.base:Base",
    "sample": "likeness.model.trajectory:sample",
    "Subject": "likeness.learning.method:Subject",
    "train": "likeness.learning.training:train",
    "make_optimizer": "likeness.learning.training:make_optimizer",
    "method_class": "likeness.workflow.stack:method_class",
}


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'likeness' has no attribute {name!r}")
    module, _, attribute = NAMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *NAMES])
