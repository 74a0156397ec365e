"""The encoders on tiny random models of the real classes, against a computation that shares no code with them."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    BitImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
    RegNetConfig,
    RegNetModel,
    ResNetConfig,
    ResNetModel,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)

from likeness.evaluation.encoders import EncoderError
from likeness.evaluation.loading import PUBLISHED_DINO_PREPROCESSING, load_clip, load_dino

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.25]
CROP = {"size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}, "image_mean": MEAN, "image_std": STD}


def some_pictures() -> list[Image.Image]:
    randomness = np.random.default_rng(0)
    return [Image.fromarray(randomness.integers(0, 256, (h, w, 3), dtype=np.uint8)) for h, w in [(16, 16), (30, 22), (24, 48)]]


def pixels_by_hand(picture: Image.Image, edge: int = 20, mean: list[float] = MEAN, std: list[float] = STD) -> torch.Tensor:
    """Shortest edge to `edge`, bicubic; the middle 16 × 16; normalised. [1, 3, 16, 16]"""
    scale = edge / min(picture.size)
    picture = picture.resize((int(picture.width * scale), int(picture.height * scale)), Image.Resampling.BICUBIC)
    left, top = (picture.width - 16) // 2, (picture.height - 16) // 2
    pixels = np.asarray(picture.crop((left, top, left + 16, top + 16)), dtype=np.float64) / 255
    return torch.tensor((pixels - mean) / std, dtype=torch.float32).permute(2, 0, 1)[None]


def unit(vectors: torch.Tensor) -> np.ndarray:
    return (vectors / vectors.norm(dim=-1, keepdim=True)).detach().numpy()


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-clip"
    words = ["<|endoftext|>", *LETTERS, *(letter + "</w>" for letter in LETTERS), "<|startoftext|>"]
    # Three traps: the end token is not the largest id, it also stands for letters unknown ("<"), and the config names another.
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=8)
    tower: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**tower, "vocab_size": len(words), "max_position_embeddings": 8, "eos_token_id": 2, "pad_token_id": 0}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config={**tower, "image_size": 16, "patch_size": 8}, projection_dim=12))
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(**CROP).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-dino"
    torch.manual_seed(1)
    shape: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    ViTModel(ViTConfig(**shape, image_size=16, patch_size=8)).save_pretrained(folder)  # with the pooler that must not be used
    ViTImageProcessorPil(size={"height": 16, "width": 16}, image_mean=MEAN, image_std=STD).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dinov2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-dinov2"
    torch.manual_seed(2)
    shape: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    Dinov2Model(Dinov2Config(**shape, image_size=16, patch_size=8)).save_pretrained(folder)
    BitImageProcessorPil(**CROP).save_pretrained(folder)
    return folder


def tiny_resnet() -> ResNetConfig:
    return ResNetConfig(embedding_size=8, hidden_sizes=[8, 24], depths=[1, 1], layer_type="basic", hidden_size=24)


def tiny_regnet() -> RegNetConfig:
    return RegNetConfig(embedding_size=8, hidden_sizes=[8, 24], depths=[1, 1], groups_width=8, layer_type="y")


@pytest.mark.parametrize(("kind", "config"), [(ResNetModel, tiny_resnet()), (RegNetModel, tiny_regnet())], ids=["ResNet", "RegNet"])
def test_convolutions_are_read_at_their_pooled_output(kind: Any, config: Any, tmp_path: Path):
    torch.manual_seed(3)
    model = kind(config).eval()
    model.save_pretrained(tmp_path / "tiny")
    BitImageProcessorPil(**CROP).save_pretrained(tmp_path / "tiny")
    dino = load_dino(tmp_path / "tiny")
    expected = [unit(model(pixel_values=pixels_by_hand(picture)).last_hidden_state.mean((2, 3))) for picture in some_pictures()]
    np.testing.assert_allclose(dino.pictures(some_pictures()), np.concatenate(expected), atol=2e-5)  # float32
    assert dino.pictures([]).shape == (0, 24)
    assert f": DINO {kind.__name__.removesuffix('Model')} 8-24, " in dino.name


def test_a_dual_encoder_of_a_resnet_and_clips_text_tower_is_a_clip(clip_folder: Path, tmp_path: Path):
    text = CLIPModel.from_pretrained(clip_folder).config.text_config
    torch.manual_seed(4)
    config = VisionTextDualEncoderConfig(vision_config=tiny_resnet().to_dict(), text_config=text.to_dict(), projection_dim=12)
    model = VisionTextDualEncoderModel(config).eval()
    CLIPTokenizer.from_pretrained(clip_folder).save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    CLIPImageProcessorPil(**CROP).save_pretrained(tmp_path)
    clip = load_clip(tmp_path)
    pooled = [model.vision_model(pixel_values=pixels_by_hand(p)).last_hidden_state.mean((2, 3)) for p in some_pictures()]
    np.testing.assert_allclose(clip.pictures(some_pictures()), np.concatenate([unit(model.visual_projection(p)) for p in pooled]), atol=2e-5)
    words = CLIPTokenizer.from_pretrained(clip_folder)("a cab", return_tensors="pt").input_ids
    read = unit(model.text_projection(model.text_model(input_ids=words).last_hidden_state[:, -1]))
    np.testing.assert_allclose(clip.texts(["a cab"]), read, atol=2e-5)
    assert "CLIP ResNet 8-24" in clip.name


def test_clip_pictures_equal_the_model_called_by_hand(clip_folder: Path):
    model: Any = CLIPModel.from_pretrained(clip_folder).eval()
    expected = [unit(model.get_image_features(pixel_values=pixels_by_hand(picture)).pooler_output) for picture in some_pictures()]
    ours = load_clip(clip_folder).pictures(some_pictures())
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, np.concatenate(expected), atol=2e-5)  # float32 sums, in another order
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("texts", [["a cat"], ["a cat", "a cab", "<a> a"], ["ab", "a"]])
def test_clip_reads_a_text_at_its_end_whatever_the_config_says(clip_folder: Path, texts: list[str]):
    model = CLIPModel.from_pretrained(clip_folder).eval()
    tokenizer = CLIPTokenizer.from_pretrained(clip_folder)
    expected = []
    for text in texts:  # one at a time and unpadded: the last token is the end token
        words = tokenizer(text, return_tensors="pt", truncation=True, max_length=8).input_ids
        assert words[0, -1] == tokenizer.eos_token_id
        expected.append(unit(model.text_projection(model.text_model(input_ids=words).last_hidden_state[:, -1])))
    np.testing.assert_allclose(load_clip(clip_folder).texts(texts), np.concatenate(expected), atol=2e-5)  # float32, other batch


@pytest.mark.filterwarnings("ignore:.*does not see")
def test_clip_batches_change_nothing(clip_folder: Path, monkeypatch: pytest.MonkeyPatch):
    clip = load_clip(clip_folder)
    pictures, texts = clip.pictures(some_pictures()), clip.texts(["a", "abcdefghij", "b c"])
    monkeypatch.setattr("likeness.evaluation.encoders.BATCH", 1)
    np.testing.assert_allclose(clip.pictures(some_pictures()), pictures, atol=1e-6)
    np.testing.assert_allclose(clip.texts(["a", "abcdefghij", "b c"]), texts, atol=1e-6)
    assert clip.pictures([]).shape == clip.texts([]).shape == (0, 12)


def test_clip_names_the_words_that_it_cannot_read(clip_folder: Path):
    clip = load_clip(clip_folder)
    with pytest.warns(UserWarning, match="does not see 'g h'"):
        clip.texts(["a b c d e f g h"])


@pytest.mark.parametrize("family", ["vit", "dinov2"])
def test_dino_is_the_cls_token_after_the_last_norm(family: str, vit_folder: Path, dinov2_folder: Path):
    folder, kind = (vit_folder, ViTModel) if family == "vit" else (dinov2_folder, Dinov2Model)
    model = kind.from_pretrained(folder).eval()
    states = []
    for picture in some_pictures():
        shown = picture.resize((16, 16), Image.Resampling.BILINEAR) if family == "vit" else picture
        pixels = pixels_by_hand(shown, edge=16) if family == "vit" else pixels_by_hand(shown)
        layers = model(pixel_values=pixels, output_hidden_states=True).hidden_states
        states.append(unit(model.layernorm(layers[-1])[:, 0]))
    np.testing.assert_allclose(load_dino(folder).pictures(some_pictures()), np.concatenate(states), atol=2e-5)  # float32


def test_dino_can_be_shown_pictures_as_in_the_published_numbers(vit_folder: Path):
    small = {**PUBLISHED_DINO_PREPROCESSING, "size": {"shortest_edge": 20}, "crop_size": {"height": 16, "width": 16}}
    model = ViTModel.from_pretrained(vit_folder).eval()
    mean, std = small["image_mean"], small["image_std"]
    pixels = torch.cat([pixels_by_hand(picture, mean=mean, std=std) for picture in some_pictures()])
    expected = unit(model(pixel_values=pixels).last_hidden_state[:, 0])
    ours = load_dino(vit_folder, preprocessing=small).pictures(some_pictures())
    np.testing.assert_allclose(ours, expected, atol=2e-5)  # float32
    assert "resized to 256 bicubic, cropped to 224×224" in load_dino(vit_folder, preprocessing=PUBLISHED_DINO_PREPROCESSING).name


def test_a_dino_vit_of_224_pixels_is_shown_pictures_as_it_was_published(tmp_path: Path):
    """Whatever the file beside the hub's weights says: shortest edge to 256, bicubic, the middle 224 × 224, ImageNet's mean and deviation."""
    torch.manual_seed(5)
    model = ViTModel(ViTConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=224, patch_size=112)).eval()
    model.save_pretrained(tmp_path)
    ViTImageProcessorPil(size={"height": 224, "width": 224}, image_mean=MEAN, image_std=STD).save_pretrained(tmp_path)
    picture = some_pictures()[2]
    shown = picture.resize((512, 256), Image.Resampling.BICUBIC).crop((144, 16, 368, 240))
    values = (np.asarray(shown, dtype=np.float64) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    expected = unit(model(pixel_values=torch.tensor(values, dtype=torch.float32).permute(2, 0, 1)[None]).last_hidden_state[:, 0])
    dino = load_dino(tmp_path)
    np.testing.assert_allclose(dino.pictures([picture]), expected, atol=2e-5)  # float32
    assert "resized to 256 bicubic, cropped to 224×224" in dino.name


def test_maps_of_a_vit_are_places_without_cls(vit_folder: Path):
    dino = load_dino(vit_folder)
    pixels = dino.pixels(some_pictures())
    vectors, maps = dino.embed_with_maps(pixels)
    torch.testing.assert_close(vectors, dino.embed(pixels))
    states = dino.model(pixel_values=pixels, output_hidden_states=True).hidden_states
    assert [each.shape for each in maps] == [(3, 4, 16)] * 2
    torch.testing.assert_close(maps[-1], states[-1][:, 1:])


def weights_of(folder: Path) -> str:
    one = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    return hashlib.sha256(one.encode()).hexdigest()[:8]


def test_name_states_encoder_weights_and_preprocessing_but_no_path(clip_folder: Path, vit_folder: Path, dinov2_folder: Path):
    crop = "resized to 20 bicubic, cropped to 16×16"
    assert load_clip(clip_folder).name == f"tiny-clip (weights {weights_of(clip_folder)}): CLIP ViT 2×16/8, {crop}"
    assert load_dino(vit_folder).name == f"tiny-dino (weights {weights_of(vit_folder)}): DINO ViT 2×16/8, resized to 16×16 bilinear"
    assert load_dino(dinov2_folder).name == f"tiny-dinov2 (weights {weights_of(dinov2_folder)}): DINOv2 ViT 2×16/8, {crop}"


def test_other_weights_of_one_name_are_another_encoder(vit_folder: Path, tmp_path: Path):
    again = shutil.copytree(vit_folder, tmp_path / "tiny-dino")
    assert load_dino(again).name == load_dino(vit_folder).name
    weights = load_file(again / "model.safetensors")
    save_file(weights | {"layernorm.bias": weights["layernorm.bias"] + 1}, again / "model.safetensors", metadata={"format": "pt"})
    assert load_dino(again).name != load_dino(vit_folder).name


def test_what_is_not_an_encoder_is_refused(clip_folder: Path, vit_folder: Path, tmp_path: Path):
    with pytest.raises(EncoderError, match="no such folder"):
        load_clip(tmp_path / "nowhere")
    with pytest.raises(EncoderError, match="model_type is 'clip'"):
        load_dino(clip_folder)
    model = ViTModel.from_pretrained(vit_folder, add_pooling_layer=False)
    model.save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match=r"preprocessor_config.json is missing"):
        load_dino(tmp_path)
    weights = {name: values for name, values in model.state_dict().items() if not name.startswith("layernorm")}
    model.save_pretrained(tmp_path, state_dict=weights)
    (tmp_path / "preprocessor_config.json").write_text((vit_folder / "preprocessor_config.json").read_text())
    with pytest.raises(EncoderError, match=r"2 weights of ViTModel are not there, the first is layernorm.bias"):
        load_dino(tmp_path)


def test_an_old_preprocessor_file_is_understood(clip_folder: Path, tmp_path: Path):
    for file in clip_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    old = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 20, "crop_size": 16, "resample": 3}
    old |= {"image_mean": MEAN, "image_std": STD}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(old))
    expected = load_clip(clip_folder).pictures(some_pictures())
    np.testing.assert_array_equal(load_clip(tmp_path).pictures(some_pictures()), expected)


def test_what_cannot_be_opened_is_one_line(clip_folder, tmp_path, monkeypatch):
    """A hub that cannot be reached, weights cut short, and a tokenizer that is not there, of which transformers makes an empty one."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for load, hub_id in ((load_clip, "openai/clip-vit-base-patch32"), (load_dino, "facebook/dino-vits16")):
        with pytest.raises(EncoderError, match=f"{hub_id}: cannot be opened .*Check the name and the network") as refused:
            load(hub_id)
        assert "\n" not in str(refused.value)
    copy = Path(shutil.copytree(clip_folder, tmp_path / "cut"))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(EncoderError, match="cut: cannot be opened"):
        load_clip(copy)
    mute = Path(shutil.copytree(clip_folder, tmp_path / "mute"))
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (mute / name).unlink(missing_ok=True)
    with pytest.raises(EncoderError, match="mute: its tokenizer has no vocabulary"):
        load_clip(mute)
