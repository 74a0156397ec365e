"""The text that A1111 and its relatives write into their pictures, and read from them.

    <prompt>
    Negative prompt: <negative prompt>
    Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 512x512, Model: toybox, ...

A value with a comma, a colon or a newline stands in JSON quotes, as A1111's `infotext_utils.quote` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

NEGATIVE = "Negative prompt:"
ENTRY = re.compile(r'\s*(\w[\w \-/]*):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')  # A1111's own pattern, that also takes an empty value
KEYS = {
    "steps": "Steps", "sampler": "Sampler", "guidance_scale": "CFG scale", "seed": "Seed", "model": "Model",
    "model_hash": "Model hash", "eta": "Eta", "checkpoint": "Checkpoint", "checkpoint_hash": "Checkpoint hash",
    "options": "Likeness options", "version": "Version",
}  # fmt: skip
NAMES = {key: name for name, key in KEYS.items()}


def format_parameters(settings: Mapping[str, Any]) -> str:
    """Settings by field name -> the text. What is None stays out."""
    values: dict[str, str] = {KEYS[name]: _shown(settings[name]) for name in KEYS if settings.get(name) not in (None, {})}
    values["Size"] = f"{settings['width']}x{settings['height']}"
    text = _guarded(settings["prompt"])
    if settings["negative_prompt"]:
        text += f"\n{NEGATIVE} {settings['negative_prompt']}"
    return text + "\n" + ", ".join(f"{key}: {_quoted(value)}" for key, value in values.items())


def parse_parameters(text: str) -> dict[str, Any]:
    """The text -> settings by field name; strings, for `Settings` to convert. Keys that we do not know go into `options`."""
    *lines, last = text.split("\n")
    entries = dict(ENTRY.findall(last))
    if len(entries) < 3:  # as A1111: the last line is prompt too
        lines, entries = [*lines, last], {}
    parsed = _prompts(lines)
    values = {key: _unquoted(value) for key, value in entries.items()}
    told = json.loads(values.pop(KEYS["options"], "{}"))
    options = told if isinstance(told, dict) else {}
    if size := re.fullmatch(r"(\d+)x(\d+)", values.pop("Size", "")):
        parsed |= {"width": size[1], "height": size[2]}
    values.pop("Version", None)
    for key, value in values.items():
        if key in NAMES:
            parsed[NAMES[key]] = value
        else:
            options[key] = value
    return parsed | ({"options": options} if options else {})


def _prompts(lines: list[str]) -> dict[str, Any]:
    start = next((number for number, line in enumerate(lines) if line.startswith(NEGATIVE)), len(lines))
    negative = "\n".join(lines[start:])[len(NEGATIVE) :].removeprefix(" ")
    return {"prompt": _unguarded("\n".join(lines[:start])), "negative_prompt": negative}


def _guarded(prompt: str) -> str:
    """A line of the prompt that reads like the start of the negative prompt gets one space before it."""
    return re.sub(rf"(?m)^( *{NEGATIVE})", r" \1", prompt)


def _unguarded(prompt: str) -> str:
    return re.sub(rf"(?m)^ ( *{NEGATIVE})", r"\1", prompt)


def _shown(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _quoted(value: str) -> str:
    plain = not re.search(r'[,:\r\n"]', value) and value == value.strip()
    return value if plain else json.dumps(value, ensure_ascii=False)


def _unquoted(value: str) -> str:
    try:
        return json.loads(value) if value.startswith('"') else value.strip()
    except ValueError:
        return value
