"""What another tool has trained draws here what it drew there: our own exports of every layout, taken in again, draw the same pictures."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.files.run_folder import RunFolder
from likeness.interchange import reading
from likeness.model.base import Base
from likeness.model.trajectory import initial_latents, walk
from likeness.workflow.branching import branch
from likeness.workflow.evaluating import evaluate
from likeness.workflow.exporting import export
from likeness.workflow.fitting import fit, resume
from likeness.workflow.generating import generate
from likeness.workflow.importing import import_files
from likeness.workflow.progress import Silent
from likeness.workflow.stack import put_on, read_card, stage_types

LORA = {"method": "lora", "steps": 3, "learning_rate": 1e-2, "rank": 4, "alpha": 8.0}
WORD = {"method": "textual_inversion", "steps": 3, "learning_rate": 0.5, "vectors": 3}
CUSTOM = {"method": "custom_diffusion", "steps": 3, "learning_rate": 5e-2, "prior_weight": 0.0, "augmentation": False}
CASES = {
    "diffusers": ("diffusers", [LORA]), "rank-stabilized": ("diffusers", [{**LORA, "rank_stabilized": True}]), "DoRA": ("diffusers", [{**LORA, "dora": True}]),
    "text encoders": ("diffusers", [{**LORA, "train_text_encoder": True}]), "convolutions": ("diffusers", [{**LORA, "targets": "everything"}]),
    "kohya": ("kohya", [LORA]), "kohya, text encoders": ("kohya", [{**LORA, "train_text_encoder": True, "rank_stabilized": True}]),
    "kohya, convolutions": ("kohya", [{**LORA, "targets": "everything"}]), "peft": ("peft", [{**LORA, "train_text_encoder": True}]),
    "word": ("diffusers", [WORD]), "word for A1111": ("a1111", [WORD]), "word and LoRA": ("diffusers", [WORD, LORA]),
    "adjective and LoRA": ("kohya", [{**WORD, "adjective": True}, LORA]),
    "text encoders' feedforward": ("kohya", [{**LORA, "train_text_encoder": True, "text_targets": "attention+feedforward"}]),
    "custom diffusion": ("custom-diffusion", [CUSTOM]), "all of custom diffusion": ("custom-diffusion", [{**CUSTOM, "trained": "all"}]),
}  # fmt: skip


@pytest.fixture
def trained(tiny_folders, photo_folder, tmp_path):
    def run(*stages: dict, family: str = "epsilon") -> RunFolder:
        subject = {"photos": photo_folder, "class_noun": "dog"}
        recipe = recipe_from_dict({"base": str(tiny_folders[family]), "subject": subject, "stages": list(stages)}, stage_types())
        return fit(recipe, tmp_path / "runs", Silent(), name="here")

    return run


def drawn(run: RunFolder) -> torch.Tensor:
    base = Base.open(str(run.recipe(stage_types()).base))
    prompt = f"a photo of a {put_on(base, run.latest()).called}"  # type: ignore[arg-type]
    latents = initial_latents(base, [7])
    with torch.no_grad():
        for step in walk(base, latents, base.condition([prompt]), base.condition([""]), 3, 5.0):
            latents = step.latents
    return latents


def taken(path: Path, run: RunFolder, tmp_path: Path, **options) -> RunFolder:
    return import_files(path, tmp_path / "imported", Silent(), str(run.recipe(stage_types()).base), **{"class_noun": "dog", **options})


@pytest.mark.parametrize("family", ["epsilon", "sdxl"])
@pytest.mark.parametrize("case", CASES)
def test_our_own_exports_come_back(case, family, trained, tmp_path):
    tool, stages = CASES[case]
    run = trained(*stages, family=family)
    folder = export(run, tool, Silent())[0].parent
    options = {"identifier": "sks"} if family == "sdxl" and tool == "diffusers" and "word" in case else {}  # clip_l and clip_g do not say the word
    again = taken(folder, run, tmp_path, **options)
    torch.testing.assert_close(drawn(again), drawn(run), atol=1e-5, rtol=1e-5)
    assert again.record().lineage == {"imported": tool} and again.record().status == "finished"


@pytest.mark.parametrize("key", ["emb_params", "clip_l"])
def test_a_file_whose_key_is_no_word_is_called_by_its_name_in_lower_case(key, trained, tmp_path):
    run = trained(WORD)
    (path,) = export(run, "a1111", Silent())
    named = path.rename(path.with_name("Biscuit.safetensors"))
    save_file({key: load_file(named)["<sks>"]}, named)
    again = taken(named, run, tmp_path)
    assert again.recipe(stage_types()).stages[0].word == "<biscuit>"  # type: ignore[attr-defined]
    torch.testing.assert_close(drawn(again), drawn(run), atol=1e-5, rtol=1e-5)


def test_two_files_of_one_word_are_refused(trained, tmp_path):
    run = trained(WORD)
    (path,) = export(run, "a1111", Silent())
    (path.parent / "README.md").unlink()
    save_file({"emb_params": load_file(path)["<sks>"]}, path.with_name("Sks.safetensors"))
    with pytest.raises(UserError, match="two files hold the word <sks>"):
        taken(path.parent, run, tmp_path)


def test_layers_of_several_ranks_and_alphas(trained, tmp_path):
    """As kohya's scripts allow: each adds alpha/rank times its own product, and a layer that is missing adds nothing."""
    run = trained(LORA)
    (path,) = export(run, "kohya", Silent())
    tensors = load_file(path)
    layers = sorted({name.partition(".")[0] for name in tensors})
    small, gone = layers[0], layers[1]
    tensors[f"{small}.lora_down.weight"] = tensors[f"{small}.lora_down.weight"][:2].contiguous()
    tensors[f"{small}.lora_up.weight"] = tensors[f"{small}.lora_up.weight"][:, :2].contiguous()
    tensors[f"{small}.alpha"] = torch.tensor(3.0)
    save_file({name: value for name, value in tensors.items() if not name.startswith(gone)}, path)
    base = Base.open(str(run.recipe(stage_types()).base))
    before = {name: value.clone() for name, value in base.unet.state_dict().items()}
    put_on(base, taken(path, run, tmp_path).latest())  # type: ignore[arg-type]
    changes = {f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}": base.unet.state_dict()[name] - before[name] for name in before}
    torch.testing.assert_close(changes[small], 1.5 * tensors[f"{small}.lora_up.weight"] @ tensors[f"{small}.lora_down.weight"], atol=1e-6, rtol=1e-4)
    other = layers[2]
    torch.testing.assert_close(changes[other], 2.0 * tensors[f"{other}.lora_up.weight"] @ tensors[f"{other}.lora_down.weight"], atol=1e-6, rtol=1e-4)
    assert not changes[gone].any()


INNER = {"conv1": "in_layers_2", "conv2": "out_layers_3", "time_emb_proj": "emb_layers_1", "conv_shortcut": "skip_connection"}


@pytest.mark.parametrize("targets", ["attention", "everything"])
def test_sdxls_first_names(targets, trained, tmp_path):
    """kohya's scripts name SDXL's blocks as its first publication did."""
    run = trained({**LORA, "targets": targets}, family="sdxl")
    (path,) = export(run, "kohya", Silent())
    per_block = Base.open(str(run.recipe(stage_types()).base)).unet.config.layers_per_block + 1
    renamed = {}
    for name, value in load_file(path).items():
        place, block, layer, rest = re.fullmatch(r"lora_unet_(down|mid|up)_blocks?_?(\d?)_((?:attentions|resnets|downsamplers|upsamplers)_\d)_(.+)", name).groups()  # type: ignore[union-attr]
        kind, _, number = layer.partition("_")
        for ours, theirs in INNER.items():
            rest = rest.replace(ours, theirs) if kind == "resnets" else rest
        if place == "mid":
            renamed[f"lora_unet_middle_block_{1 if kind == 'attentions' else 2 * int(number)}_{rest}"] = value
            continue
        if kind == "downsamplers":
            renamed[f"lora_unet_input_blocks_{(int(block) + 1) * per_block}_0_{rest.replace('conv', 'op')}"] = value
            continue
        inner = {"resnets": 0, "attentions": 1, "upsamplers": 2}[kind]
        first = int(block) * per_block + (per_block - 1 if kind == "upsamplers" else int(number)) + (1 if place == "down" else 0)
        renamed[f"lora_unet_{'input' if place == 'down' else 'output'}_blocks_{first}_{inner}_{rest}"] = value
    save_file(renamed, path)
    torch.testing.assert_close(drawn(taken(path, run, tmp_path)), drawn(run), atol=1e-5, rtol=1e-5)


def test_names_of_2023_and_of_linear_layers_as_convolutions(trained, tmp_path):
    """diffusers' scripts once wrote a processor's names; some tools write [rank, in, 1, 1]. PEFT's adapters of then say text_model."""
    run = trained({**LORA, "alpha": 4.0, "train_text_encoder": True})
    (path,) = export(run, "diffusers", Silent())
    old = {}
    for name, value in load_file(path).items():
        part = "down" if ".lora_A" in name else "up"
        layer = name.partition(".lora_")[0]
        if name.startswith("unet"):
            place, _, linear = layer.rpartition(".attn")
            number, _, projection = linear.partition(".")
            old[f"{place}.attn{number}.processor.{projection.replace('to_out.0', 'to_out')}_lora.{part}.weight"] = value[..., None, None]
        else:
            old[f"{layer}.lora_linear_layer.{part}.weight"] = value
    assert any("processor.to_out_lora.up" in name for name in old)
    save_file({name: value.contiguous() for name, value in old.items()}, tmp_path / "old.safetensors")
    torch.testing.assert_close(drawn(taken(tmp_path / "old.safetensors", run, tmp_path)), drawn(run), atol=1e-5, rtol=1e-5)
    folder = export(run, "peft", Silent())[0].parent
    text = folder / "text_encoder" / "adapter_model.safetensors"
    save_file({name.replace("base_model.model.encoder", "base_model.model.text_model.encoder"): value for name, value in load_file(text).items()}, text)
    torch.testing.assert_close(drawn(taken(folder, run, tmp_path)), drawn(run), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("network", ["unet.", "", "unet.base_model.model."])
@pytest.mark.parametrize("of_2023", [True, False])
def test_a_u_net_alone_under_names_of_before(network, of_2023, trained, tmp_path):
    """`save_attn_procs` named no network; the script of LCM-LoRA wrote PEFT's wrapping."""
    run = trained(LORA)
    (path,) = export(run, "diffusers", Silent())
    old = {}
    for name, value in load_file(path).items():
        if of_2023:
            layer, part = name.partition(".lora_")[0], "down" if ".lora_A" in name else "up"
            place, _, projection = layer.rpartition(".to_")
            name = f"{place}.processor.to_{projection.removesuffix('.0')}_lora.{part}.weight"
        old[name.replace("unet.", network, 1)] = value * (2 if ".lora_B" in name or ".up." in name else 1)  # alpha 8 of rank 4, of which these files say nothing
    save_file(old, tmp_path / "old.safetensors")
    torch.testing.assert_close(drawn(taken(tmp_path / "old.safetensors", run, tmp_path)), drawn(run), atol=1e-5, rtol=1e-5)


def test_an_alpha_of_0_is_the_rank(trained, tmp_path):
    """As kohya's scripts take it."""
    run = trained({**LORA, "alpha": 4.0})
    (path,) = export(run, "kohya", Silent())
    save_file({name: torch.tensor(0.0) if name.endswith("alpha") else value for name, value in load_file(path).items()}, path)
    torch.testing.assert_close(drawn(taken(path, run, tmp_path)), drawn(run), atol=1e-5, rtol=1e-5)


def test_two_loras_are_not_mixed(trained, tmp_path):
    run = trained(LORA)
    (path,) = export(run, "kohya", Silent())
    (path.parent / "other.safetensors").write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="holds two LoRAs"):
        taken(path.parent, run, tmp_path)


def test_a_word_is_called_as_asked(trained, tmp_path):
    run = trained(WORD)
    (path,) = export(run, "diffusers", Silent())
    again = taken(path, run, tmp_path, identifier="rex")
    assert read_card(again.latest())["subject"]["called"] == "<rex>"  # type: ignore[arg-type]


def test_the_trigger_phrase_names_the_subject(trained, tmp_path):
    run = trained(LORA)
    (path,) = export(run, "kohya", Silent())
    subject = taken(path, run, tmp_path, class_noun=None).recipe(stage_types()).subject
    assert (subject.identifier, subject.class_noun) == ("sks", "dog")


def test_an_imported_run_is_a_run(trained, photo_folder, tmp_path):
    run = trained(LORA)
    (path,) = export(run, "diffusers", Silent())
    again = taken(path, run, tmp_path, photos=photo_folder)
    assert len(again.photos()) == 4
    assert len(generate(again, ["a {} on the beach"], [0], Silent(), steps=2, others=[(trained(LORA), 0.5)])) == 2
    assert export(again, "kohya", Silent())[0].is_file()
    with pytest.raises(UserError, match="was imported from"):
        branch(again, {"steps": 9}, Silent())
    bare = taken(path, run, tmp_path)
    generate(bare, ["a {}"], [0], Silent(), steps=2, beside_base=False)
    with pytest.raises(UserError, match="--photos"):
        evaluate(bare, Silent())


def test_a_word_and_a_lora_are_imported_as_one_model(trained, tmp_path):
    """And not as two checkpoints, whose pictures would stand together in one row of scores."""
    run = trained(WORD, LORA)
    files = export(run, "diffusers", Silent())
    assert len(files) == 2
    again = taken(files[0].parent, run, tmp_path)
    assert len(again.checkpoints()) == 1 and len(read_card(again.checkpoints()[0])["stages"]) == 2


def test_this_folder_has_a_name_too(trained, tmp_path, monkeypatch):
    run = trained(LORA)
    (path,) = export(run, "diffusers", Silent())
    monkeypatch.chdir(path.parent)
    again = taken(Path("."), run, tmp_path)
    assert again.record().lineage == {"imported": path.parent.name} and again.name.startswith(path.parent.name)
    with pytest.raises(UserError, match="was imported from"):
        resume(again, Silent())


def test_what_cannot_be_read_is_one_line(trained, tiny_folders, tmp_path):
    run = trained(LORA)
    (path,) = export(run, "diffusers", Silent())
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({}))
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    save_file({"model.weight": torch.zeros(2, 2, 2)}, tmp_path / "other.safetensors")
    save_file({"lora_unet_nowhere.lora_down.weight": torch.zeros(2, 2), "lora_unet_nowhere.lora_up.weight": torch.zeros(2, 2)}, tmp_path / "foreign.safetensors")
    wide = {"<sks>": torch.zeros(1, 999)}
    save_file(wide, tmp_path / "wide.safetensors")
    for source, says in (
        (tmp_path / "evil.pt", "is a pickle"), (tmp_path / "empty", "no .safetensors file"), (tmp_path / "nowhere", "no such file"),
        (tmp_path / "junk.safetensors", "cannot be read"), (tmp_path / "other.safetensors", "holds neither"), (tmp_path / "foreign.safetensors", "is no layer of"),
        (tmp_path / "wide.safetensors", "999 wide"), (tiny_folders["epsilon"], "give it as --base"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            taken(source, run, tmp_path)
    with pytest.raises(UserError, match="--class-noun"):
        taken(path, run, tmp_path, class_noun=None)
    with pytest.raises(UserError, match=r"another (kind of )?base|no layer of the base|of another size"):
        import_files(path, tmp_path / "imported", Silent(), str(tiny_folders["sdxl"]), "dog")
    custom = export(trained(CUSTOM), "custom-diffusion", Silent())[0].parent
    with pytest.raises(UserError, match="--base"):
        import_files(custom, tmp_path / "imported", Silent(), str(tiny_folders["sdxl"]), "dog")
    assert not list((tmp_path / "imported").glob("*"))


def test_alphas_of_single_layers_in_a_header_are_refused(trained):
    """Rather than drawn with another strength."""
    run = trained(LORA)
    (path,) = export(run, "diffusers", Silent())
    told = {"unet.lora_alpha": 8, "unet.alpha_pattern": {"down_blocks.0": 2}}
    save_file(load_file(path), path, {"format": "pt", "lora_adapter_metadata": json.dumps(told)})
    with pytest.raises(UserError, match="alpha_pattern"):
        reading.read_lora([reading.read_file(path)], Base.open(str(run.recipe(stage_types()).base)))


@pytest.mark.parametrize("family", ["epsilon", "sdxl"])
@pytest.mark.parametrize("stages", [[WORD], [WORD, LORA]])
def test_a_word_keeps_its_name(stages, family, trained, tmp_path):
    run = trained(*stages, family=family)
    export(run, "diffusers", Silent())
    back = taken(run.path / "output" / "diffusers", run, tmp_path)
    assert read_card(back.latest())["subject"]["called"] == read_card(run.latest())["subject"]["called"]  # type: ignore[arg-type]


def test_an_exported_pipeline_is_said_to_be_a_base(trained, tmp_path):
    run = trained({"method": "dreambooth", "steps": 1, "prior_weight": 0.0})
    export(run, "diffusers", Silent())
    with pytest.raises(UserError, match="its pipeline is whole. It needs no import: give .*pipeline as --base"):
        taken(run.path / "output" / "diffusers", run, tmp_path)
