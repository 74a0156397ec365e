"""The command line in processes of its own: what is imported, what the environment lacks, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from likeness.files.run_folder import RunFolder

RUN = (sys.executable, "-m", "likeness.cli")


@pytest.mark.parametrize("words", [["--help"], ["generate", "--help"], ["--version"], ["trian"]])
def test_help_imports_neither_torch_nor_transformers(words):
    code = "import sys\nfrom likeness.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\nprint({'torch', 'transformers', 'diffusers'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("home", [None, "/proc/nowhere"], ids=["no HOME", "HOME that cannot be written"])
def test_it_trains_in_a_bare_environment(home, tiny_folder, photo_folder, tmp_path):
    """T37, and LANG=C. Root may write anywhere but in /proc."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C", "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"HOME": home} if home else {"LIKENESS_CACHE": str(tmp_path / "cache")}
    words = ("--base", tiny_folder, "--class-noun", "dog", "--steps", "1", "--class-pictures", "1", "--class-steps", "1", "--prompt", "ein {} in Köln")
    answer = subprocess.run([*RUN, "train", "dreambooth", photo_folder, *words], env=environment, cwd=tmp_path, capture_output=True)
    assert answer.returncode == 0, answer.stderr.decode()
    assert len(list(tmp_path.glob("runs/*/checkpoints/000001/complete.json"))) == 1
    assert len(list(tmp_path.glob("*/class-pictures/*/0000.png"))) == 1


def test_sigterm_pauses_a_run_that_can_be_resumed(quick_recipe, likeness, tmp_path):
    """T17: exit code 143, a checkpoint at the step that was reached."""
    from likeness.files.recipe import write_recipe

    (tmp_path / "recipe.toml").write_text(write_recipe(quick_recipe(steps=120)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*RUN, "train", "--recipe", tmp_path / "recipe.toml", "--runs", tmp_path / "runs"], env=environment, stderr=subprocess.PIPE)
    while process.poll() is None and not list(tmp_path.glob("runs/*/journal.jsonl")):
        time.sleep(0.01)
    time.sleep(0.2)  # the file is there before the first step is
    process.send_signal(signal.SIGTERM)
    output = process.communicate()[1].decode()
    assert process.returncode == 143 and "Go on: likeness resume" in output, output
    run = RunFolder.open(next((tmp_path / "runs").iterdir()))
    assert run.record().status == "paused" and run.holder() is None
    assert "Traceback" not in output
    assert run.latest("resume") is None or run.latest("resume").step == len(run.journal())  # type: ignore[union-attr]
    assert likeness("resume", run.path) == 0
    assert run.record().status == "finished" and len(run.journal()) == 120


def test_who_helps_with_a_grid_ends_with_the_process_that_asked():
    """Killed, it can tell nobody: helpers would go on for hours unseen."""
    helper = "import os, signal, time, threading\nfrom likeness.workflow import cells\ncells.LOOK_AGAIN = 0.05\nparent = os.getpid()\n"
    fork = "child = os.fork()\nif child:\n    print(child, flush=True); os._exit(0)\nthreading.Thread(target=cells._end_with, args=(parent,), daemon=True).start()\ntime.sleep(60)"
    child = int(subprocess.run([sys.executable, "-c", helper + fork], capture_output=True, text=True, check=True, timeout=100).stdout)
    state, deadline = Path(f"/proc/{child}/stat"), time.monotonic() + 20
    while time.monotonic() < deadline and state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.05)
    assert time.monotonic() < deadline


def test_ctrl_c_is_one_line_and_130(monkeypatch, capsys):
    from likeness import cli

    def interrupted(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_app_for", lambda words: (interrupted, words))
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo"])
    assert ended.value.code == 130 and capsys.readouterr().err == "stopped\n"
