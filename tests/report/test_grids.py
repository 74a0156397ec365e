import pytest
from PIL import Image

from likeness.report import grids
from likeness.report.grids import contact_sheet


def test_each_picture_lies_in_its_cell():
    red, green, wide = Image.new("RGB", (8, 8), "red"), Image.new("RGBA", (64, 64), "lime"), Image.new("RGB", (80, 20), "blue")
    sheet = contact_sheet([[red, green], [None, wide]], cell=32)
    assert sheet.mode == "RGB" and sheet.size == (6 + 2 * 38, 6 + 2 * 38)
    centres = [sheet.getpixel((6 + column * 38 + 16, 6 + row * 38 + 16)) for row in (0, 1) for column in (0, 1)]
    assert centres == [(255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 255)]
    assert sheet.getpixel((6 + 38 + 16, 6 + 38 + 2)) == (255, 255, 255)  # a wide picture keeps its shape


def test_titles_make_room_at_the_edges_and_are_drawn():
    cell = Image.new("RGB", (8, 8), "red")
    bare = contact_sheet([[cell]], cell=64)
    titled = contact_sheet([[cell]], ["a dog wearing a red hat on the beach"], ["base \u05e9\u05dc\ud800"], cell=64)
    assert titled.width > bare.width and titled.height > bare.height
    left = titled.crop((0, titled.height - 64, titled.width - 76, titled.height))
    assert min(low for low, _ in left.getextrema()) < 128  # type: ignore[misc]


def test_titles_must_match_the_pictures():
    with pytest.raises(ValueError, match="1 rows but 2 row titles"):
        contact_sheet([[None]], ["a", "b"])
    with pytest.raises(ValueError, match="1 columns but 2 column titles"):
        contact_sheet([[None]], [], ["a", "b"])


def test_letters_that_the_own_font_has_not_are_drawn_by_one_that_has():
    text = "собака"
    own, found = grids._font("a dog", 14), grids._font(text, 14)
    assert grids._has(own, "a dog") and not grids._has(own, text)
    if found is own:
        pytest.skip("no font of this system has them")
    assert grids._has(found, text)
