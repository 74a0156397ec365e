"""The grid: only missing cells run, a stopped one goes on, and the table says what each recipe costs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from likeness.evaluation.options import Encoders
from likeness.files.errors import UserError
from likeness.files.lock import Active, held
from likeness.files.run_folder import RunFolder, without_time
from likeness.workflow import cells, comparing
from likeness.workflow.cells import Drawing, work
from likeness.workflow.comparing import compare
from likeness.workflow.comparison_table import table
from likeness.workflow.evaluating import evaluate
from likeness.workflow.fitting import fit
from likeness.workflow.foreign import Theirs, scores_of_theirs, theirs
from likeness.workflow.generating import generate
from likeness.workflow.grid import Asked, cells_of, subjects_of
from likeness.workflow.progress import Silent
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, photos_of, prompts_for

LORA = '[[stages]]\nmethod = "lora"\nsteps = {steps}\nrank = 2\n'
WORD = '[[stages]]\nmethod = "textual_inversion"\nsteps = 1\nvectors = 3\n'


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "PROMPTS", 1)
    (tmp_path / "small.toml").write_text(LORA.format(steps=1))
    (tmp_path / "word.toml").write_text(WORD)
    return [str(tmp_path / "small.toml"), str(tmp_path / "word.toml")]


def test_only_missing_cells_run(recipes, tmp_path):
    first = compare(Asked(recipes[:1], ["toybox:biscuit"]), tmp_path / "grid", Silent())
    journals = {path: path.stat().st_mtime_ns for path in (tmp_path / "grid").glob("*/journal.jsonl")}
    (record,) = (tmp_path / "grid").glob("*/run.json")
    facts = ("trains", "several_subjects")
    record.write_text(json.dumps({key: value for key, value in json.loads(record.read_text()).items() if key not in facts}))  # as it was before they were kept
    second = compare(Asked(recipes, ["toybox:biscuit"]), tmp_path / "grid", Silent())
    assert second["cells"][0] == first["cells"][0] and len(list((tmp_path / "grid").glob("*/run.json"))) == 2
    assert all(path.stat().st_mtime_ns == moment for path, moment in journals.items())
    assert second["rows"][1]["parameters"] == 3 * 192 and second["rows"][0]["bytes"] > second["rows"][1]["bytes"]
    cell = second["cells"][0]
    assert cell["ceiling"]["placed"] == 1 and cell["ceiling"]["named"] > cell["floor"]["named"] and 0 <= cell["scores"]["placed"] <= 1
    said = table(second)
    assert "small" in said and "Less small, paired on subjects and seeds" in said and max(map(len, said.splitlines())) <= 100
    assert [[row[fact] for fact in facts] for row in second["rows"]] == [["rank-2 adapters", "together, added"], ["3 vectors", "no"]]
    assert all(row["sampling"] == [{"steps": 25, "guidance_scale": 2.5}] and row["picture_seconds"] > 0 for row in second["rows"])
    assert json.loads(record.read_text())["trains"] == "rank-2 adapters"  # a page, which knows no methods, reads it there
    assert json.loads((tmp_path / "grid" / "compare.json").read_text())["rows"][0]["recipe"] == "small"
    (tmp_path / "small.toml").write_text(LORA.format(steps=2))
    compare(Asked(recipes[:1], ["toybox:biscuit"]), tmp_path / "grid", Silent())
    assert len(list((tmp_path / "grid").glob("small-*/run.json"))) == 2


def test_only_pictures_that_are_drawn_as_the_run_wants_are_the_grids(recipes, tmp_path):
    """Others of the same prompts and seeds lie in the run, drawn in two steps and under a negative prompt, and are newer; the seconds are not theirs either."""
    asked = Asked(recipes[:1], ["toybox:biscuit"], drawing=Drawing("toybench", (0,), 1))
    first = compare(asked, tmp_path / "grid", Silent())
    (path,) = (tmp_path / "grid").glob("*/run.json")
    run = RunFolder.open(path.parent)
    generate(run, ["a {} in the jungle"], [0], Silent(), steps=2, beside_base=False)
    generate(run, ["a {} in the jungle"], [0], Silent(), negative="dog", beside_base=False)
    evaluate(run, Silent(), only=lambda picture: picture.settings.steps == 2)
    (scored,) = run.scores()["each"]
    assert len(run.pictures()) == 3 and scored["file"] != run.pictures()[0].path.name
    second = compare(asked, tmp_path / "grid", Silent())
    assert second["rows"][0]["sampling"] == [{"steps": 25, "guidance_scale": 2.5}] and [line["file"] for line in run.scores()["each"]] == [run.pictures()[0].path.name]
    assert second["cells"][0]["scores"] == first["cells"][0]["scores"]


def test_a_method_may_have_options(monkeypatch, tmp_path):
    found = []
    monkeypatch.setattr(comparing, "work", lambda cells, *_: found.extend(cells))
    with pytest.raises(KeyError):  # nothing was run
        compare(Asked(["lora:rank=2,alpha=4,checkpoints=[100,200]", "custom_diffusion:trained=all"], ["toybox:biscuit"]), tmp_path, Silent())
    lora, custom = (cell.asked.stages[0] for cell in found)
    assert (lora.rank, lora.alpha, lora.checkpoints, custom.trained) == (2, 4.0, (100, 200), "all") and found[0].name.startswith("lora-rank-2")
    for wrong, says in (("lora:rank", "is no option"), ("lora:ranc=2", "unknown option"), ("lora:rank=many", "rank"), ("two_stage:steps=3", "takes no options")):
        with pytest.raises(UserError, match=says):
            compare(Asked([wrong], ["toybox:biscuit"]), tmp_path, Silent())


def test_an_unknown_recipe_is_named(tmp_path):
    with pytest.raises(UserError, match="did you mean"):
        compare(Asked(["dreambuth"], ["toybox:biscuit"]), tmp_path, Silent())


@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), ("stages = [", "not valid TOML"), ("base = 'toybox'", "has no stages")])
def test_a_recipe_file_that_cannot_be_read_is_one_line(content, says, tmp_path):
    if content is not None:
        (tmp_path / "recipe.toml").write_text(content)
    with pytest.raises(UserError, match=says):
        compare(Asked([str(tmp_path / "recipe.toml")], ["toybox:biscuit"]), tmp_path, Silent())


def test_another_base_needs_encoders_before_anything_is_trained(tiny_folder, tmp_path):
    with pytest.raises(UserError, match="Name encoders"):
        compare(Asked(["lora"], ["toybox:biscuit"], base=str(tiny_folder)), tmp_path / "grid", Silent())
    assert not (tmp_path / "grid").exists()


SMALL = Drawing("toybench", prompts=(0, 20), pictures=2)


def content(parent: Path) -> dict[str, object]:
    """Of every run by its cell: weights and pictures byte for byte, and what was scored."""
    runs = {path.parent.name.rsplit("-", 2)[0]: path.parent for path in parent.glob("*/run.json")}
    found: dict[str, object] = {"rows": [{k: row[k] for k in ("recipe", "dino", "clip_t")} for row in json.loads((parent / "compare.json").read_text())["rows"]]}
    for name, run in runs.items():
        files = [*sorted((run / "pictures").glob("*.png")), *sorted(run.glob("checkpoints/*/*.safetensors"))]
        found[name] = [(file.name, np.asarray(Image.open(file)).tobytes() if file.suffix == ".png" else file.read_bytes()) for file in files]
    return found


def test_a_subset_of_a_benchmark_is_drawn_scored_and_stands_beside_what_it_is_measured_against(recipes, tmp_path):
    found = compare(Asked(recipes[:1], ["toybox:biscuit"], drawing=SMALL), tmp_path / "grid", Silent())
    (path,) = (tmp_path / "grid").glob("*/run.json")
    run = RunFolder.open(path.parent)
    asked = {(p.labels["class_prompt"], p.settings.seed) for p in run.pictures()}
    assert asked == {(prompt, seed) for prompt in ("a dog in the jungle", "a dog wearing a red hat") for seed in range(2)}
    assert [row["recipe"] for row in found["bounds"]] == ["real pictures", "truth", "look-alikes"]
    real, truth, lookalikes = found["bounds"]
    assert truth["dino"]["value"] > lookalikes["dino"]["value"] and real["clip_t"] is None and truth["named"]["value"] > 0.5
    assert found["rows"][0]["kinds"].keys() == {"recontextualization", "accessory"} and found["prompts"]["toybox:biscuit"][1] == "a dog wearing a red hat"
    assert "Prompts of one kind alone: accessory" in table(found) and "look-alikes" in table(found)
    drawn = {p.path: p.path.stat().st_mtime_ns for p in run.pictures()}
    more = compare(Asked(recipes[:1], ["toybox:biscuit"], drawing=Drawing("toybench", (0, 1), 2)), tmp_path / "grid", Silent())
    assert all(path.stat().st_mtime_ns == moment for path, moment in drawn.items()) and len(run.pictures()) == 6  # two are new, of one training
    assert {line["prompt"] for line in run.scores()["each"]} == set(more["prompts"]["toybox:biscuit"])  # and the hat is no part of this table


def test_two_processes_give_the_bytes_of_one(recipes, tmp_path):
    asked = Asked(recipes, ["toybox:biscuit", "toybox:wick"], drawing=Drawing("toybench", (0,), 1))
    compare(asked, tmp_path / "one", Silent())
    compare(asked, tmp_path / "two", Silent(), workers=2)
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert not list((tmp_path / "two").glob(".*.pid"))


def test_a_cell_that_another_process_is_at_is_left_to_it(recipes, tmp_path, monkeypatch):
    """Somebody holds the first cell: the second is done first, and the first once it is free."""
    order, ran = [], []
    holding = held(tmp_path / ".first.pid")
    holding.__enter__()
    monkeypatch.setattr(cells, "run_cell", lambda cell, *_: ran.append(cell.name))
    monkeypatch.setattr(cells.time, "sleep", lambda seconds: holding.__exit__(None, None, None))

    def named(name: str):
        (cell,) = cells_of(Asked(recipes[:1], ["toybox:biscuit"]))
        return replace(cell, name=name)

    work([named("first"), named("second")], tmp_path, Encoders(), lambda cell, run: order.append(cell.name))
    assert order == ran == ["second", "first"]


def test_whom_a_grid_waits_for_is_said_once(recipes, tmp_path, monkeypatch):
    """A lock of another machine, whose process may be long gone: nobody can tell from here."""
    (cell,) = cells_of(Asked(recipes[:1], ["toybox:biscuit"]))
    lock, waits = tmp_path / f".{cell.name}.pid", []
    lock.write_text(json.dumps({"pid": 7, "host": "elsewhere", "started": None}))
    monkeypatch.setattr(cells, "run_cell", lambda cell, *_: None)

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            lock.unlink()

    monkeypatch.setattr(cells.time, "sleep", wait)
    lines: list[str] = []
    work([cell], tmp_path, Encoders(), say=lines.append)
    assert len(waits) == 3 and len(lines) == 1 and "pid 7 on elsewhere" in lines[0] and f"delete {lock.name}" in lines[0]
    waits.clear()
    lock.write_text(json.dumps({"pid": 7, "host": "elsewhere", "started": None}))
    work([cell], tmp_path, Encoders(), say=lines.append, own=[7])  # a helper's
    assert len(waits) == 3 and len(lines) == 1


def test_a_run_that_somebody_goes_on_with_by_hand_is_waited_for(quick_recipe, paused, tmp_path):
    recipe = quick_recipe(steps=6)
    run = paused(recipe, tmp_path / "runs", 3)
    with run.active(), pytest.raises(Active):
        cells._found(without_time(run.name), recipe, tmp_path / "runs")
    assert cells._found(without_time(run.name), recipe, tmp_path / "runs").path == run.path  # type: ignore[union-attr]


def test_other_peoples_pictures_enter_by_their_folder(tmp_path, likeness, capsys):
    """The truth of two prompts, one told by its number and one by a caption, scores as the truth does."""
    biscuit = SUBJECTS["biscuit"]
    folder = tmp_path / "theirs" / "biscuit"
    folder.mkdir(parents=True)
    for n in range(2):
        draw(prompts_for("dog")[0].scene(biscuit.appearance, 50 + n), 64).save(folder / f"00-{n}.png")
        draw(prompts_for("dog")[1].scene(biscuit.appearance, 50 + n), 64).save(folder / f"snow{n}.png")
        (folder / f"snow{n}.txt").write_text("a dog in the snow")
    words = ("compare", "--benchmark", "toybench", "--subjects", "biscuit", "--folder", f"theirs={tmp_path / 'theirs'}", "--runs", tmp_path / "grid")
    assert likeness(*words, "--prompts", "0-1") == 0
    found = json.loads((tmp_path / "grid" / "compare.json").read_text())
    (row,), bounds = found["rows"], {row["recipe"]: row for row in found["bounds"]}
    assert row["recipe"] == "theirs" and row["parameters"] is None
    assert row["dino"]["value"] > 0.9 and row["named"]["value"] == 1 and row["placed"]["value"] == 1 and bounds["real pictures"]["dino"]["value"] > 0.8
    moment = (tmp_path / "grid" / "theirs-biscuit.json").stat().st_mtime_ns
    assert likeness(*words, "--prompts", "0-1") == 0 and (tmp_path / "grid" / "theirs-biscuit.json").stat().st_mtime_ns == moment
    (other := tmp_path / "biscuit").mkdir()
    for n, scene in enumerate(photos_of(SUBJECTS["pepper"])):
        draw(scene, 64).save(other / f"{n}.png")
    theirs = Theirs("theirs", f"{other}", "dog", {"00-0.png": folder / "00-0.png"}, {"00-0.png": "a dog in the jungle"})
    before = scores_of_theirs(theirs, tmp_path, Encoders())
    (other / "0.png").unlink()  # other photos of the same subject: what was kept does not stand for them
    assert scores_of_theirs(theirs, tmp_path, Encoders())["of"] != before["of"]
    draw(prompts_for("dog")[0].scene(biscuit.appearance, 9), 64).save(folder / "what.png")
    capsys.readouterr()
    assert likeness(*words) == 2 and "what.png: does not tell its prompt" in capsys.readouterr().err


def test_pictures_that_tell_other_prompts_are_quoted(tmp_path):
    (tmp_path / "theirs" / "biscuit").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "theirs" / "biscuit" / "00-1.png")
    (tmp_path / "theirs" / "biscuit" / "00-1.txt").write_text("a ohwx dog in the jungle")
    with pytest.raises(UserError, match="00-1.png says that it was asked for 'a ohwx dog in the jungle'"):
        theirs("other", tmp_path / "theirs", "toybox:biscuit", "dog", Drawing())


def test_likeness_in_one_table_is_to_the_same_photos(recipes, tmp_path):
    """Runs keep small copies of photos; other people's pictures are held against copies of that size, not against the photos."""
    (photos := tmp_path / "rex").mkdir()
    for n, scene in enumerate(photos_of(SUBJECTS["biscuit"])):
        draw(scene, 160).save(photos / f"{n}.png")
    (folder := tmp_path / "theirs" / "rex").mkdir(parents=True)
    draw(prompts_for("dog")[0].scene(SUBJECTS["biscuit"].appearance, 50), 64).save(folder / "00-0.png")
    found = compare(Asked(recipes[:1], [f"{photos}=dog"], drawing=Drawing(prompts=(0,), pictures=1), folders=(("theirs", tmp_path / "theirs"),)), tmp_path / "grid", Silent())
    ours, theirs = found["cells"]
    assert theirs["recipe"] == "theirs" and theirs["real"]["dino"] == pytest.approx(ours["real"]["dino"], abs=1e-6)


def test_subjects_are_found_by_name(tmp_path):
    for name in ("dog", "vase"):
        (tmp_path / name).mkdir()
    assert subjects_of("dreambench", "all", tmp_path, False) == [f"{tmp_path / 'dog'}=dog", f"{tmp_path / 'vase'}=vase"]
    assert subjects_of("toybench", "biscuit", None, False) == ["toybox:biscuit"]
    assert len(subjects_of("toybench", "all", None, False)) == 20 and len(subjects_of("toybench", "all", None, True)) == 30
    for options, says in (
        (("dreambench", "all", None, False), "needs --data"), (("dreambench", "cat", tmp_path, False), "is not in"),
        (("dreambench", "all", tmp_path / "dog", False), "holds none"), (("toybench", "rex", None, False), "--held-out"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            subjects_of(*options)


def test_a_prompt_that_there_is_not_is_named(tmp_path, likeness, capsys):
    assert likeness("compare", "lora", "--subjects", "biscuit", "--benchmark", "simple", "--prompts", "1", "--runs", tmp_path / "grid") == 2
    assert "--prompts 1: there are 1, counted from 0" in capsys.readouterr().err and not (tmp_path / "grid").exists()


def test_a_class_that_toybench_has_no_prompts_for_is_named():
    with pytest.raises(UserError, match="has no prompts for a plushie; known: "):
        Drawing("toybench").templates("plushie", toybox=False)


def test_two_cells_of_one_name_are_refused_and_what_is_asked_twice_runs_once(tmp_path):
    """Else both would be one run, and each other's scores."""
    for folder, rank in (("a", 2), ("b", 8)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.toml").write_text(f'[[stages]]\nmethod = "lora"\nrank = {rank}\n')
    with pytest.raises(UserError, match=r"a/dog=dog and .*b/dog=dog would both be called lora-dog-0"):
        cells_of(Asked(["lora"], [f"{tmp_path}/a/dog=dog", f"{tmp_path}/b/dog=dog"]))
    with pytest.raises(UserError, match="would both be called mine-biscuit-0"):
        cells_of(Asked([str(tmp_path / "a" / "mine.toml"), str(tmp_path / "b" / "mine.toml")], ["toybox:biscuit"]))
    assert len(cells_of(Asked(["lora", "lora"], ["toybox:biscuit", "toybox:biscuit"], [0, 0]))) == 1


def test_a_cell_of_other_photos_is_another_cell(quick_recipe, photo_folder, tmp_path):
    shutil.copytree(photo_folder, tmp_path / "dog")
    recipe = quick_recipe(photos=tmp_path / "dog")
    run = fit(recipe, tmp_path / "runs", Silent(), name="cell")
    assert cells._found("cell", recipe, tmp_path / "runs").name == run.name
    (tmp_path / "dog" / "0.png").unlink()
    assert cells._found("cell", recipe, tmp_path / "runs") is None


def test_a_file_of_a_grid_keeps_its_resolution_and_long_names_their_own(tmp_path):
    (tmp_path / "mine.toml").write_text("resolution = 32\n" + LORA.format(steps=1))
    (cell,) = cells_of(Asked([str(tmp_path / "mine.toml")], ["toybox:biscuit"]))
    assert cell.asked.resolution == 32
    long = "lora:rank=8,alpha=16,targets=attention+feedforward,learning_rate=1e-4"
    names = [cell.name for cell in cells_of(Asked([long], ["toybox:biscuit"], [0, 1]))]
    assert len(set(names)) == 2 and max(map(len, names)) <= 50


def test_a_file_of_a_grid_keeps_its_identifier_and_class_photos(tmp_path):
    (tmp_path / "class").mkdir()
    for word in ("sks", "ohwx"):
        (tmp_path / f"{word}.toml").write_text(f'{LORA.format(steps=1)}[subject]\nphotos = "PHOTOS"\nclass_noun = "dog"\nidentifier = "{word}"\nclass_photos = "{tmp_path / "class"}"\n')
    of_sks, of_ohwx = cells_of(Asked([str(tmp_path / "sks.toml"), str(tmp_path / "ohwx.toml")], ["toybox:biscuit"]))
    assert [cell.asked.subject.identifier for cell in (of_sks, of_ohwx)] == ["sks", "ohwx"]
    assert of_sks.asked.subject.class_photos == tmp_path / "class" and str(of_sks.asked.subject.photos) == "toybox:biscuit"
    with pytest.raises(UserError, match="its class photos show a dog, and this subject is a cat"):
        cells_of(Asked([str(tmp_path / "sks.toml")], ["toybox:shadow"]))


@pytest.mark.parametrize(("more", "says"), [("base = 'models/sd15'\n", "is for the base models/sd15, and this grid's is toybox"), ('[[others]]\nphotos = "P"\nclass_noun = "cat"\n', "teaches several subjects together")])
def test_what_a_grid_cannot_do_as_a_file_has_it_is_refused(more, says, tmp_path):
    (tmp_path / "mine.toml").write_text(more + LORA.format(steps=1) if "base" in more else LORA.format(steps=1) + more)
    with pytest.raises(UserError, match=says):
        cells_of(Asked([str(tmp_path / "mine.toml")], ["toybox:biscuit"]))


def test_folders_in_any_script_and_with_dots_are_told_apart(recipes, tmp_path):
    names = ("кот", "пёс", "cup.v1", "cup.v2", "a=b")
    for name in names:
        (tmp_path / name).mkdir()
    cells = cells_of(Asked(recipes[:1], [f"{tmp_path / name}=dog" for name in names]))
    assert len({cell.name for cell in cells}) == len(names)
    assert [str(cell.asked.subject.photos) for cell in cells] == [str(tmp_path / name) for name in names]


def test_a_folder_that_is_none_is_found_before_anything_is_trained(recipes, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        compare(Asked(recipes[:1], ["toybox:biscuit", f"{tmp_path / 'nowhere'}=dog"]), tmp_path / "grid", Silent())
    assert not (tmp_path / "grid").exists()
