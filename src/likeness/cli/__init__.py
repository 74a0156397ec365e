"""The command line. No torch is imported until a command runs: `likeness --help` answers at once."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import Any

from cyclopts import App, CycloptsError

from ..files.errors import UserError, out_of_memory
from ..methods import METHODS, packaged_recipes
from . import attention, guide, interchange, pictures, scores, study, toybox, training  # noqa: F401  # each adds its commands to the app
from .shared import app


def _app_for(words: list[str]) -> tuple[App, list[str]]:
    """The app and words to run: `train METHOD` and `continue RUN` get flags that depend on their second word."""
    if len(words) >= 2 and words[0] == "train" and not words[1].startswith("-"):
        if words[1] in packaged_recipes():
            return _single(f"likeness train {words[1]}", training.recipe_command(words[1])), words[2:]
        if words[1] not in METHODS:
            from ..files.errors import did_you_mean

            raise UserError(f"unknown method {words[1]!r}: {did_you_mean(words[1], [*METHODS, *packaged_recipes()])}")
        return _single(f"likeness train {words[1]}", training.train_command(words[1])), words[2:]
    if len(words) >= 2 and words[0] == "continue" and not words[1].startswith("-"):
        return _single("likeness continue", training.continue_command(words[1])), words[1:]
    first = {"train": "METHOD PHOTOS, or likeness train --recipe FILE", "continue": "RUN"}.get(words[0] if words else "")
    if first and not {"--recipe", "--help", "-h"}.intersection(word.partition("=")[0] for word in words):  # an option, whose place is behind it
        raise UserError(f"{words[0]}: of what? Write likeness {words[0]} {first}; options come behind it.")
    return app, words


def _single(name: str, command: Any) -> App:
    single = App(name=name, help_flags=["--help", "-h"], version_flags=[])
    single.default(command)
    return single


def main(words: list[str] | None = None) -> None:
    """Run a command. Mistakes that the user can mend end in one line and exit code 2; a pause by signal in 128 + its number."""
    words = sys.argv[1:] if words is None else words
    warnings.formatwarning = lambda message, *where: f"note: {message}\n"  # without the line of code that said it
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a λ costs no command where the terminal has none
    if unreadable := [word for word in words if not _is_utf8(word)]:
        _fail(f"{unreadable[0]!a}: is not UTF-8, so no recipe or picture can hold it. Type it again, or rename the file.")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    warnings.filterwarnings("ignore", module="(torch|diffusers|transformers)")
    try:
        chosen, rest = _app_for(words)
        chosen(rest, exit_on_error=False, print_error=False)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except CycloptsError as problem:
        _fail(_said(problem))
    except UserError as problem:
        _fail(str(problem))
    except KeyboardInterrupt:  # where nothing is under way that a first signal lets end; what is written is whole
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except OSError as problem:
        if problem.errno is None:  # requests' and the hub's
            raise
        _fail(f"{problem.filename or 'likeness'}: {problem.strerror}. Check the path, its rights and the space on its disk.")
    except Exception as problem:
        if out_of_memory(problem):
            _fail("out of memory. Close what else uses it, ask for smaller batches or --mixed-precision bf16, or take a smaller base. What was written before is intact.")
        if type(problem).__name__ != "Stopped":  # likewise: its module is of the torch side
            raise
        print(problem, file=sys.stderr)
        sys.exit(problem.exit_code)  # type: ignore[attr-defined]


def _said(problem: CycloptsError) -> str:
    """What is wrong with the words; where a method's options refuse a value, the flag, the value and why."""
    refused = problem.__cause__
    if not hasattr(refused, "errors"):  # pydantic's; not imported here
        return str(problem).strip()
    first = refused.errors()[0]  # type: ignore[union-attr]
    why = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if not first["loc"]:
        return f"{why}."
    group = getattr(problem.argument, "name", "")  # "--edit" of --edit.strength; "--*" of options that stand alone
    flag = f"{group}." if group.startswith("--") and "*" not in group else "--"
    return f"{flag}{str(first['loc'][0]).replace('_', '-')} {first['input']!r}: {why}."


def _is_utf8(word: str) -> bool:
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _fail(line: str) -> None:
    print(f"likeness: {' '.join(filter(None, map(str.strip, line.splitlines())))}", file=sys.stderr)
    sys.exit(2)
