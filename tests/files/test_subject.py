"""Photo intake: every kind of file that people have, and every kind of broken one (T01-T12, T30's part without tokenizer)."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from likeness.files.errors import UserError
from likeness.files.subject import Photo, check_identifier, prepare_photos, remarks

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(200)


def pattern(seed: int = 0, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A smooth picture that no other seed resembles."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def only(path: Path, resolution: int = 32) -> Photo:
    (photo,) = prepare_photos(path, resolution)
    return photo


def mean_colour(photo: Photo) -> np.ndarray:
    assert photo.image is not None
    return np.asarray(photo.image, dtype=float).mean(axis=(0, 1))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("half.jpg", encoded(pattern(), "JPEG")[:900], "is cut short"),
        ("half.png", encoded(pattern(), "PNG")[:900], "is cut short"),
        ("empty.jpg", b"", "is empty"),
        ("text.jpg", b"this is no picture at all", "is not a picture"),
        ("drawing.svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "is a vector drawing (SVG)"),
        ("phone.heic", HEIC, "needs python -m pip install pillow-heif"),
    ],
)
def test_broken_file_is_rejected_by_name_and_the_good_one_is_used(tmp_path: Path, name: str, content: bytes, reason: str):
    if "heic" in reason:
        without_heif()
    (tmp_path / name).write_bytes(content)
    pattern().save(tmp_path / "good.png")
    photos = {photo.name: photo for photo in prepare_photos(tmp_path, 32)}
    assert photos[name].reason == reason and not photos[name].used and photos[name].image is None
    assert photos["good.png"].used
    assert f"{name} is not used: it {reason}" in remarks(list(photos.values()))


def without_heif() -> None:
    try:
        import pillow_heif  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        return
    pytest.skip("pillow-heif is installed")


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path: Path):
    pytest.importorskip("pillow_heif").register_heif_opener()
    pattern().save(tmp_path / "phone.heic")
    assert only(tmp_path).used


def test_none_usable_counts_the_reasons_in_one_line(tmp_path: Path):
    without_heif()
    for number in range(2):
        (tmp_path / f"{number}.heic").write_bytes(HEIC + bytes([number]))
        (tmp_path / f"{number}.jpg").write_bytes(encoded(pattern(number), "JPEG")[:900])
    with pytest.raises(UserError) as error:
        prepare_photos(tmp_path, 32)
    assert str(error.value) == (
        f"{tmp_path}: none of 4 files can be read as a photo (2 need python -m pip install pillow-heif, 2 are cut short). "
        "Add photos and try again."
    )


@pytest.mark.parametrize("orientation", range(2, 9))
def test_photo_is_turned_upright(tmp_path: Path, orientation: int):
    inverse = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270, 3: Image.Transpose.ROTATE_180}
    inverse |= {2: Image.Transpose.FLIP_LEFT_RIGHT, 4: Image.Transpose.FLIP_TOP_BOTTOM}
    inverse |= {5: Image.Transpose.TRANSPOSE, 7: Image.Transpose.TRANSVERSE}
    exif = Image.Exif()
    exif[0x0112] = orientation
    pattern().transpose(inverse[orientation]).save(tmp_path / "turned.jpg", exif=exif, quality=100, subsampling=0)
    pattern().save(tmp_path.with_suffix(".png"))
    turned, straight = only(tmp_path), only(tmp_path.with_suffix(".png"))
    assert turned.mended == ("turned upright",) and (turned.width, turned.height) == (96, 64)
    assert turned.image is not None and straight.image is not None
    difference = np.abs(np.asarray(turned.image, dtype=int) - np.asarray(straight.image, dtype=int))
    assert difference.max() < 12  # what JPEG costs at quality 100


def grey_ramp(kind: str) -> Image.Image:
    ramp = np.tile(np.linspace(0, 1, 64), (64, 1))
    if kind == "float":
        return Image.fromarray(ramp.astype(np.float32))
    return Image.fromarray((ramp * {"16 bits": 65535, "12 bits": 4095}[kind]).astype(np.uint16))


@pytest.mark.parametrize("kind", ["16 bits", "12 bits", "float"])
def test_deep_grey_is_scaled_to_8_bits(tmp_path: Path, kind: str):
    grey_ramp(kind).save(tmp_path / "grey.tif")
    photo = only(tmp_path, 64)
    assert abs(mean_colour(photo) - 127.5).max() < 2
    assert "to 8 bits" in photo.mended[0]


def test_16_bit_png_is_neither_white_nor_black(tmp_path: Path):
    grey_ramp("16 bits").save(tmp_path / "grey.png")
    assert abs(mean_colour(only(tmp_path)) - 127.5).max() < 2


@pytest.mark.parametrize(("kind", "orientation"), [("16 bits", 1), ("16 bits", 3), ("float", 1)])
def test_a_deep_tiff_that_counts_darkness_is_no_negative(tmp_path: Path, kind: str, orientation: int):
    grey_ramp(kind).save(tmp_path / "grey.tif", tiffinfo={262: 0, 274: orientation})
    image = only(tmp_path, 64).image
    assert image is not None
    first, last = np.asarray(image)[:, 0], np.asarray(image)[:, -1]
    assert (first.min() > 250 and last.max() < 5) if orientation == 1 else (first.max() < 5 and last.min() > 250)


def test_the_transparent_grey_of_a_16_bit_png_is_laid_on_white(tmp_path: Path):
    half = np.full((40, 40), 2000, np.uint16)  # of 12 bits: 125 of 255
    half[20:] = 65535
    Image.fromarray(half).save(tmp_path / "key.png", transparency=65535)
    photo = only(tmp_path)
    assert photo.image is not None and "transparency laid on white" in photo.mended
    assert (np.asarray(photo.image)[30] == 255).all() and (abs(np.asarray(photo.image)[5].astype(int) - 125) < 5).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(tmp_path: Path, mode: str):
    """All but a black corner, without which nothing would be shown."""
    if mode == "P":
        clear = Image.new("P", (40, 40), 0)
        clear.putpalette([200, 0, 0, 0, 0, 0])
        clear.paste(1, (0, 0, 8, 8))
        clear.save(tmp_path / "clear.png", transparency=0)
    else:
        clear = Image.new(mode, (40, 40), (200, 0, 0, 0) if mode == "RGBA" else (0, 0))
        clear.paste((0, 0, 0, 255) if mode == "RGBA" else (0, 255), (0, 0, 8, 8))
        clear.save(tmp_path / "clear.png")
    photo = only(tmp_path)
    assert photo.image is not None and "transparency laid on white" in photo.mended
    assert (np.asarray(photo.image)[12:] == 255).all() and not np.asarray(photo.image)[:4, :4].any()


def test_a_picture_of_nothing_is_not_learned_from(tmp_path: Path):
    pattern().save(tmp_path / "photo.png")
    Image.new("RGBA", (40, 40), (200, 0, 0, 0)).save(tmp_path / "clear.png")
    clear, photo = prepare_photos(tmp_path, 32)
    assert (clear.used, clear.reason) == (False, "shows nothing: it is transparent") and photo.used


def test_half_transparent_edge_is_mixed_with_white(tmp_path: Path):
    Image.new("RGBA", (40, 40), (0, 0, 0, 128)).save(tmp_path / "half.png")
    assert np.abs(mean_colour(only(tmp_path)) - 127).max() <= 1


def test_transparent_colour_key_is_laid_on_white(tmp_path: Path):
    keyed = Image.new("RGB", (40, 40), (1, 2, 3))
    keyed.paste((0, 0, 200), (0, 0, 8, 8))
    keyed.save(tmp_path / "key.png", transparency=(1, 2, 3))
    assert (np.asarray(only(tmp_path).image)[12:] == 255).all()


def test_lab_picture_keeps_its_brightness(tmp_path: Path):
    Image.new("LAB", (40, 40), (255, 128, 128)).save(tmp_path / "lab.tif")
    assert mean_colour(only(tmp_path)).min() > 245


def test_damaged_exif_costs_no_photo(tmp_path: Path):
    pattern().save(tmp_path / "dog.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\x01")
    assert only(tmp_path).used


def test_opaque_alpha_is_dropped_quietly(tmp_path: Path):
    Image.new("RGBA", (40, 40), (200, 0, 0, 255)).save(tmp_path / "opaque.png")
    photo = only(tmp_path)
    assert photo.mended == () and mean_colour(photo).tolist() == [200, 0, 0]


def test_cmyk_becomes_rgb(tmp_path: Path):
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=100)
    photo = only(tmp_path)
    red, green, blue = mean_colour(photo)
    assert red > 250 and green < 5 and blue < 5 and photo.mended == ("converted from CMYK",)


def wide_gamut_profile() -> bytes:
    """An sRGB profile whose red and green are swapped: wrong colours show at once whether it was obeyed."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"rXYZ", b"?XYZ", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"?XYZ", b"gXYZ", 1)
    return profile.replace("sRGB".encode("utf-16-be"), "Wide".encode("utf-16-be"))


def test_colour_profile_is_converted_to_srgb(tmp_path: Path):
    Image.new("RGB", (40, 40), (220, 30, 30)).save(tmp_path / "wide.png", icc_profile=wide_gamut_profile())
    photo = only(tmp_path)
    assert np.abs(mean_colour(photo) - (30, 220, 30)).max() <= 2
    assert photo.mended[0].startswith("colours converted from Wide") and photo.mended[0].endswith("to sRGB")
    assert photo.image is not None and "icc_profile" not in photo.image.info


def test_damaged_colour_profile_is_ignored_and_said(tmp_path: Path):
    Image.new("RGB", (40, 40), (200, 30, 30)).save(tmp_path / "odd.png", icc_profile=b"no profile")
    photo = only(tmp_path)
    assert photo.mended == ("unusable colour profile ignored",) and mean_colour(photo).tolist() == [200, 30, 30]


@pytest.mark.parametrize(("suffix", "options"), [("gif", {}), ("webp", {"lossless": True}), ("png", {}), ("mpo", {})])
def test_first_frame_is_taken(tmp_path: Path, suffix: str, options: dict[str, bool]):
    first, second = Image.new("RGB", (40, 40), (200, 0, 0)), Image.new("RGB", (40, 40), (0, 0, 200))
    first.save(tmp_path / f"moving.{suffix}", None, save_all=True, append_images=[second], **options)
    photo = only(tmp_path)
    assert mean_colour(photo)[0] > 190 and mean_colour(photo)[2] < 10
    assert "first of 2 frames taken" in photo.mended


def huge_png(width: int, height: int) -> bytes:
    """A small file that decodes to width x height grey pixels."""
    rows = zlib.compressobj(9)
    pixels = b"".join(rows.compress(bytes(width + 1)) for _ in range(height)) + rows.flush()
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    content = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    content.seek(8)
    for name, body in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")):
        PngImagePlugin.putchunk(content, name, body)
    return content.getvalue()


@pytest.mark.parametrize(("width", "height"), [(10_001, 5_000), (20_000, 10_000)])
def test_more_than_50_megapixels_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int
):
    (tmp_path / "huge.png").write_bytes(huge_png(width, height))
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(UserError, match=r"huge.png is larger than 50 megapixels"):
        prepare_photos(tmp_path, 32)


def test_large_jpeg_is_decoded_small(tmp_path: Path):
    Image.new("RGB", (9000, 6000), (10, 120, 200)).save(tmp_path / "large.jpg")
    photo = only(tmp_path)
    assert (photo.width, photo.height) == (9000, 6000) and photo.used
    assert np.abs(mean_colour(photo) - (10, 120, 200)).max() < 3


def test_what_is_no_photo_is_ignored_quietly(tmp_path: Path):
    pattern().save(tmp_path / "dog.png")
    for name in (".DS_Store", "Thumbs.db", "dog.txt", "metadata.jsonl", "metadata.csv"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("__MACOSX", ".ipynb_checkpoints", "more"):
        (tmp_path / name).mkdir()
        pattern(1).save(tmp_path / name / "cat.png")
    assert [photo.name for photo in prepare_photos(tmp_path, 32)] == ["dog.png"]


def test_one_photo_is_allowed_and_called_few(tmp_path: Path):
    pattern().save(tmp_path / "dog.png")
    photos = prepare_photos(tmp_path / "dog.png", 32)
    assert remarks(photos) == ["only 1 photo: 3 to 6 from different sides teach a subject better"]


def test_four_good_photos_call_for_no_remark(tmp_path: Path):
    for seed in range(4):
        pattern(seed).save(tmp_path / f"{seed}.png")
    assert remarks(prepare_photos(tmp_path, 32)) == []


@pytest.mark.parametrize(("name", "says"), [("nowhere", "no such file or folder"), ("empty", "no photos in this folder")])
def test_nothing_to_read_is_one_clear_line(tmp_path: Path, name: str, says: str):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=says) as error:
        prepare_photos(tmp_path / name, 32)
    assert "\n" not in str(error.value)


def test_exact_and_near_copies_count_once(tmp_path: Path):
    photo = pattern(0, (300, 200))
    photo.save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    photo.resize((240, 160)).save(tmp_path / "c.jpg", quality=80)
    pattern(1).save(tmp_path / "d.png")
    reasons = [photo.reason for photo in prepare_photos(tmp_path, 32)]
    assert reasons == [None, "is the same file as a.png", "is nearly the same picture as a.png", None]


def test_plain_pictures_of_different_colours_are_no_copies(tmp_path: Path):
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{name}.png")
    assert all(photo.used for photo in prepare_photos(tmp_path, 32))


def test_metadata_of_the_camera_does_not_survive(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    pattern().save(tmp_path / "dog.jpg", exif=exif)
    image = only(tmp_path).image
    assert image is not None and not image.info and not image.getexif()


def test_picture_is_the_middle_of_the_photo(tmp_path: Path):
    wide = Image.new("RGB", (128, 32), "blue")
    wide.paste((255, 0, 0), (48, 0, 80, 32))
    wide.save(tmp_path / "wide.png")
    photo = only(tmp_path, 32)
    assert photo.image is not None and photo.image.size == (32, 32) and mean_colour(photo).tolist() == [255, 0, 0]


def test_small_photo_is_enlarged_and_said(tmp_path: Path):
    pattern(0, (20, 16)).save(tmp_path / "small.png")
    assert only(tmp_path).mended == ("enlarged from 20x16",)


def test_odd_file_name_becomes_printable(tmp_path: Path):
    try:
        (tmp_path / "a\n\udcff.png").write_bytes(encoded(pattern(), "PNG"))
    except OSError:
        pytest.skip("this file system refuses the name")
    assert json.dumps(only(tmp_path).name, ensure_ascii=False).encode() == '"a��.png"'.encode()


@pytest.mark.parametrize(
    "identifier", ["", " ", "my dog", "a\u00a0b", "sks\n", "\U0001f436", "sks\u200d", "\x1b[1m", "1\ufe0f\u20e3"]
)
def test_identifier_that_is_no_word_is_refused(identifier: str):
    with pytest.raises(UserError, match="identifier") as error:
        check_identifier(identifier)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("identifier", ["sks", "<dog-1>", "größe", "犬", "V*"])
def test_identifier_that_is_a_word_is_allowed(identifier: str):
    check_identifier(identifier)


@pytest.mark.parametrize("builder", [lambda: pattern(), lambda: pattern().convert("L"), lambda: pattern().convert("1")])
def test_every_plain_mode_becomes_rgb(tmp_path: Path, builder: Callable[[], Image.Image]):
    builder().save(tmp_path / "photo.png")
    image = only(tmp_path).image
    assert image is not None and image.mode == "RGB" and image.size == (32, 32)


def test_captions_of_several_lines_stay_whole(tmp_path):
    """A line break within a quoted cell, and a separator that JSON allows raw."""
    (tmp_path / "metadata.csv").write_text('file_name,text\n1.png,"a red dog\non grass"\n', "utf-8")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "2.png", "text": "a dog\u2028asleep"}\n', "utf-8")
    for n in (1, 2):
        Image.new("RGB", (8, 8), (n, 0, 0)).save(tmp_path / f"{n}.png")
    assert [photo.caption.split() for photo in prepare_photos(tmp_path, 8)] == [["a", "red", "dog", "on", "grass"], ["a", "dog", "asleep"]]


def test_a_linear_profile_is_no_srgb(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("sRGB built-in", "linear  sRGB!"):
        renamed = profile.replace("sRGB built-in".encode("utf-16-be"), name.encode("utf-16-be"))
        Image.new("RGB", (8, 8), (55, 55, len(name))).save(tmp_path / f"{name[:4]}.png", icc_profile=renamed)
    linear, plain = prepare_photos(tmp_path, 8)
    assert plain.mended == () and "colours converted from linear  sRGB! to sRGB" in linear.mended


def test_what_a_safety_checker_leaves_is_no_photo(tmp_path):
    """Black pictures among those of the class taught that the class is black."""
    for name, value in (("black.png", 0), ("dark.png", 1)):
        Image.new("RGB", (32, 32), (value,) * 3).save(tmp_path / name)
    black, dark = prepare_photos(tmp_path, 16)
    assert (black.used, dark.used) == (False, True) and remarks([black]) == ["only 0 photo: 3 to 6 from different sides teach a subject better", "black.png is not used: it is black all over, as a safety checker leaves pictures"]


def test_a_strip_is_not_used(tmp_path):
    """Its short side would be enlarged to the resolution, and its long one beyond what memory holds."""
    Image.effect_noise((1, 20000), 50).save(tmp_path / "strip.png")
    Image.effect_noise((60, 40), 50).save(tmp_path / "photo.png")
    photos = {photo.name: photo for photo in prepare_photos(tmp_path, 512)}
    assert not photos["strip.png"].used and "strip of 1 x 20000 pixels" in str(photos["strip.png"].reason)
    assert photos["photo.png"].used
