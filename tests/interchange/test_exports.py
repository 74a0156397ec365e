"""What plain diffusers draws from an exported file is what we draw; where it reads no such file, its names and effective weights are right.

T33, T34. Latents are compared after three guided steps, in float32: 1e-5 is a few roundings of numbers around one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.files.run_folder import RunFolder
from likeness.interchange.diffusers import pipeline_folder, word_file
from likeness.interchange.writing import write_tensors
from likeness.model.base import Base
from likeness.model.trajectory import initial_latents, walk
from likeness.workflow.branching import stand
from likeness.workflow.exporting import _about, export
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.progress import Silent
from likeness.workflow.stack import put_on, read_card, stage_types

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
LORA = {"method": "lora", "steps": 3, "learning_rate": 1e-2, "rank": 4, "alpha": 8.0}
WORD = {"method": "textual_inversion", "steps": 3, "learning_rate": 0.5, "vectors": 3}
CUSTOM = {"method": "custom_diffusion", "steps": 3, "learning_rate": 5e-2, "prior_weight": 0.0, "augmentation": False}
DREAMBOOTH = {"method": "dreambooth", "steps": 3, "learning_rate": 1e-3, "prior_weight": 0.0}
FAMILIES = ["epsilon", "sdxl"]


class Said(Silent):
    def __init__(self):
        super().__init__()
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def trained(tiny_folders, photo_folder, tmp_path):
    def run(*stages: dict, family: str = "epsilon", identifier: str = "sks", resolution: int | None = None) -> RunFolder:
        subject = {"photos": photo_folder, "class_noun": "dog", "identifier": identifier}
        recipe = recipe_from_dict({"base": str(tiny_folders[family]), "resolution": resolution, "subject": subject, "stages": list(stages)}, stage_types())
        return fit(recipe, tmp_path / "runs", Silent(), name=stages[-1]["method"])

    return run


def ours(run: RunFolder, template: str = "a photo of a {}") -> tuple[torch.Tensor, Base, str]:
    base = Base.open(str(run.recipe(stage_types()).base))
    called = put_on(base, run.latest()).called  # type: ignore[arg-type]
    prompt = template.replace("{}", called)
    latents = initial_latents(base, [7])
    with torch.no_grad():
        for step in walk(base, latents, base.condition([prompt]), base.condition([""]), 3, 5.0):
            latents = step.latents
    return latents, base, prompt


def pipeline(folder: Path) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
    kind = StableDiffusionXLPipeline if (folder / "text_encoder_2").exists() else StableDiffusionPipeline
    opened = kind.from_pretrained(folder, safety_checker=None) if kind is StableDiffusionPipeline else kind.from_pretrained(folder, add_watermarker=False)
    opened.set_progress_bar_config(disable=True)
    return opened


def theirs(opened, base: Base, prompt: str) -> torch.Tensor:
    opened.scheduler = base.sampler()
    return opened(prompt, latents=initial_latents(base, [7]), num_inference_steps=3, guidance_scale=5.0, output_type="latent").images


def check(run: RunFolder, opened) -> None:
    latents, base, prompt = ours(run)
    torch.testing.assert_close(theirs(opened, base, prompt), latents, **CLOSE)


LORAS = [{}, {"alpha": 1.0}, {"rank_stabilized": True}, {"dora": True}, {"targets": "everything"}, {"train_text_encoder": True}]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", LORAS)
def test_diffusers_draws_our_lora(options, family, trained):
    run = trained({**LORA, **options}, family=family)
    base = Path(run.recipe(stage_types()).base)
    untouched = theirs(pipeline(base), Base.open(str(base)), "a photo of a sks dog")
    (path,) = export(run, "diffusers", Silent())
    opened = pipeline(base)
    opened.load_lora_weights(path.parent, weight_name=path.name)
    check(run, opened)
    assert not torch.allclose(ours(run)[0], untouched, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("options", [o for o in LORAS if "dora" not in o])
def test_diffusers_draws_our_lora_from_kohyas_layout(options, family, trained):
    run = trained({**LORA, **options}, family=family)
    (path,) = export(run, "comfyui", Silent())
    opened = pipeline(Path(run.recipe(stage_types()).base))
    opened.load_lora_weights(path.parent, weight_name=path.name)
    check(run, opened)


def golden(family: str) -> re.Pattern:
    text = "lora_te_text_model" if family == "epsilon" else "lora_te[12]_text_model"
    unet = r"lora_unet_(down_blocks|up_blocks|mid_block)_(\d_)?attentions_\d_transformer_blocks_\d_attn[12]_to_(q|k|v|out_0)"
    return re.compile(rf"({unet}|{text}_encoder_layers_\d+_self_attn_(q|k|v|out)_proj)\.(lora_down\.weight|lora_up\.weight|alpha)")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_key_is_one_that_comfyui_knows(family, trained):
    """Unknown ones give it a line in a log that nobody reads (ComfyUI#1144)."""
    run = trained({**LORA, "train_text_encoder": True}, family=family)
    (path,) = export(run, "kohya", Silent())
    tensors = load_file(path)
    assert [key for key in tensors if not golden(family).fullmatch(key)] == []
    layers = {key.partition(".")[0] for key in tensors}
    assert len(tensors) == 3 * len(layers) and {float(tensors[f"{layer}.alpha"]) for layer in layers} == {8.0}
    with safe_open(path, "pt") as file:
        header = file.metadata()
    assert header["ss_network_dim"] == "4" and header["ss_network_alpha"] == "8.0" and header["modelspec.trigger_phrase"] == "sks dog"
    assert not any("/" in value for key, value in header.items() if key != "modelspec.architecture")


def test_peft_opens_our_adapter(trained):
    from peft import PeftModel

    run = trained({**LORA, "dora": True})
    (folder,) = export(run, "peft", Silent())
    base = Base.open(str(run.recipe(stage_types()).base))
    whole = ours(run)[1]
    seen = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    told = base.condition(["a photo of a sks dog"] * 2)
    with torch.no_grad():
        wanted = whole.predict(seen, torch.tensor([10, 500]), told)
        base.unet = PeftModel.from_pretrained(base.unet, folder)
        torch.testing.assert_close(base.predict(seen, torch.tensor([10, 500]), told), wanted, **CLOSE)


def test_diffusers_reads_our_word(trained):
    run = trained(WORD)
    (path,) = export(run, "diffusers", Silent())
    assert list(load_file(path)) == ["<sks>"] and load_file(path)["<sks>"].shape == (3, 16)
    opened = pipeline(Path(run.recipe(stage_types()).base))
    opened.load_textual_inversion(path)
    check(run, opened)


def test_a_word_of_two_text_encoders(trained):
    run = trained(WORD, family="sdxl")
    (path,) = export(run, "diffusers", Silent())
    tensors = load_file(path)
    assert {key: tuple(value.shape) for key, value in tensors.items()} == {"clip_l": (3, 16), "clip_g": (3, 24)}
    opened = pipeline(Path(run.recipe(stage_types()).base))
    for key, encoder, tokenizer in (("clip_l", opened.text_encoder, opened.tokenizer), ("clip_g", opened.text_encoder_2, opened.tokenizer_2)):
        opened.load_textual_inversion(tensors[key], token="<sks>", text_encoder=encoder, tokenizer=tokenizer)
    opened.text_encoder_2.text_model.eos_token_id = opened.tokenizer_2.eos_token_id  # the pooled vector's trap, which every tool must avoid
    check(run, opened)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stages", [[WORD], [{**WORD, "adjective": True}, DREAMBOOTH], [CUSTOM]])
def test_capitals_of_an_identifier_reach_diffusers(stages, family, trained):
    """Its tokenizers put prompts and added words into lower case, and a word with a capital was then its first vector alone."""
    run = trained(*stages, family=family, identifier="Biscuit")
    path, *_ = export(run, "diffusers", Silent())
    if path.is_dir():
        return check(run, pipeline(path))
    opened = pipeline(Path(run.recipe(stage_types()).base))
    if family == "epsilon":
        opened.load_textual_inversion(path)
        check(run, opened)
    assert "`<biscuit>`" in (path.parent / "README.md").read_text()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_word_with_capitals_of_a_run_of_before_reaches_diffusers(family, tiny_folders, tmp_path):
    base = Base.open(str(tiny_folders[family]))
    generator = torch.Generator().manual_seed(0)
    rows = [rows.data.add_(torch.randn(rows.shape, generator=generator)) for rows in base.add_word("<Biscuit>", "dog", 3).values()]
    told = base.condition(["a photo of a <Biscuit>"]).states
    if family == "epsilon":
        opened = pipeline(tiny_folders[family])
        opened.load_textual_inversion(word_file(rows, "<Biscuit>", tmp_path / "word.safetensors"))
        torch.testing.assert_close(opened.encode_prompt("a photo of a <biscuit>", "cpu", 1, False)[0], told, **CLOSE)
    opened = pipeline(pipeline_folder(base, tmp_path / "pipeline"))
    torch.testing.assert_close(opened.encode_prompt("a photo of a <Biscuit>", device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)[0], told, **CLOSE)


@pytest.mark.parametrize("tool", ["diffusers", "kohya"])
@pytest.mark.parametrize("stages", [[WORD], [WORD, LORA]])
def test_what_the_card_says_of_loading_a_word_of_two_text_encoders_does_it(stages, tool, trained, monkeypatch):
    run = trained(*stages, family="sdxl", identifier="my-dog")
    *others, path = export(run, tool, Silent())
    (code,) = re.findall(r"```python\n(.+?)```", (path.parent / "README.md").read_text(), re.DOTALL)
    opened = pipeline(Path(run.recipe(stage_types()).base))
    monkeypatch.chdir(path.parent)
    exec(code, {"pipe": opened})
    for lora in others:
        opened.load_lora_weights(lora.parent, weight_name=lora.name)
    check(run, opened)


def test_the_card_says_what_diffusers_does_not_read(trained):
    run = trained(CUSTOM)
    path, _ = export(run, "custom-diffusion", Silent())
    assert "draws without it (huggingface/diffusers#9320)" in (path.parent / "README.md").read_text()
    (folder,) = export(run, "diffusers", Silent())
    assert "9320" not in (folder.parent / "README.md").read_text()


@pytest.mark.parametrize(
    ("stages", "prompt"),
    [([CUSTOM], "photo of a <sks> dog"), ([{**LORA, "prompt": "a sketch of one {}"}], "a sketch of one sks dog"), ([{**WORD, "templates": "style"}], "a clean painting in the style of <sks>")],
)
def test_the_cards_prompt_is_what_was_trained(stages, prompt, trained):
    path, *_ = export(trained(*stages), "diffusers", Silent())
    assert f"instance_prompt: {prompt}\n" in (path.parent / "README.md").read_text()


def test_a1111_finds_the_word_by_the_files_name(trained):
    run = trained(WORD, identifier="my-dog")
    (path,) = export(run, "a1111", Silent())
    assert path.name == "my-dog.safetensors" and list(load_file(path)) == ["<my-dog>"]


STACKS = {
    "dreambooth": [DREAMBOOTH], "custom": [CUSTOM], "two stages": [{**WORD, "adjective": True}, DREAMBOOTH],
    "lora on lora": [LORA, {**LORA, "targets": "everything"}], "custom on dreambooth": [DREAMBOOTH, CUSTOM],
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stack", STACKS)
def test_diffusers_draws_our_pipeline(stack, family, trained):
    run = trained(*STACKS[stack], family=family)
    (folder,) = export(run, "diffusers", Silent())
    check(run, pipeline(folder))


def test_a_word_and_a_lora_are_two_files(trained):
    run = trained(WORD, {**LORA, "alpha": 2.0})
    lora, word = export(run, "diffusers", Silent())
    opened = pipeline(Path(run.recipe(stage_types()).base))
    opened.load_textual_inversion(word)
    opened.load_lora_weights(lora.parent, weight_name=lora.name)
    check(run, opened)


@pytest.mark.parametrize("trained_part", ["kv", "all"])
def test_custom_diffusion_in_diffusers_layout(trained_part, trained):
    """Names as its training script writes them; folded into the attention they give our prediction."""
    run = trained({**CUSTOM, "trained": trained_part})
    path, word = export(run, "custom-diffusion", Silent())
    tensors = load_file(path)
    pattern = r".+\.transformer_blocks\.\d\.attn2\.processor\.(to_k|to_v|to_q|to_out)_custom_diffusion(\.0)?\.(weight|bias)"
    assert [key for key in tensors if not re.fullmatch(pattern, key)] == []
    opened = pipeline(Path(run.recipe(stage_types()).base))
    for key, value in tensors.items():
        opened.unet.get_parameter(key.replace("processor.", "").replace("_custom_diffusion", "")).data.copy_(value)
    opened.load_textual_inversion(word)
    check(run, opened)


def test_what_a_tool_cannot_hold_is_refused(trained):
    run = trained(DREAMBOOTH)
    for tool, says in (("kohya", "--to diffusers"), ("peft", "--to diffusers"), ("custom-diffusion", "--to diffusers"), ("difusers", "did you mean")):
        with pytest.raises(UserError, match=says):
            export(run, tool, Silent())


def test_numbers_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(UserError, match="not finite"):
        write_tensors(tmp_path / "a.safetensors", {"b": torch.tensor([1.0, float("nan")])})
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_with_such_numbers_is_not_written(tiny_folders, tmp_path):
    base = Base.open(str(tiny_folders["epsilon"]))
    base.unet.conv_in.weight.data[0] = float("nan")
    with pytest.raises(UserError, match="pipeline/unet: conv_in.weight holds a number that is not finite"):
        pipeline_folder(base, tmp_path / "pipeline")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pipelines_text_encoder_is_named_as_every_transformers_reads_it(family, trained):
    """Versions before 5.6 would load nothing of one without `text_model.`, and draw with random weights."""
    run = trained(DREAMBOOTH, family=family)
    (folder,) = export(run, "diffusers", Silent())
    for part in sorted(folder.glob("text_encoder*")):
        assert all(name.startswith(("text_model.", "text_projection.")) for name in load_file(part / "model.safetensors")), part


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pipelines_tokenizers_are_also_as_transformers_4_reads_them(family, trained, tmp_path):
    """It reads vocab.json, merges.txt and the added tokens of tokenizer_config.json, and never tokenizer.json. (Opened so with 4.57 by hand: the same tokens and pictures.)"""
    (folder,) = export(trained({**DREAMBOOTH}, {**WORD}, family=family) if family == "epsilon" else trained(DREAMBOOTH, family=family), "diffusers", Silent())
    opened = pipeline(folder)
    for part in sorted(folder.glob("tokenizer*")):
        (part / "tokenizer.json").unlink()
        plain, ours = CLIPTokenizer.from_pretrained(part), getattr(opened, part.name)
        for prompt in ("a photo of a Dog on the beach!", "<sks> and <sks>_1, <sks>_2 of 3 cafés"):
            assert plain(prompt).input_ids == ours(prompt).input_ids


def test_exporting_leaves_the_bases_own_sampler_alone(tiny_folders, tmp_path):
    base = Base.open(str(tiny_folders["epsilon"]))
    before = dict(base.scheduler.config)
    pipeline_folder(base, tmp_path / "pipeline")
    assert dict(base.scheduler.config) == before


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_files_follow_the_umask(umask, trained):
    """T34."""
    run = trained(LORA)
    before = os.umask(umask)
    try:
        (path,) = export(run, "diffusers", Silent())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_the_card_has_what_the_hub_reads(trained):
    run = trained(LORA)
    generate(run, ["a {} on the beach"], [0], Silent())
    (path,) = export(run, "diffusers", Silent())
    text = (path.parent / "README.md").read_text()
    for words in ("library_name: diffusers", "pipeline_tag: text-to-image", "instance_prompt: a photo of a sks dog", "url: images/0.png", "- lora"):
        assert words in text
    assert (path.parent / "images" / "0.png").is_file() and str(Path.home()) not in text


def test_the_header_tells_alpha(trained):
    """diffusers#6087: without it alpha 8 of rank 4 would be loaded as 4."""
    run = trained(LORA)
    (path,) = export(run, "diffusers", Silent())
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["lora_adapter_metadata"])
    assert told["unet.lora_alpha"] == 8.0 and told["unet.r"] == 4


def test_the_header_names_nothing_that_an_older_peft_does_not_know(trained):
    """diffusers makes PEFT's LoraConfig of it, which refuses names that came later."""
    (path,) = export(trained(LORA), "diffusers", Silent())
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["lora_adapter_metadata"])
    assert {name.partition(".")[2] for name in told} <= {"r", "lora_alpha", "target_modules", "lora_dropout", "init_lora_weights"}


def test_a_rewarded_lora_is_exported_as_a_lora(trained):
    run = trained({"method": "ddpo", "rewards": ["compressible"], "steps": 1, "draw_steps": 2, "batch_size": 2, "gradient_accumulation": 1, "updates": 1, "prompts": ["a {} on the beach"]})
    assert [path.name for path in export(run, "diffusers", Silent())] == ["pytorch_lora_weights.safetensors"]


def test_the_card_names_the_base_as_it_was_opened(tiny_folders, photo_folder, tmp_path):
    """And no folder of the one who trained it, where the base has moved."""
    shutil.copytree(tiny_folders["epsilon"], before := tmp_path / "alice" / "models")
    recipe = recipe_from_dict({"base": str(before), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [LORA]}, stage_types())
    run = fit(recipe, tmp_path / "runs", Silent())
    before.rename(moved := tmp_path / "sd15")
    (path,) = export(run, "diffusers", Silent(), base_name=str(moved))
    assert "base_model: sd15\n" in (text := (path.parent / "README.md").read_text()) and "alice" not in text


@pytest.mark.parametrize(("prediction", "architecture"), [("epsilon", "stable-diffusion-v2-512/lora"), ("v_prediction", "stable-diffusion-v2-768-v/lora")])
def test_the_header_tells_stable_diffusion_2_and_the_size_that_was_trained(prediction, architecture, trained):
    """A1111 takes a LoRA without ss_v2 for one of Stable Diffusion 1."""
    run = trained(LORA, family=prediction, resolution=32)
    base = Base.open(str(run.recipe(stage_types()).base))
    card = read_card(run.latest())  # type: ignore[arg-type]
    first = _about(run, card, base)
    v = "_v" if prediction == "v_prediction" else ""
    assert "ss_v2" not in first and first["ss_base_model_version"] == f"sd_v1{v}" and first["modelspec.resolution"] == "32x32"
    base.unet.register_to_config(cross_attention_dim=1024)  # the width by which the second is known
    second = _about(run, card, base)
    assert second["ss_v2"] == "True" and second["ss_base_model_version"] == f"sd_v2{v}" and second["modelspec.architecture"] == architecture


def test_dora_is_not_written_in_kohyas_layout(trained):
    with pytest.raises(UserError, match="DoRA's magnitudes"):
        export(trained({**LORA, "dora": True}), "kohya", Silent())


def test_a_pipeline_replaces_the_one_before_it(tiny_folders, tmp_path):
    base = Base.open(str(tiny_folders["epsilon"]))
    folder = pipeline_folder(base, tmp_path / "pipeline")
    (folder / "of-before.txt").write_text("left over")
    assert pipeline_folder(base, tmp_path / "pipeline") == folder and (folder / "model_index.json").is_file()
    assert not (folder / "of-before.txt").exists() and [path.name for path in tmp_path.iterdir()] == ["pipeline"]


def test_the_card_says_how_each_tool_is_told_a_new_word(trained):
    """ComfyUI reads a file of a word after "embedding:" alone, and is silent about words that it does not know."""
    card = (export(run := trained(WORD, identifier="biscuit"), "comfyui", Silent())[0].parent / "README.md").read_text()
    assert "Say `<biscuit>` in a prompt; A1111 knows a new word by its file's name, `biscuit`, ComfyUI as `embedding:biscuit`." in card
    (path,) = export(run, "diffusers", Silent())
    assert "embedding:learned_embeds" in (path.parent / "README.md").read_text()
    assert "ComfyUI" not in (export(trained(LORA), "comfyui", Silent())[0].parent / "README.md").read_text()


def test_the_cards_pictures_are_the_exported_checkpoints(trained):
    """Of another checkpoint, of fewer steps or with a second LoRA they would show what the file does not do."""
    run = trained({**LORA, "steps": 4, "checkpoints": (2,)})
    for step, steps in ((2, None), (4, 2), (4, None)):
        generate(run, ["a {}"], range(2), Silent(), step=step, steps=steps, beside_base=False)
    path, *_ = export(run, "diffusers", Silent(), step=4)
    own = [picture.path.read_bytes() for picture in run.pictures() if picture.settings.checkpoint == f"{run.name}/4" and picture.settings.steps != 2]
    assert sorted(shown.read_bytes() for shown in (path.parent / "images").iterdir()) == sorted(own) and len(own) == 2


@pytest.mark.parametrize("zeros", [True, False])
def test_what_an_empty_prompt_is_to_sdxl_is_exported(zeros, tiny_folders, photo_folder, tmp_path):
    base = Path(shutil.copytree(tiny_folders["sdxl"], tmp_path / "base"))
    index = base / "model_index.json"
    index.write_text(json.dumps({**json.loads(index.read_text()), "force_zeros_for_empty_prompt": zeros}))
    recipe = recipe_from_dict({"base": str(base), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": [DREAMBOOTH]}, stage_types())
    run = fit(recipe, tmp_path / "runs", Silent())
    (folder,) = export(run, "diffusers", Silent())
    assert json.loads((folder / "model_index.json").read_text())["force_zeros_for_empty_prompt"] is zeros
    check(run, pipeline(folder))


def test_an_export_leaves_nothing_of_the_one_before_and_all_that_is_not_its_own(trained):
    run = trained(LORA)
    first, *_ = export(run, "kohya", Silent())
    mine = first.with_name("mine.safetensors")
    mine.write_bytes(first.read_bytes())
    card = first.with_name("README.md")
    card.write_text(card.read_text() + f"- `upscaler`\n- `..`\n- `../{run.path.name}`\n- `gone.safetensors`\n")
    first.with_name("upscaler").mkdir()
    renamed = RunFolder(run.path.rename(run.path.with_name("another-name")))
    second, *_ = export(renamed, "kohya", Silent())
    assert second.name == "another-name.safetensors" != first.name
    assert sorted(path.name for path in second.parent.iterdir()) == ["README.md", second.name, mine.name]


def test_what_is_exported_of_a_stopped_run_is_said(quick_recipe, paused, tmp_path):
    run, said = paused(quick_recipe(steps=20, prior_weight=0.0), tmp_path, 5), Said()
    export(run, "diffusers", said)
    assert any(f"{run.name} is paused: this is step 5." in line for line in said.lines)


def test_a_damaged_last_checkpoint_is_not_replaced_by_an_earlier_one(trained):
    run = trained({**LORA, "checkpoints": [1]})
    path = run.path / "checkpoints" / "000003" / "0-lora.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for use in (lambda: export(run, "diffusers", Silent()), lambda: generate(run, ["a {}"], [0], Silent(), steps=1), lambda: stand(run, "lcm", {"steps": 1}, Silent())):
        with pytest.raises(UserError, match="000003: 0-lora.safetensors is not what was saved.* The one of step 1 is sound"):
            use()
    export(run, "diffusers", Silent(), step=1)
