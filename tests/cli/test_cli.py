"""The command line in this process: T35, T36 and T38."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from likeness.cli.shared import parse_seeds
from likeness.files.errors import UserError
from likeness.files.picture import read_settings
from likeness.files.recipe import continued_in, read_recipe
from likeness.files.typed import flags, typed
from likeness.workflow.recipes import packaged_continuations, packaged_recipe
from likeness.workflow.stack import stage_types


@pytest.fixture
def trained(likeness, tiny_folder, photo_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ("--class-noun", "dog", "--base", tiny_folder, "--steps", 2, "--class-pictures", 2, "--class-steps", 1)
    assert likeness("train", "dreambooth", photo_folder, *words) == 0
    (run,) = (tmp_path / "runs").iterdir()
    return run


def test_train_generate_and_report_without_a_network(trained, likeness, capsys):
    """T36: conftest refuses every address but this machine's."""
    assert likeness("generate", trained, "a {} on the beach", "--seeds", "0-1", "--steps", 2) == 0
    assert likeness("report", trained) == 0
    page = (trained / "report.html").read_text(encoding="utf-8")
    assert "sks dog on the beach" in page and page.count("data:image/png") >= 8
    assert "next: likeness evaluate" in capsys.readouterr().out


def test_runs_are_compared_on_one_page(trained, likeness, tmp_path, capsys):
    assert likeness("continue", trained, "--steps", 3) == 0
    child = next(path for path in (tmp_path / "runs").iterdir() if path != trained)
    capsys.readouterr()
    assert likeness("report", "--compare", trained, child, "--out", tmp_path / "both") == 0
    page = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert "Nothing can be said of these runs" in page and "stages.0.steps" in page and str(tmp_path) not in page
    assert "open in a browser: " in capsys.readouterr().out


def test_a_recipe_goes_on_in_a_child_run(likeness, tiny_folder, photo_folder, tmp_path, capsys):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'base = "{tiny_folder}"\n[subject]\nphotos = "{photo_folder}"\nclass_noun = "dog"\n'
        '[[stages]]\nmethod = "dreambooth"\nsteps = 1\nprior_weight = 0.0\n[[continued]]\nsteps = 2\ncheckpoints = [2]\n'
    )
    assert likeness("train", "--recipe", recipe, "--runs", tmp_path / "runs") == 0
    said = capsys.readouterr()
    assert "likeness continue" in said.err and "--steps 2 --checkpoints 2" in said.err and "continued" in said.out
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_recipes_and_sweeps_are_listed_and_printed(likeness, capsys):
    assert likeness("recipes") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ("monster_toy", "cross_attention", "textual_inversion"))
    assert likeness("recipes", "vectors") == 0 and "textual_inversion:vectors=8" in capsys.readouterr().out


PROMPTS = [
    'a {} with "quotes", \'single\' and / and \\',
    "a {} on\ntwo lines\r\tand a tab",
    "a {} " + "very " * 60,
    "../../{}",
    "{} \u202e\u05e9\U0001f436",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_any_prompt_gives_a_valid_file_name(prompt, trained, likeness):
    """T35. The prompt itself is kept whole inside the picture."""
    assert likeness("generate", trained, prompt, "--seeds", 0, "--steps", 1, "--no-beside-base") == 0
    (path,) = (trained / "pictures").glob("*.png")
    assert re.fullmatch(r"[a-z0-9-]{1,80}\.png", path.name)
    told = read_settings(path)
    assert told and told.prompt == prompt.replace("{}", "sks dog")
    assert Image.open(path).size == (16, 16)


def test_the_next_command_is_one_that_works(trained, likeness, tmp_path, capsys):
    """evaluate scores pictures of a run alone, and against photos."""
    assert likeness("train", "lora", "toybox:biscuit", "--steps", 1, "--runs", tmp_path / "others") == 0
    (other,) = (tmp_path / "others").iterdir()
    assert likeness("train", "dreambooth", "toybox:biscuit", "--steps", 1, "--runs", tmp_path / "more") == 0
    (toy,) = (tmp_path / "more").iterdir()
    capsys.readouterr()
    assert likeness("generate", toy, "a {} on the beach", "--with", other, "--seeds", 0, "--steps", 1) == 0
    assert "needs pictures of this run alone too: likeness generate" in capsys.readouterr().out
    assert likeness("evaluate", toy) == 2 and "of its subject as it learned it" in capsys.readouterr().err
    assert likeness("export", other, "--to", "diffusers") == 0
    assert likeness("import", other / "output" / "diffusers", "--class-noun", "dog", "--runs", tmp_path / "taken") == 0
    (taken,) = (tmp_path / "taken").iterdir()
    assert likeness("generate", taken, "a {} on the beach", "--seeds", 0, "--steps", 1) == 0
    assert f"next: likeness report {taken}" in capsys.readouterr().out
    assert likeness("choose", taken) == 2 and "was imported, not trained" in capsys.readouterr().err
    assert likeness("report", taken) == 0
    assert "likeness import diffusers --class-noun NOUN --photos FOLDER" in (taken / "report.html").read_text(encoding="utf-8")


def test_a_picture_carries_how_much_noise_its_way_added(trained, likeness):
    assert likeness("generate", trained, "a {} on the beach", "--seeds", 0, "--steps", 2, "--eta", 1, "--no-beside-base") == 0
    (path,) = (trained / "pictures").glob("*.png")
    told = read_settings(path)
    assert told and told.eta == 1 and ", Eta: 1" in Image.open(path).info["parameters"]


def test_continue_makes_a_child_with_its_lineage(trained, likeness):
    assert likeness("continue", trained, "--prior-weight", 0.5, "--steps", 4) == 0
    (child,) = (path for path in trained.parent.iterdir() if path != trained)
    lineage = json.loads((child / "run.json").read_text())["lineage"]
    assert lineage == {"run": trained.name, "step": 2, "changed": {"stages.0.prior_weight": [1.0, 0.5], "stages.0.steps": [2, 4]}}


TRAIN = ("train", "dreambooth", "PHOTOS", "--base", "BASE", "--class-noun", "dog")
MISTAKES = [
    (("trian",), "Did you mean"),
    (("train",), "Write likeness train METHOD PHOTOS"),
    (("train", "--runs", "out", "lora", "PHOTOS", "--class-noun", "dog"), "options come behind it"),
    (("continue", "--steps", "5", "RUN"), "Write likeness continue RUN"),
    (("recipes", "--base", "toybox"), "is for one of the recipes"),
    (("recipes", "rank", "--base", "toybox"), "is for one of the recipes"),
    (("toybox", "draw", "biscuit", "--seeds", "0-99999999999999999999"), "is more than 100,000 pictures"),
    (("train", "dreamboth", "PHOTOS"), "did you mean 'dreambooth'"),
    (("train", "dreambooth"), "PHOTOS requires an argument"),
    (("train", "dreambooth", "nowhere", "--base", "BASE", "--class-noun", "dog"), "no such file or folder"),
    (("train", "dreambooth", "PHOTOS", "--base", "BASE"), "--class-noun"),
    (("train", "dreambooth", "PHOTOS", "--base", "no-base", "--class-noun", "dog"), "no such folder"),
    (("train", "dreambooth", "toybox:biscit", "--base", "BASE"), "did you mean 'biscuit'"),
    ((*TRAIN, "--learning-rat", "1e-4"), "Did you mean --learning-rate"),
    ((*TRAIN, "--learning-rate", "fast"), "--learning-rate 'fast': must be a valid number"),
    ((*TRAIN, "--learning-rate", "-1e-4"), "--learning-rate '-1e-4': must be greater than 0"),
    ((*TRAIN, "--learning-rate=nan"), "--learning-rate 'nan': must be a finite number"),
    ((*TRAIN, "--steps", "0"), "--steps '0': must be greater than or equal to 1"),
    ((*TRAIN, "--steps", "1.5"), "--steps '1.5': must be a valid integer"),
    ((*TRAIN, "--steps"), "--steps requires an argument"),
    ((*TRAIN, "--steps", "3", "--checkpoints", "9"), "9 is no step of this stage"),
    ((*TRAIN, "--mixed-precision", "fp8"), "must be 'no' or 'bf16'"),
    ((*TRAIN, "--prompt", "a photo"), "must have {} where the subject belongs"),
    ((*TRAIN, "--seed", "-1"), "seed = -1"),
    ((*TRAIN, "--resolution", "7"), "must be a multiple of 8"),
    ((*TRAIN, "--identifier", "two words"), "has a space"),
    ((*TRAIN, "--identifier", "dog"), "says it already"),
    ((*TRAIN, "more"), "more"),
    ((*TRAIN, "--prompt", "a {} \udcff"), "is not UTF-8"),
    (("generate", "run", "a {} \udcff"), "is not UTF-8"),
    (("train", "--recipe", "nowhere.toml"), "No such file"),
    (("resume", "nowhere"), "no run lies here"),
    (("continue", "nowhere", "--steps", "9"), "no run lies here"),
    (("generate", "nowhere"), "no run lies here"),
    (("report", "nowhere"), "no run lies here"),
    (("report",), "of which run?"),
    (("report", "--compare", "nowhere"), "no run lies here"),
    (("recipes", "vektors"), "did you mean 'vectors'"),
    ((*TRAIN, "--clip", "encoder"), "give --until-settled"),
    ((*TRAIN, "--until-settled", "3"), "cannot settle"),
]


def refused(likeness, capsys, *words) -> str:
    capsys.readouterr()
    assert likeness(*words) == 2
    line = capsys.readouterr().err
    assert line.startswith("likeness: ") and line.count("\n") == 1 and "Traceback" not in line and "pydantic" not in line
    return line


@pytest.mark.parametrize(("words", "says"), MISTAKES)
def test_a_mistake_is_one_line_and_exit_code_2(words, says, likeness, capsys, tiny_folder, photo_folder, tmp_path, monkeypatch):
    """T38, before any run is made."""
    monkeypatch.chdir(tmp_path)
    stands_for = {"PHOTOS": photo_folder, "BASE": tiny_folder}
    assert says in refused(likeness, capsys, *(stands_for.get(word, word) for word in words))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--seeds", "three"), "must be numbers"),
        (("--seeds", "3-1"), "must be numbers"),
        (("--seeds", 2**63), "must be from 0"),
        (("--steps", 0), "--steps 0: must be from 1 to 1000"),
        (("--steps", 1001), "must be from 1 to 1000"),
        (("--guidance-scale", "nan"), "must be from 0 to 100"),
        (("--eta", 2), "--eta 2.0: must be from 0"),
        (("--eta", "nan"), "--eta nan: must be from 0"),
        (("--checkpoint", 7), "no checkpoint of step 7. There are: 2."),
        (("--chekpoint", 7), "Did you mean --checkpoint"),
        (("--blend.alpha", -1), "--blend.alpha '-1': must be greater than"),
    ],
)
def test_a_mistake_in_drawing_is_one_line(words, says, likeness, capsys, trained):
    assert says in refused(likeness, capsys, "generate", trained, "a {}", *words)
    assert not (trained / "pictures").exists()


def test_pretraining_has_a_flag_for_every_field_of_its_plan(likeness, capsys):
    from dataclasses import fields

    from likeness.toybox.plan import Plan

    assert likeness("pretrain", "--help") == 0
    shown = capsys.readouterr().out
    assert [f.name for f in fields(Plan) if f"--{f.name.replace('_', '-')}" not in shown] == []


@pytest.fixture
def pretrained(tmp_path, monkeypatch):
    """A folder as pretraining leaves it after the base alone; what measures is replaced by a note of what it was given."""
    from likeness.toybox import check, pretraining

    (tmp_path / "mine" / "base" / "unet").mkdir(parents=True)
    (tmp_path / "mine" / "base" / "model_index.json").write_text("{}")
    (tmp_path / "package").mkdir()
    monkeypatch.setattr(pretraining, "__file__", str(tmp_path / "package" / "pretraining.py"))
    monkeypatch.setattr(check, "check", lambda say, made, drawn: [say(f"asked {[*made]}"), drawn()])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pretrained_folder_is_measured_and_then_put_in_place(pretrained, likeness, capsys):
    assert likeness("pretrain", "mine", "--check") == 0
    said = capsys.readouterr().out
    assert "measured: mine/base\nasked ['base']" in said and said.endswith("next: likeness pretrain mine --install\n")
    assert likeness("pretrain", "mine", "--install") == 0
    assert "in place of the embedded: base\n" in capsys.readouterr().out
    assert (pretrained / "package" / "base" / "model_index.json").exists()


def test_without_a_folder_all_that_is_embedded_is_measured(pretrained, likeness, capsys):
    assert likeness("pretrain", "--check") == 0
    assert capsys.readouterr().out == "measured: the embedded base, second stage and judges\nasked []\nnext: likeness toybox card\n"


@pytest.mark.parametrize(("act", "says"), [("--check", "holds no base, second stage or judges. Name"), ("--install", "holds no base, second stage or judges to")])
def test_a_folder_without_a_base_is_neither_measured_nor_put_in_place(act, says, pretrained, likeness, capsys):
    assert says in refused(likeness, capsys, "pretrain", "yours", act)


RECIPE = 'base = "BASE"\n[subject]\nphotos = "PHOTOS"\nclass_noun = "dog"\n[[stages]]\nmethod = "dreambooth"\n'


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("stepps = 3", "did you mean 'steps'?"),
        ('steps = "many"', "must be a valid integer"),
        ("steps = true", "must be a number"),
        ("learning_rate = -1", "must be greater than 0"),
        ("steps = ", "not valid TOML"),
        ('[[others]]\nphotos = "PHOTOS"\nclass_noun = "cat"', "two subjects have the identifier 'sks'"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(line, says, likeness, capsys, tiny_folder, photo_folder, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace("BASE", str(tiny_folder)).replace("PHOTOS", str(photo_folder)) + line)
    assert says in refused(likeness, capsys, "train", "--recipe", path, "--runs", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_diverged_run_ends_in_one_line(likeness, capsys, tiny_folder, photo_folder, tmp_path):
    """T14: a base with one weight that is no number."""
    import shutil

    from safetensors.torch import load_file, save_file

    base = shutil.copytree(tiny_folder, tmp_path / "base")
    path = base / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights["conv_out.bias"][0] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})
    words = ("--base", base, "--class-noun", "dog", "--prior-weight", 0, "--steps", 5, "--runs", tmp_path / "runs")
    assert likeness("train", "dreambooth", photo_folder, *words) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("likeness: step 3: loss or gradient was not finite 3 times in a row.")


def test_a_path_that_cannot_be_written_is_one_line(likeness, capsys):
    assert likeness("guide", "--out", "/proc/nowhere/guide.html") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "/proc/nowhere" in said and "Check the path" in said


def test_named_commands_can_be_typed_whatever_the_path():
    path = Path("my runs/it's")
    assert shlex.split(f"likeness generate {typed(path)}")[2] == str(path) and typed(Path("runs/dog")) == "runs/dog"


def test_a_mistake_in_how_a_recipe_goes_on_is_found_before_it_begins(tmp_path, likeness, capsys):
    stage = '[subject]\nphotos = "toybox:biscuit"\nclass_noun = "dog"\n[[stages]]\nmethod = "textual_inversion"\nsteps = 2\n[[continued]]\n'
    for changes, says in (("stepz = 6", "continued 1: "), ("steps = 2", "2 are done before it")):
        (tmp_path / "mine.toml").write_text(stage + changes)
        assert likeness("train", "--recipe", tmp_path / "mine.toml", "--runs", tmp_path / "runs") == 2 and says in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_recipe_is_printed_for_its_source_or_for_a_base(tmp_path, likeness, capsys):
    """What is printed for a base is what `train NAME` trains on it; what is printed for the source names no base that it was not made for."""
    assert likeness("recipes", "face", "--base", "toybox") == 0
    (tmp_path / "mine.toml").write_text(capsys.readouterr().out.replace("PHOTOS", "toybox:biscuit"))
    mine, advised = read_recipe(tmp_path / "mine.toml", stage_types()), packaged_recipe("face", {"photos": "toybox:biscuit", "class_noun": "dog"})
    assert mine == advised and continued_in(tmp_path / "mine.toml") == packaged_continuations("face")
    assert likeness("recipes", "face") == 0
    (tmp_path / "source.toml").write_text(capsys.readouterr().out)
    assert read_recipe(tmp_path / "source.toml", stage_types()).base == "BASE"


def test_a_seed_is_drawn_once_however_often_it_is_named():
    assert parse_seeds("5,0-2,1,5") == [5, 0, 1, 2]
    with pytest.raises(UserError, match="is more than 100,000 pictures"):  # before a list of them fills the memory
        parse_seeds("0-99999999999")
    with pytest.raises(UserError, match="must be numbers such as"):
        parse_seeds("5,3-1")


def test_sizes_that_are_no_picture_are_refused(likeness, tmp_path, capsys):
    for size in ("0", "-5", "100000000"):
        assert likeness("toybox", "draw", "biscuit", "--size", size, "--out", tmp_path) == 2 and "from 8 to 4096" in capsys.readouterr().err


def test_options_that_would_do_nothing_are_refused(likeness, tmp_path, capsys):
    assert likeness("report", tmp_path, "--out", tmp_path / "page") == 2
    assert "--out is for the page of several runs" in capsys.readouterr().err


@pytest.mark.parametrize("problem", [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")])
def test_out_of_memory_is_one_line(problem, likeness, monkeypatch, capsys):
    """Wherever it happens; where pictures are drawn or trained, fewer at once are tried before."""
    from likeness.cli import scores

    def full(path):
        raise problem

    monkeypatch.setattr(scores, "run_at", full)
    assert likeness("report", "run") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_options_are_typed_as_they_were_given():
    given = {"prior_weight": 0.5, "checkpoints": [1, 2], "augmentation": False, "use_captions": True, "class_photos": "my dogs"}
    assert flags(given) == "--prior-weight 0.5 --checkpoints 1,2 --no-augmentation --use-captions --class-photos 'my dogs'"


def test_help_says_what_an_option_that_is_left_out_is(likeness, capsys):
    """The base's advice, not the default that stands beside it."""
    likeness("train", "dreambooth", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "The toybox advises --steps 250 --learning-rate 0.0002" in said and "--prior-weight 0.0" in said


def test_what_goes_on_is_typed_with_the_other_options(trained, likeness, capsys):
    assert likeness("continue", trained, "--prior-weight", 0.5) == 2
    assert f"likeness continue {typed(trained)} --prior-weight 0.5 --steps 4" in capsys.readouterr().err


def test_drift_alone_names_what_evaluate_needs_too(trained, likeness, capsys):
    assert likeness("generate", trained, "--drift", "--seeds", "0", "--steps", 1) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"likeness generate {typed(trained)}")


def test_the_world_draws_every_scene_that_it_knows(likeness, tmp_path):
    """Also those that are none of ToyBench's, as the beach of the next command."""
    assert likeness("toybox", "draw", "biscuit", "a {} on the beach", "--size", "16", "--seeds", "0", "--out", tmp_path) == 0
    assert len(list(tmp_path.glob("*.png"))) == 1


def test_the_next_command_of_pretraining_keeps_its_options(likeness, tmp_path, monkeypatch, capsys):
    from likeness.toybox import pretraining

    monkeypatch.setattr(pretraining, "pretrain", lambda *_: None)
    assert likeness("pretrain", tmp_path / "new", "--seed", "8", "--stages", "pictures", "--base-pictures", "24") == 0
    assert capsys.readouterr().out.endswith(f"next: likeness pretrain {tmp_path / 'new'} --seed 8 --base-pictures 24\n")


def test_a_negative_prompt_without_guidance_is_refused(quick_recipe, tmp_path, likeness, capsys):
    """The picture would be the same, and say that it was asked for otherwise."""
    from likeness.workflow.fitting import fit
    from likeness.workflow.progress import Silent

    run = fit(quick_recipe(steps=1), tmp_path, Silent())
    assert likeness("generate", run.path, "--negative-prompt", "blurry", "--guidance-scale", "1", "--steps", "2") == 2
    assert "--negative-prompt: says what guidance leads away from" in capsys.readouterr().err


@pytest.mark.parametrize(("method", "option"), [("lora", ("--prior-weight", "0", "--prompt", "a {}")), ("textual_inversion", ("--templates", "style"))])
def test_what_captions_override_is_refused(method, option, likeness, tmp_path, capsys):
    assert likeness("train", method, tmp_path, "--class-noun", "dog", "--use-captions", *option) == 2
    assert "photos are captioned by the texts beside them" in capsys.readouterr().err


@pytest.mark.parametrize(("method", "option"), [("dreambooth", ("--prior-weight", "1", "--class-pictures")), ("lcm", ("--pictures",))])
def test_what_class_photos_override_is_refused(method, option, likeness, tmp_path, capsys):
    assert likeness("train", method, tmp_path, "--class-noun", "dog", "--class-photos", tmp_path, *option, "4") == 2
    assert f"{option[-1]}: the class photos are learned, and none is drawn" in capsys.readouterr().err
