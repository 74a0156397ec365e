"""T23-T25: nothing of a model folder is executed, and what cannot be read is said in one line."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
from pathlib import Path

import pytest
from huggingface_hub.utils import filter_repo_objects

from likeness.files.errors import UserError
from likeness.model.base import Base
from likeness.model.folder import _fetched, find_base, fingerprint, variant_of, weight_files

WEIGHTS = "diffusion_pytorch_model.safetensors"


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


@pytest.fixture
def folder(tiny_folder, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "base"))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        Base.open(str(folder))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def index(folder: Path, **changes) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".ckpt", ".safetensors"])
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_pickle_is_refused_and_not_run(part, suffix, folder, tmp_path):
    """T23."""
    marker = tmp_path / "run"
    (weights,) = (folder / part).glob("*.safetensors")
    weights.unlink()
    weights.with_suffix(suffix).write_bytes(pickle.dumps(Payload(marker)))
    assert "safetensors" in refusal(folder) or "cannot be read" in refusal(folder)
    assert not marker.exists()
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists(), "or the test says nothing"


def test_a_pickle_beside_other_safetensors_is_not_run(folder, tmp_path):
    """T23: a name that the loader does not look for must not let it fall back."""
    (folder / "unet" / WEIGHTS).rename(folder / "unet" / "other.safetensors")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(Payload(tmp_path / "run")))
    assert "cannot be read" in refusal(folder)
    assert not (tmp_path / "run").exists()


BROKEN = {
    "empty": lambda whole: b"",
    "junk": lambda whole: b"\x93NUMPY" * 1000,
    "huge header": lambda whole: struct.pack("<Q", 2**60) + whole[8:],
    "truncated": lambda whole: whole[: len(whole) // 2],
    "header cut": lambda whole: whole[:20],
    "overlapping": lambda whole: whole.replace(b'"data_offsets":[', b'"data_offsets":[9', 1),
}


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
@pytest.mark.parametrize("how", BROKEN)
def test_broken_safetensors_are_one_line(part, how, folder):
    """T24."""
    (weights,) = (folder / part).glob("*.safetensors")
    weights.write_bytes(BROKEN[how](weights.read_bytes()))
    assert refusal(folder).startswith(f"{folder}: its files cannot be read")


def test_a_folder_with_code_is_refused(folder):
    """T25."""
    (folder / "unet" / "pipeline.py").write_text("raise SystemExit")
    assert "carries code (pipeline.py)" in refusal(folder)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
@pytest.mark.parametrize("entry", [["diffusers", "Evil"], ["evil", "UNet2DConditionModel"], ["diffusers"], [3, {}], "diffusers", None])
def test_an_unknown_class_is_refused(part, entry, folder):
    """T25."""
    index(folder, **{part: entry})
    assert str(folder) in refusal(folder)


@pytest.mark.parametrize("changes", [{"_class_name": ["pipeline", "Evil"]}, {"text_encoder_3": ["transformers", "T5EncoderModel"]}])
def test_a_custom_pipeline_and_other_families_are_refused(changes, folder):
    """T25: diffusers runs `pipeline.py` where `_class_name` is a pair."""
    index(folder, **changes)
    assert f"has a {next(iter(changes))}" in refusal(folder)


@pytest.mark.parametrize("content", ["", "[]", "null", "{", "\udcff"])
def test_a_broken_index_is_one_line(content, folder):
    (folder / "model_index.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert str(folder) in refusal(folder)


def test_a_safety_checker_may_stand_there(folder):
    index(folder, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"], feature_extractor=[None, None])
    assert Base.open(str(folder)).prediction_type == "epsilon"


@pytest.mark.parametrize("family", ["epsilon", "sdxl"])
def test_a_tokenizer_without_a_vocabulary_is_refused(family, tiny_folders, tmp_path):
    """transformers opens one of two words there, to which all prompts are the same."""
    copy = Path(shutil.copytree(tiny_folders[family], tmp_path / "base"))
    part = copy / ("tokenizer_2" if family == "sdxl" else "tokenizer")
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (part / name).unlink(missing_ok=True)
    assert f"{part.name}: holds no vocabulary" in refusal(copy)


def as_variant(folder: Path, name: str, keep: bool = False) -> None:
    """Every weight file under a variant's name, in a base that has it alone or beside the plain one."""
    for path in folder.rglob("*.safetensors"):
        (shutil.copy if keep else shutil.move)(path, path.with_name(f"{path.stem}.{name}.safetensors"))


@pytest.mark.parametrize("family", ["epsilon", "sdxl"])
@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_a_base_of_one_variant_is_opened_from_it(name, family, tiny_folders, tmp_path):
    plain = Base.open(str(tiny_folders[family]))
    folder = Path(shutil.copytree(tiny_folders[family], tmp_path / "base"))
    as_variant(folder, name)
    opened = Base.open(str(folder))
    assert all((one == other).all() for one, other in zip(plain.unet.parameters(), opened.unet.parameters(), strict=True))
    assert weight_files(folder, "unet") and next(opened.unet.parameters()).dtype == next(plain.unet.parameters()).dtype


@pytest.mark.parametrize("name", ["fp16", "bf16", "non_ema", "fp16-00001-of-00002"])
def test_a_variant_beside_the_weights_changes_nothing(name, folder):
    hash, files = fingerprint(folder), weight_files(folder, "unet")
    as_variant(folder, name, keep=True)
    assert fingerprint(folder) == hash and weight_files(folder, "unet") == files == [folder / "unet" / WEIGHTS]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that holds one pipeline, given to the fixture's function; fetches what the hub's own filter would. Returns what was fetched."""

    def holding(remote: Path) -> list[str]:
        fetched: list[str] = []

        def snapshot_download(hub_id: str, **patterns) -> str:
            names = [path.relative_to(remote).as_posix() for path in remote.rglob("*") if path.is_file()]
            for name in filter_repo_objects(names, **patterns):
                target = tmp_path / "cached" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(remote / name, target)
                fetched.append(name)
            return str(tmp_path / "cached")

        monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
        _fetched.cache_clear()
        return fetched

    return holding


@pytest.mark.parametrize("family", ["epsilon", "sdxl"])
@pytest.mark.parametrize("shard", ["fp16", "fp16-00001-of-00001"])
def test_of_the_hub_half_precision_is_fetched_where_there_is_nothing_else(shard, family, tiny_folders, tmp_path, hub):
    remote = Path(shutil.copytree(tiny_folders[family], tmp_path / "remote"))
    (remote / "unet" / "diffusion_pytorch_model.non_ema.safetensors").write_bytes(b"")
    (remote / f"{family}.safetensors").write_bytes(b"the same again, in one file")
    as_variant(remote, shard, keep=True)
    plain = {path.relative_to(remote).as_posix() for path in remote.glob("*/*.safetensors") if path.name.count(".") == 1}
    fetched = hub(remote)
    assert find_base("owner/model").name == "cached"
    assert {name for name in fetched if name.endswith(".safetensors")} == plain
    before = len(fetched)
    assert find_base("owner/model").name == "cached" and len(fetched) == before, "the hub is asked once"
    (remote / "unet" / WEIGHTS).unlink()
    shutil.rmtree(tmp_path / "cached")
    fetched = hub(remote)
    assert weight_files(find_base("owner/model"), "unet") == [tmp_path / "cached" / "unet" / f"diffusion_pytorch_model.{shard}.safetensors"]
    assert {name for name in fetched if name.endswith(".safetensors")} == plain - {f"unet/{WEIGHTS}"} | {f"unet/diffusion_pytorch_model.{shard}.safetensors"}


def test_of_a_family_that_is_refused_no_weights_are_fetched(tiny_folders, tmp_path, hub):
    remote = Path(shutil.copytree(tiny_folders["epsilon"], tmp_path / "remote"))
    index(remote, transformer=["diffusers", "FluxTransformer2DModel"])
    fetched = hub(remote)
    with pytest.raises(UserError, match="has a transformer, which likeness does not open"):
        find_base("owner/model")
    assert "model_index.json" in fetched and not [name for name in fetched if name.endswith(".safetensors")]


def test_what_of_the_hub_is_no_pipeline_is_refused(tmp_path, hub):
    (tmp_path / "remote").mkdir()
    (tmp_path / "cached").mkdir()
    hub(tmp_path / "remote")
    with pytest.raises(UserError, match="model_index.json"):
        find_base("owner/model")


def test_shards_are_no_variant(folder):
    for n in (1, 2):
        (folder / "unet" / f"diffusion_pytorch_model-0000{n}-of-00002.safetensors").write_bytes(b"")
    (folder / "unet" / WEIGHTS).unlink()
    assert len(weight_files(folder, "unet")) == 2 and variant_of(folder / "unet") is None


@pytest.mark.parametrize("channels", [8, 9])
def test_a_base_for_inpainting_or_instructions_is_refused(channels, folder):
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "in_channels": channels}))
    assert f"takes {channels} channels, and the VAE's latents have 4" in refusal(folder)
