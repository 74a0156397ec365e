"""A run on disk: files, journal, lock (T18, T20, T29, T34)."""

from __future__ import annotations

import json
import os
import resource
import socket
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest
from PIL import Image

import likeness.files.run_folder
from likeness.files.atomic import write_text
from likeness.files.errors import UserError
from likeness.files.picture import Settings
from likeness.files.recipe import Recipe, Stage, SubjectSpec
from likeness.files.run_folder import RunFolder, without_time
from likeness.files.subject import prepare_photos

SOURCE = Path(likeness.files.run_folder.__file__).parents[2]
MOMENT = datetime(2026, 11, 23, 10, 15)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "dog-dreambooth", seed=3, base="toybox", moment=MOMENT)


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process that knows the package."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def test_runs_of_the_same_second_get_distinct_folders(tmp_path: Path):
    names = [RunFolder.create(tmp_path, "dog-dreambooth", moment=MOMENT).name for _ in range(3)]
    assert names == ["dog-dreambooth-20261123-101500", "dog-dreambooth-20261123-101500-2", "dog-dreambooth-20261123-101500-3"]


def test_processes_of_the_same_second_get_distinct_folders(tmp_path: Path):
    code = """
import sys; from pathlib import Path; from datetime import datetime; from likeness.files.run_folder import RunFolder
print(*[RunFolder.create(Path(sys.argv[1]), "dog", moment=datetime(2026, 1, 1)).name for _ in range(20)])
"""
    processes = [python(code, tmp_path) for _ in range(2)]
    names = [name for process in processes for name in process.communicate()[0].split()]
    assert len(set(names)) == len(names) == 40


def test_record_is_kept_and_changed(run: RunFolder):
    run.update(status="paused", exit_reason="stopped by the user", peak_bytes=17)
    record = RunFolder.open(run.path).record()
    assert (record.status, record.seed, record.base, record.pid) == ("paused", 3, "toybox", os.getpid())
    assert record.model_dump()["peak_bytes"] == 17 and "numpy" in record.versions


def test_unknown_status_is_our_mistake(run: RunFolder):
    with pytest.raises(ValueError, match="status"):
        run.update(status="sleeping")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no run lies here"),
        ("{", "cannot be read as JSON"),
        ("[]", "not the record of a run"),
        ('{"schema_version": 2, "status": "running"}', "written by a newer likeness"),
    ],
)
def test_what_is_no_run_is_one_line(tmp_path: Path, content: str | None, says: str):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(UserError, match=says):
        RunFolder.open(tmp_path)


def test_place_that_refuses_a_run_is_one_line(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="no run can be kept here"):
        RunFolder.create(tmp_path / "file", "dog")


def test_second_process_is_refused_with_the_pid_of_the_first(run: RunFolder):
    code = """
import sys; from pathlib import Path; from likeness.files.run_folder import RunFolder
with RunFolder.open(Path(sys.argv[1])).active():
    print("active", flush=True); sys.stdin.read()
"""
    with python(code, run.path) as other:
        assert other.stdout is not None and other.stdout.readline() == "active\n"
        assert run.holder() == other.pid and run.status() == "running"
        with pytest.raises(UserError, match=rf"run is active \(pid {other.pid}\)"), run.active():
            pass
        other.kill()
    assert run.holder() is None and run.status() == "interrupted"
    with run.active():  # the lock of the dead process is taken over
        assert run.holder() == os.getpid()
    assert not (run.path / "run.pid").exists()


def test_lock_of_an_earlier_process_with_this_pid_is_stale(run: RunFolder):
    if not Path("/proc/self/stat").exists():
        pytest.skip("this system does not tell when a process started")
    lock = {"pid": os.getpid(), "host": socket.gethostname(), "started": "1"}
    (run.path / "run.pid").write_text(json.dumps(lock))
    with run.active():
        assert run.holder() == os.getpid()


def test_lock_of_another_machine_is_respected(run: RunFolder):
    (run.path / "run.pid").write_text(json.dumps({"pid": 1, "host": "elsewhere", "started": None}))
    with pytest.raises(UserError, match=r"run is active \(pid 1 on elsewhere\).*delete run\.pid"), run.active():
        pass


@pytest.mark.parametrize("content", ["", "{", "17", '{"pid": 0, "host": "' + socket.gethostname() + '", "started": null}'])
def test_lock_that_says_nothing_is_stale(run: RunFolder, content: str):
    (run.path / "run.pid").write_text(content)
    with run.active():
        pass


def test_run_is_released_when_the_work_fails(run: RunFolder):
    with pytest.raises(ZeroDivisionError), run.active():
        raise ZeroDivisionError
    assert run.holder() is None


def test_journal_is_rewound_to_a_step(run: RunFolder):
    for step in range(1, 6):
        run.append_journal({"step": step, "loss": step / 7})
    run.rewind_journal(3)
    run.append_journal({"step": 4, "loss": 0.0})
    assert [line["step"] for line in run.journal()] == [1, 2, 3, 4] and run.journal()[2]["loss"] == 3 / 7


def test_half_a_journal_line_was_never_written(run: RunFolder):
    run.append_journal({"step": 1})
    with open(run.path / "journal.jsonl", "a") as file:
        file.write('{"step": 2, "lo')
    assert run.journal() == [{"step": 1}]
    run.append_journal({"step": 2})
    assert run.journal() == [{"step": 1}, {"step": 2}]


def test_damaged_journal_line_is_named(run: RunFolder):
    (run.path / "journal.jsonl").write_text('{"step": 1}\n?\n{"step": 3}\n')
    with pytest.raises(UserError, match="line 2 is damaged"):
        run.journal()


def test_full_disk_leaves_the_journal_whole(run: RunFolder):
    run.append_journal({"step": 1})
    size = (run.path / "journal.jsonl").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(OSError, match=r"too large|No space"):
            run.append_journal({"step": 2, "loss": 0.123456789})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert run.journal() == [{"step": 1}] and (run.path / "journal.jsonl").stat().st_size == size


def test_run_needs_no_originals(run: RunFolder, tmp_path: Path):
    originals = tmp_path / "originals"
    originals.mkdir()
    for number, colour in enumerate(("red", "blue")):
        Image.new("RGBA", (40, 30), colour).save(originals / f"{number}.png")
    (originals / "half.jpg").write_bytes(b"\xff\xd8\xff")
    photos = prepare_photos(originals, 16)
    run.write_photos(photos)
    for path in originals.iterdir():
        path.unlink()
    again = run.photos()
    assert again == photos and len(again) == 3
    assert [one.image and one.image.tobytes() for one in again] == [one.image and one.image.tobytes() for one in photos]


class OneStage(Stage):
    method: ClassVar[str] = "one"


def test_recipe_of_a_run_is_read_back(run: RunFolder):
    asked = Recipe(subject=SubjectSpec(photos=Path("photos/dog"), class_noun="dog"), stages=(OneStage(steps=7),))
    run.write_recipe(asked)
    assert run.recipe({"one": OneStage}) == asked


def test_pictures_are_indexed_in_order(run: RunFolder):
    settings = Settings(prompt="a/b: <dog>", steps=2, sampler="DDIM", guidance_scale=3, seed=1, width=8, height=8)
    for number in range(3):
        run.add_picture(Image.new("RGB", (8, 8), (number, 0, 0)), settings, {"prompt_number": number})
    run.pictures()[1].path.unlink()
    assert [picture.labels["prompt_number"] for picture in run.pictures()] == [0, 2]
    assert run.pictures()[1].path.name == "0002-a-b-dog.png" and run.pictures()[1].settings == settings


def test_no_picture_is_overwritten_where_a_line_of_the_index_was_removed(run: RunFolder):
    settings = Settings(prompt="a dog", steps=2, sampler="DDIM", guidance_scale=3, seed=1, width=8, height=8)
    first, second, third = (run.add_picture(Image.new("RGB", (8, 8), (number, 0, 0)), settings) for number in range(3))
    index = run.path / "pictures" / "index.jsonl"
    index.write_text("".join(index.read_text().splitlines(keepends=True)[1:]))
    added = run.add_picture(Image.new("RGB", (8, 8), (9, 0, 0)), settings)
    assert added not in (first, second, third) and Image.open(third).convert("RGB").getpixel((0, 0)) == (2, 0, 0)


@pytest.mark.parametrize("name, asked", [
    ("dog-lora-20240101-120000", "dog-lora"), ("dog-20240101-120000-2", "dog"), ("my-old-dog", "my-old-dog"),
])  # fmt: skip
def test_a_runs_name_without_its_time(name, asked, tmp_path):
    assert without_time(name) == asked
    assert without_time(RunFolder.create(tmp_path, asked).name) == asked


def test_previews_scores_and_output_have_their_place(run: RunFolder):
    settings = Settings(prompt="dog", steps=2, sampler="DDIM", guidance_scale=3, seed=1, width=8, height=8)
    assert run.save_preview(800, 1, Image.new("RGB", (8, 8)), settings) == run.path / "previews/000800-01.png"
    assert run.scores() is None
    run.write_scores({"subject": 0.5})
    assert run.scores() == {"subject": 0.5}
    assert run.output("lora").is_dir() and run.previews() == [run.path / "previews/000800-01.png"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_file_modes_follow_the_umask(tmp_path: Path, umask: int):
    def write(folder: Path) -> None:
        (folder / "weights.safetensors").write_bytes(b"x")
        (folder / "weights.safetensors").chmod(0o600)  # as safetensors 0.8 does

    before = os.umask(umask)
    try:
        run = RunFolder.create(tmp_path, "dog")
        run.append_journal({"step": 1})
        run.save_checkpoint(1, write)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in run.path.rglob("*") if path.is_file()}
    assert modes == {0o666 & ~umask}


def test_pictures_of_two_writers_keep_their_lines(run: RunFolder):
    """Two may draw into one run: every line has a picture of its own, of its colour."""
    from concurrent.futures import ThreadPoolExecutor

    settings = Settings(prompt="a dog", steps=1, sampler="DDIM", guidance_scale=1, seed=0, width=8, height=8)

    def draw(colour: int) -> None:
        for _ in range(10):
            run.add_picture(Image.new("RGB", (8, 8), (colour, 0, 0)), settings, {"colour": colour})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(draw, (10, 200)))
    found = run.pictures()
    assert len({picture.path for picture in found}) == 20
    assert all(Image.open(picture.path).getpixel((0, 0)) == (picture.labels["colour"], 0, 0) for picture in found)


def test_attention_of_two_prompts_is_kept_apart(run: RunFolder):
    """However alike their names begin, and in whatever script."""
    panel = {"steps": Image.new("RGB", (8, 8))}
    prompts = ["ジャングルの sks dog", "雪の中の sks dog", "a sks dog " + "very " * 30 + "wet", "a sks dog " + "very " * 30 + "dry"]
    written = {path for prompt in prompts for path in run.write_attention(prompt, panel, {"prompt": prompt})}
    assert len(written) == 2 * len(prompts)


def test_what_cannot_be_written_is_named_as_it_was_asked_for(tmp_path: Path):
    (tmp_path / "guide.html").mkdir()
    with pytest.raises(OSError, match="guide.html") as problem:
        write_text(tmp_path / "guide.html", "text")
    assert problem.value.filename == str(tmp_path / "guide.html") and [path.name for path in tmp_path.iterdir()] == ["guide.html"]


def test_a_picture_that_says_not_how_it_was_drawn_is_named(run: RunFolder):
    (run.path / "pictures").mkdir(exist_ok=True)
    (run.path / "pictures" / "index.jsonl").write_text('{"file": "0000-x.png"}\n')
    with pytest.raises(UserError, match="index.jsonl: a line says not what its picture was drawn with"):
        run.pictures()
