"""Contact sheets: many pictures as one, with words at the edges."""

from collections.abc import Sequence
from contextlib import suppress

from PIL import Image, ImageDraw, ImageFont

PAPER, INK = "white", "#333333"
GAP = 6  # px between cells
SYSTEM_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "arial.ttf", "msyh.ttc", "PingFang.ttc")


def contact_sheet(
    rows: Sequence[Sequence[Image.Image | None]],
    row_titles: Sequence[str] = (),
    column_titles: Sequence[str] = (),
    cell: int = 128,
) -> Image.Image:
    """A table of pictures on white, each scaled to fit a square cell; None leaves a cell empty.

    cell     edge in px
    returns  RGB
    """
    if row_titles and len(row_titles) != len(rows):
        raise ValueError(f"{len(rows)} rows but {len(row_titles)} row titles")
    columns = max((len(row) for row in rows), default=0)
    if column_titles and len(column_titles) != columns:
        raise ValueError(f"{columns} columns but {len(column_titles)} column titles")
    font = _font("".join((*row_titles, *column_titles)), max(10, cell // 9))
    left_titles = [_wrapped(title, font, int(1.2 * cell)) for title in row_titles]
    top_titles = [_wrapped(title, font, cell) for title in column_titles]
    left = GAP + max((_size(title, font)[0] + GAP for title in left_titles), default=0)
    top = GAP + max((_size(title, font)[1] + GAP for title in top_titles), default=0)
    sheet = Image.new("RGB", (left + columns * (cell + GAP), top + len(rows) * (cell + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, title in enumerate(top_titles):
        middle = left + column * (cell + GAP) + cell // 2
        pen.multiline_text((middle, top - GAP), title, INK, font, anchor="md", align="center")
    for row, title in enumerate(left_titles):
        pen.multiline_text((left - GAP, top + row * (cell + GAP) + cell // 2), title, INK, font, anchor="rm", align="right")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            if picture is not None:
                _place(sheet, picture, left + column * (cell + GAP), top + row * (cell + GAP), cell)
    return sheet


def _font(text: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own; for letters that it has not, the first of the system's that has them."""
    own = ImageFont.load_default(size)
    if _has(own, text):
        return own
    for name in SYSTEM_FONTS:
        with suppress(OSError):
            if _has(found := ImageFont.truetype(name, size), text):
                return found
    return own


def _has(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> bool:
    """Whether no letter is drawn as what stands for a missing one."""
    missing = _drawn(font, "\uffff")
    return all(_drawn(font, letter) != missing for letter in {*text.encode("utf-8", "replace").decode()} if not letter.isspace())


def _drawn(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, letter: str) -> bytes:
    canvas = Image.new("L", (64, 64))
    ImageDraw.Draw(canvas).text((8, 8), letter, 255, font)
    return canvas.tobytes()


def _place(sheet: Image.Image, picture: Image.Image, left: int, top: int, cell: int) -> None:
    scale = cell / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    scaled = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    sheet.paste(scaled, (left + (cell - size[0]) // 2, top + (cell - size[1]) // 2))


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Lines no wider than `width`, broken between words where there are some."""
    lines = [""]
    for word in text.encode("utf-8", "replace").decode().split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _size(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> tuple[int, int]:
    _, _, right, bottom = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), text, font)
    return int(right) + 1, int(bottom) + 1
