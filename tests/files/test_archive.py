"""T26: zips of photos, honest and hostile. Whatever an archive says, nothing is written outside of a temporary folder."""

from __future__ import annotations

import io
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.files import archive
from likeness.files.errors import UserError
from likeness.files.subject import prepare_photos


def png(seed: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def zipped(tmp_path, monkeypatch):
    """A zip of (name, bytes), in a place of its own, and where likeness unpacks it."""
    (tmp_path / "unpacked").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unpacked"))

    def write(*entries: tuple[str | zipfile.ZipInfo, bytes], name: str = "photos.zip") -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as opened:
            for entry, content in entries:
                opened.writestr(entry, content)
        return tmp_path / name

    return write


def test_a_zip_of_photos_and_captions(zipped, tmp_path):
    path = zipped(("my dog/One.PNG", png(1)), ("my dog/One.txt", b"a {} asleep"), ("my dog/two.png", png(2)), ("read me.md", b"x"), ("__MACOSX/my dog/._One.png", b"x"))
    photos = prepare_photos(path, 16)
    assert [(photo.name, photo.caption, photo.used) for photo in photos] == [("One.png", "a {} asleep", True), ("two.png", None, True)]
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_metadata_know_photos_by_their_names_in_the_zip(zipped):
    lines = b'{"file_name": "H\xc3\xbcndin 1.png", "text": "a {} asleep"}\n'
    photos = prepare_photos(zipped(("d/H\u00fcndin 1.png", png(1)), ("d/metadata.jsonl", lines)), 16)
    assert [(photo.name, photo.caption) for photo in photos] == [("H_ndin_1.png", "a {} asleep")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_are_never_paths(zipped, tmp_path):
    """Up, absolute, a drive, the same name twice, names that differ in case alone, a link out, and one with a NUL, which ends there and is no picture."""
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    before = sorted(path for path in tmp_path.rglob("*"))
    for up in ("../..", "/etc", "C:"):
        path = zipped((f"{up}/evil.png", png(1)), (f"{up}\\other.png", png(2)), (f"{up}/link.png", png(3)), (link, b"/etc/passwd"))
        photos = prepare_photos(path, 16)
        assert [photo.name for photo in photos if photo.used] == ["evil.png", "link.png", "other.png"]
    path = zipped(
        ("x.png", png(4)), ("x.png", png(5)), ("X.png", png(6)), ("nu\0l.png", png(8)), ("\u00e9t\u00e9 \u72ac.png", png(9)), (link, b"/etc/passwd"), ("inner.zip", b"PK"),
        (".hidden.png", png(10)),
    )  # fmt: skip
    photos = prepare_photos(path, 16)
    assert len(photos) == 4 and all(photo.used for photo in photos)
    assert len({photo.name.lower() for photo in photos}) == 4 and not any("/" in photo.name or "\\" in photo.name for photo in photos)
    assert sorted(p for p in tmp_path.rglob("*")) == sorted([*before, path])


def test_pictures_in_several_folders_are_not_mixed(zipped):
    """kohya's img and reg, and a data set of two subjects: which of them is meant the zip does not say."""
    with pytest.raises(UserError, match=r"2 folders \(img/10_sks dog, reg/1_dog\)"):
        prepare_photos(zipped(("img/10_sks dog/1.png", png(1)), ("reg/1_dog/1.png", png(2))), 16)


def test_metadata_name_photos_by_the_way_from_where_they_lie(zipped, tmp_path):
    above = b'{"file_name": "images/1.png", "text": "above"}\n{"file_name": "other/1.png", "text": "elsewhere"}'
    beside = b'file_name,text\n./1.png,beside\n'
    assert [photo.caption for photo in prepare_photos(zipped(("d/images/1.png", png(1)), ("d/metadata.jsonl", above)), 16)] == ["above"]
    assert [photo.caption for photo in prepare_photos(zipped(("d/images/1.png", png(1)), ("d/metadata.jsonl", above), ("d/images/metadata.csv", beside)), 16)] == ["beside"]
    (folder := tmp_path / "folder").mkdir()
    (folder / "1.png").write_bytes(png(1))
    (folder / "metadata.csv").write_bytes(beside)
    assert [photo.caption for photo in prepare_photos(folder, 16)] == ["beside"]


def test_a_bomb_is_stopped_while_it_unpacks(zipped, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 3_000_000)
    with pytest.raises(UserError, match="unpacks to more than"):
        prepare_photos(zipped(("bomb.png", bytes(10_000_000))), 16)
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_what_is_no_zip_of_photos_is_one_line(zipped, tmp_path, monkeypatch):
    (tmp_path / "junk.zip").write_bytes(b"PK junk")
    whole = zipped(("a.png", png(1)), name="whole.zip").read_bytes()
    (tmp_path / "damaged.zip").write_bytes(whole[:200] + bytes(100) + whole[300:])
    (tmp_path / "short.zip").write_bytes(whole[: len(whole) // 2])
    for path, says in (
        (tmp_path / "damaged.zip", "cannot be read as a zip"), (tmp_path / "junk.zip", "cannot be read as a zip"), (tmp_path / "short.zip", "cannot be read as a zip"),
        (zipped(("read me.md", b"x"), name="none.zip"), "holds no photos"), (zipped(("text.png", b"no picture"), name="text.zip"), "text.zip: text.png is not a picture"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            prepare_photos(path, 16)
    monkeypatch.setattr(archive, "MOST_ENTRIES", 5)
    with pytest.raises(UserError, match="too many"):
        prepare_photos(zipped(*((f"{n}.md", b"x") for n in range(6)), name="many.zip"), 16)


def test_the_folder_that_kohyas_scripts_want(tmp_path):
    folder = tmp_path / "10_sks dog"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(1))
    assert len(prepare_photos(tmp_path, 16)) == 1
    (tmp_path / "1_other").mkdir()
    (tmp_path / "1_other" / "b.png").write_bytes(png(2))
    with pytest.raises(UserError, match="no photos in this folder"):
        prepare_photos(tmp_path, 16)
