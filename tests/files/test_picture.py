"""Pictures carry what reproduces them and where they come from (T13, T34, T35)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from likeness.files.errors import UserError
from likeness.files.parameters import format_parameters, parse_parameters
from likeness.files.picture import Settings, is_black, read_prompt, read_settings, safe_name, save_picture

HOSTILE = [
    "a sks dog",
    "",
    "a, b: c",
    'the "best" dog',
    "two\nlines",
    "one\nNegative prompt: two\n  Negative prompt: three",
    "Steps: 3, Sampler: x, Seed: 1",
    "<script>alert(1)</script>\r\n\t&amp;",
    "\u202eכלב\u2028 犬 🐶",
    "x" * 300,
    "  spaces  \n",
    "back\\slash\\n",
]


def settings(**changes: object) -> Settings:
    known = {"prompt": "a sks dog", "steps": 20, "sampler": "DDIM", "guidance_scale": 7.5, "seed": 42, "width": 8, "height": 8}
    return Settings.model_validate(known | changes)


def grey() -> Image.Image:
    return Image.new("RGB", (8, 8), (90, 90, 90))


@pytest.mark.parametrize("text", HOSTILE)
def test_settings_survive_the_picture(tmp_path: Path, text: str):
    asked = settings(prompt=text, negative_prompt=text, model=text.lstrip("~/\\"), options={"layers": [1, 2], "note": "a,b"})
    save_picture(grey(), tmp_path / "a.png", asked)
    assert read_settings(tmp_path / "a.png") == asked


@pytest.mark.parametrize("text", HOSTILE)
def test_parameters_text_tells_the_same_settings(text: str):
    asked = settings(prompt=text, negative_prompt=text, sampler=text, model_hash="0123abcdef", eta=0.3, options={"k": text + ","})
    again = Settings.model_validate(parse_parameters(format_parameters(asked.model_dump())))
    assert again == asked


def test_parameters_text_is_the_one_that_a1111_writes():
    text = format_parameters(settings(negative_prompt="blurry", model="toy, box", model_hash="0123456789").model_dump())
    assert text.split("\n")[:2] == ["a sks dog", "Negative prompt: blurry"]
    assert text.split("\n")[2] == (
        'Steps: 20, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Model: "toy, box", Model hash: 0123456789, Eta: 0.0, Size: 8x8'
    )


def test_parameters_of_another_tool_are_read():
    text = "a dog\nNegative prompt: cat\nSteps: 4, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x768, Clip skip: 2"
    parsed = Settings.model_validate(parse_parameters(text))
    assert (parsed.prompt, parsed.negative_prompt, parsed.sampler, parsed.height) == ("a dog", "cat", "Euler a", 768)
    assert parsed.options == {"Clip skip": "2"}


def test_generated_picture_is_marked_and_a_photo_is_not(tmp_path: Path):
    save_picture(grey(), tmp_path / "drawn.png", settings())
    save_picture(grey(), tmp_path / "photo.png", generated=False)
    mark = b'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"'
    assert mark in (tmp_path / "drawn.png").read_bytes()
    photo = (tmp_path / "photo.png").read_bytes()
    assert b"DigitalSourceType" not in photo and b"parameters" not in photo
    assert read_settings(tmp_path / "photo.png") is None


def test_mark_is_well_formed_xml(tmp_path: Path):
    from xml.etree import ElementTree

    save_picture(grey(), tmp_path / "a.png", settings())
    with Image.open(tmp_path / "a.png") as image:
        ElementTree.fromstring(image.info["XML:com.adobe.xmp"])


def test_no_absolute_path_gets_into_a_picture(tmp_path: Path):
    secret = settings(
        model="/home/anna/models/sd15", checkpoint="C:\\Users\\anna\\run", options={"masks": ["~/anna/m.png", {"a": "/anna/x"}]}
    )
    assert (secret.model, secret.checkpoint) == ("sd15", "run")
    save_picture(grey(), tmp_path / "a.png", secret)
    assert b"anna" not in (tmp_path / "a.png").read_bytes()


def test_invalid_utf8_in_a_prompt_is_storable(tmp_path: Path):
    save_picture(grey(), tmp_path / "a.png", settings(prompt="dog \udcff \0"))
    kept = read_settings(tmp_path / "a.png")
    assert kept is not None and kept.prompt == "dog ? ?"


def test_metadata_of_the_source_is_not_written(tmp_path: Path):
    image = grey()
    image.info = {"icc_profile": b"SecretProfile", "exif": b"Exif\0\0SecretPlace", "comment": "SecretNote"}
    save_picture(image, tmp_path / "a.png", settings())
    assert b"Secret" not in (tmp_path / "a.png").read_bytes()


def test_unreadable_picture_is_one_line(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"a\.png: cannot be read as a picture"):
        read_settings(tmp_path / "a.png")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_file_mode_follows_the_umask(tmp_path: Path, umask: int):
    before = os.umask(umask)
    try:
        save_picture(grey(), tmp_path / "a.png", settings())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o666 & ~umask


def test_link_is_replaced_and_its_target_stays(tmp_path: Path):
    (tmp_path / "target.png").write_bytes(b"precious")
    (tmp_path / "link.png").symlink_to(tmp_path / "target.png")
    save_picture(grey(), tmp_path / "link.png", settings())
    assert (tmp_path / "target.png").read_bytes() == b"precious" and not (tmp_path / "link.png").is_symlink()


def test_only_all_zero_is_black():
    assert is_black(Image.new("RGB", (8, 8)))
    almost = Image.new("RGB", (8, 8))
    almost.putpixel((3, 3), (0, 0, 1))
    assert not is_black(almost)


@pytest.mark.parametrize("text", [*HOSTILE, "../../etc/passwd", "CON", "nul", "...", "\udcff", "a/b\\c\0d"])
def test_any_text_makes_a_safe_file_name(tmp_path: Path, text: str):
    name = safe_name(text, 40)
    assert 0 < len(name) <= 40 and name.isascii() and name.replace("-", "").isalnum() and name not in ("con", "nul")
    (tmp_path / name).touch()


def test_texts_without_ascii_get_different_names():
    assert safe_name("犬") != safe_name("猫")


@pytest.mark.parametrize(("written", "prompt"), [
    ("a dog on the beach", "a dog on the beach"), ('{"prompt": "a dog", "steps": 30}', "a dog"), ('{"steps": 30}', None), ("[1]", None),
    ("a dog\nSteps: 20, Sampler: Euler a, Likeness options: [1]", "a dog"),
])  # fmt: skip
def test_the_prompt_of_another_tools_picture_is_found(written, prompt, tmp_path):
    text = PngImagePlugin.PngInfo()
    text.add_text("parameters", written)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=text)
    assert read_prompt(tmp_path / "a.png") == prompt
