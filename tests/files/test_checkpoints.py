"""Checkpoints are there whole or not at all (T16's saving, T18, T20)."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from likeness.files.checkpoints import CheckpointStore
from likeness.files.errors import UserError


def write(text: str = "weights") -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "0-lora.safetensors").write_text(text)
        (folder / "unet").mkdir()
        (folder / "unet" / "card.json").write_text("{}")

    return fill


def store_with(tmp_path: Path, *steps: int, keep: int | None = None) -> CheckpointStore:
    store = CheckpointStore(tmp_path / "checkpoints", keep)
    for step in steps:
        store.save(step, write(f"weights of {step}"))
    return store


def steps_of(store: CheckpointStore) -> list[int]:
    return [checkpoint.step for checkpoint in store.complete()]


def test_saved_checkpoint_is_listed_and_sound(tmp_path: Path):
    store = store_with(tmp_path, 800, 200, 1_000_000)
    assert steps_of(store) == [200, 800, 1_000_000]
    assert store.survey().skipped == []
    assert store.at(800).path == tmp_path / "checkpoints" / "000800"
    seal = json.loads((store.at(800).path / "complete.json").read_text())
    assert set(seal["files"]) == {"0-lora.safetensors", "unet/card.json"}


def lose_a_file(folder: Path) -> None:
    (folder / "0-lora.safetensors").unlink()


def flip_a_byte(folder: Path) -> None:
    content = bytearray((folder / "0-lora.safetensors").read_bytes())
    content[3] ^= 1
    (folder / "0-lora.safetensors").write_bytes(content)


def cut_a_file(folder: Path) -> None:
    (folder / "0-lora.safetensors").write_bytes(b"we")


def lose_the_seal(folder: Path) -> None:
    (folder / "complete.json").unlink()


def damage_the_seal(folder: Path) -> None:
    (folder / "complete.json").write_text("{}")


def copy_of_another_step(folder: Path) -> None:
    seal = json.loads((folder / "complete.json").read_text())
    (folder / "complete.json").write_text(json.dumps(seal | {"step": 1}))


def leave_a_leftover(folder: Path) -> None:
    folder.rename(folder.with_name(".tmp-0123"))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lose_a_file, "checkpoints/000800 is skipped: 0-lora.safetensors is missing"),
        (flip_a_byte, "checkpoints/000800 is skipped: 0-lora.safetensors is not what was saved (its sha256 differs)"),
        (cut_a_file, "checkpoints/000800 is skipped: 0-lora.safetensors has 2 bytes instead of 14"),
        (lose_the_seal, "checkpoints/000800 is skipped: complete.json is missing, so it was never finished"),
        (damage_the_seal, "checkpoints/000800 is skipped: complete.json is damaged"),
        (copy_of_another_step, "checkpoints/000800 is skipped: it holds step 1"),
        (leave_a_leftover, "checkpoints/.tmp-0123 is skipped: it is left over from an interrupted save"),
    ],
)
def test_damaged_checkpoint_is_skipped_with_a_reason_and_the_one_before_is_used(
    tmp_path: Path, damage: Callable[[Path], None], says: str
):
    store = store_with(tmp_path, 400, 800)
    damage(store.folder / "000800")
    latest = store.latest()
    assert latest is not None and latest.step == 400
    assert store.survey().skipped == [says]
    with pytest.raises(UserError):
        store.at(800)


def test_checkpoint_of_a_newer_likeness_is_not_passed_over(tmp_path: Path):
    store = store_with(tmp_path, 400, 800)
    seal = store.folder / "000800" / "complete.json"
    seal.write_text(json.dumps(json.loads(seal.read_text()) | {"schema_version": 2}))
    with pytest.raises(UserError, match=r"000800: written by a newer likeness \(format 2, this one knows 1\)"):
        store.latest()


def test_unknown_step_lists_those_that_exist(tmp_path: Path):
    with pytest.raises(UserError, match=r"no checkpoint of step 700\. There are: 400, 800\."):
        store_with(tmp_path, 400, 800).at(700)
    with pytest.raises(UserError, match="There is none yet"):
        store_with(tmp_path / "other").at(1)


def test_full_disk_leaves_the_old_checkpoint_and_nothing_else(tmp_path: Path):
    store = store_with(tmp_path, 400)

    def fill_up(folder: Path) -> None:
        (folder / "0-lora.safetensors").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        store.save(800, fill_up)
    assert [path.name for path in store.folder.iterdir()] == ["000400"]
    assert store.survey().skipped == []


def test_failed_second_save_of_a_step_leaves_the_first(tmp_path: Path):
    store = store_with(tmp_path, 400)
    with pytest.raises(KeyboardInterrupt):
        store.save(400, lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    store.at(400)


def test_step_can_be_saved_again(tmp_path: Path):
    store = store_with(tmp_path, 400)
    store.save(400, write("again"))
    assert (store.at(400).path / "0-lora.safetensors").read_text() == "again"
    assert [path.name for path in store.folder.iterdir()] == ["000400"]


@pytest.mark.parametrize("keep", [1, 2, 4, 5])
def test_only_the_newest_are_kept(keep, tmp_path: Path):
    assert steps_of(store_with(tmp_path, 100, 200, 300, 400, keep=keep)) == [100, 200, 300, 400][-keep:]


def test_old_ones_are_pruned_only_after_the_new_one_is_complete(tmp_path: Path):
    store = store_with(tmp_path, 100, 200, keep=2)
    with pytest.raises(OSError):
        store.save(300, lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    assert steps_of(store) == [100, 200]


def test_states_of_an_abandoned_future_are_pruned(tmp_path: Path):
    store = store_with(tmp_path, 100, 800, keep=2)
    store.save(150, write())
    assert steps_of(store) == [100, 150]


def test_leftovers_are_removed_by_the_next_save(tmp_path: Path):
    store = store_with(tmp_path, 400)
    (store.folder / ".tmp-dead").mkdir()
    store.save(800, write())
    assert sorted(path.name for path in store.folder.iterdir()) == ["000400", "000800"]


def save_until_killed(store: CheckpointStore, first: int, told: int) -> None:
    for step in range(first, first + 1000):
        store.save(step, write(f"weights of {step} " * 5000))
        os.write(told, step.to_bytes(4, "big"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 needs POSIX")
def test_newest_checkpoint_is_sound_after_kill_9_at_any_moment(tmp_path: Path):
    moments, store, last = random.Random(0), CheckpointStore(tmp_path / "resume", keep=2), 0
    for _ in range(20):
        hear, tell = os.pipe()
        child = os.fork()
        if child == 0:
            save_until_killed(store, last + 1, tell)
            os._exit(0)
        os.close(tell)
        time.sleep(moments.uniform(0.005, 0.08))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        finished = [int.from_bytes(report, "big") for report in iter(lambda: os.read(hear, 4), b"")]  # noqa: B023
        os.close(hear)
        latest = store.latest()
        newest = latest.step if latest else 0
        assert newest >= max(finished, default=last)
        last = newest
    assert last > 0
