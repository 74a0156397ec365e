"""The one place that saves a picture, with what reproduces it and where it comes from inside.

Every generated PNG carries three things: `parameters` as A1111 writes it, `likeness_json` with the exact settings, and XMP
with IPTC's DigitalSourceType trainedAlgorithmicMedia. A photo or a render that no model drew carries no such mark.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import io
import json
import re
import unicodedata
import warnings
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from PIL import Image, PngImagePlugin
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from .atomic import write_bytes
from .decoding import PIXEL_CAP
from .errors import UserError
from .parameters import format_parameters, parse_parameters

GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" Iptc4xmpExt:DigitalSourceType="{source}" xmp:CreatorTool="{software}"/>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}  # on Windows


class Settings(BaseModel):
    """What draws the same picture again. No text in it but the prompts may be an absolute path: only its last name is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    prompt: str
    negative_prompt: str = ""
    steps: int = Field(ge=1)
    sampler: str
    guidance_scale: float
    seed: int
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    model: str = "unknown"  # the base's name or hub id
    model_hash: str | None = None
    checkpoint: str | None = None  # "run name/step"
    checkpoint_hash: str | None = None
    eta: float = 0.0  # share of DDPM's noise in a DDIM step, 0 to 1
    options: dict[str, JsonValue] = Field(default_factory=dict)  # what one sampler needs beyond these

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: Any, info: Any) -> Any:
        return _encodable(value) if info.field_name in ("prompt", "negative_prompt") else without_folders(value)


def save_picture(image: Image.Image, path: Path, settings: Settings | None = None, generated: bool = True) -> None:
    """Write a PNG, wholly or not at all. `generated`: a model drew it, so it gets the mark of one."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", software())
    if settings is not None:
        text.add_text("parameters", format_parameters(settings.model_dump() | {"version": software()}))
        text.add_itxt("likeness_json", settings.model_dump_json())
    if generated:
        text.add_itxt("XML:com.adobe.xmp", XMP.format(source=GENERATED, software=software()))
    clean = image.copy()
    clean.info = {}  # Pillow would write a colour profile from here
    content = io.BytesIO()
    clean.save(content, "PNG", pnginfo=text)
    write_bytes(path, content.getvalue())


def read_settings(path: Path) -> Settings | None:
    """The settings inside a picture: ours exactly, or what A1111's text tells; None if it carries neither."""
    text = _text_in(path)
    try:
        if "likeness_json" in text:
            return Settings.model_validate_json(text["likeness_json"])
        return Settings.model_validate(parse_parameters(text["parameters"])) if "parameters" in text else None
    except ValueError as error:
        raise UserError(f"{path}: its generation settings are damaged or from another version of likeness.") from error


def read_prompt(path: Path) -> str | None:
    """What a picture was asked for, as far as it says: of other tools nothing else has to be there."""
    text = _text_in(path)
    written = text.get("parameters")
    if "likeness_json" in text or not isinstance(written, str):
        settings = read_settings(path)
        return settings.prompt if settings else None
    try:
        found = json.loads(written)  # as Fooocus writes it
    except ValueError:
        return parse_parameters(written)["prompt"] or None
    prompt = found.get("prompt") if isinstance(found, dict) else None
    return prompt if isinstance(prompt, str) else None


def _text_in(path: Path) -> dict[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # of the header; a picture of so many pixels is not decoded
            image = Image.open(path)
        with image:
            if image.width * image.height <= PIXEL_CAP:
                image.load()  # what stands behind the pixels
            return dict(image.info)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read as a picture. Give a PNG file.") from error


def is_black(image: Image.Image) -> bool:
    """Every pixel is exactly 0: what a safety checker puts in place of a picture. Never train on these."""
    return not image.convert("RGB").getbbox()


def safe_name(text: str, limit: int = 60) -> str:
    """A file name without suffix for any text, on any system: lower-case ASCII letters, digits and hyphens."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:limit].strip("-")
    if not name or name in RESERVED:
        name = "picture-" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return name[:limit]


@functools.cache
def software() -> str:
    """Name and version of this tool."""
    try:
        return f"likeness {importlib.metadata.version('likeness')}"
    except importlib.metadata.PackageNotFoundError:
        return "likeness"


def _encodable(value: Any) -> Any:
    """Bytes of the command line that were no UTF-8 become question marks: no text chunk can hold them."""
    return value.encode("utf-8", "replace").decode().replace("\0", "?") if isinstance(value, str) else value


def without_folders(value: Any) -> Any:
    """Every absolute path reduced to its last name: folders hold names of users."""
    if isinstance(value, dict):
        return {_encodable(key): without_folders(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(entry) for entry in value]
    if not isinstance(value, str):
        return value
    if PurePosixPath(value).is_absolute() or value.startswith("~"):
        return _encodable(PurePosixPath(value).name)
    return _encodable(PureWindowsPath(value).name if PureWindowsPath(value).is_absolute() else value)
