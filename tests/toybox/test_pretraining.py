"""Pretraining from pictures to folders that diffusers and transformers open, at a hundredth of its size."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import IFSuperResolutionPipeline, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPImageProcessorPil, CLIPTokenizer, ResNetModel, VisionTextDualEncoderModel, ViTImageProcessorPil

from likeness.evaluation.loading import load_clip, load_dino
from likeness.files.errors import UserError
from likeness.model.base import Base
from likeness.model.cascade import attached_upscaler
from likeness.model.folder import TOYBOX, advice
from likeness.toybox import base_training, data, decoder_training, judge_training, latents, loop, models, pretraining, upscaler_training
from likeness.toybox.plan import Plan
from likeness.toybox.pretraining import pretrain
from likeness.world.drawing import draw

BASE, JUDGES, EXAMINER, LARGE = 100, 200, 100, 100  # judges: at least the twelve families of a batch, sixteen pictures each


def blank_sheet(rows: list[list[Image.Image]]) -> Image.Image:
    return Image.new("RGB", (8, 8))


@pytest.fixture(scope="module")
def small() -> Any:
    """Shards of a hundred pictures, drawn in this process: a worker of its own would know only the full size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "SHARD", 100)
        patch.setattr(data.os, "nice", lambda step: 0)
        patch.setattr(upscaler_training, "HELD_OUT", 16)
        patch.setattr(base_training, "SAMPLE_PROMPTS", ("a red dog on the beach",))
        yield


@pytest.fixture(scope="module")
def drawn(small, tmp_path_factory) -> Plan:
    """Pictures and tokenizer."""
    few = {f"{stage}_steps": 3 for stage in ("vae", "text", "unet", "decoder", "upscaler")} | {f"{stage}_steps": 2 for stage in ("clip", "dino", "examiner")}
    plan = Plan(tmp_path_factory.mktemp("toybox"), base_pictures=BASE, judge_pictures=JUDGES, examiner_pictures=EXAMINER, large_pictures=LARGE, **few)
    plan.rendered.mkdir()
    for kind, count in (("base", BASE), ("judges", JUDGES), ("words", JUDGES), ("examiner", EXAMINER), ("large", LARGE)):
        for shard in range(count // data.SHARD):
            data._render_shard((plan.rendered, kind, shard, models.SIZE * (2 if kind == "large" else 1), plan.seed))
    pretrain(plan, blank_sheet, ["pictures"])
    return plan


@pytest.fixture(scope="module")
def pretrained(drawn) -> Plan:
    torch.manual_seed(0)
    pretrain(drawn, blank_sheet, pretraining.STAGES[1:])
    return drawn


def test_shards_hold_what_the_world_draws(drawn):
    pictures = data.read(drawn.rendered, "judges", JUDGES)
    assert len(pictures) == JUDGES
    scene, individual = data.judges_scene(0, 117)
    assert np.array_equal(pictures.take(np.array([117]))[0], np.asarray(draw(scene, models.SIZE)))
    assert (pictures.truths[117], pictures.individuals[117]) == (data.truth_of(scene), individual)
    assert len(pictures.captions[117]) == len(pictures.names[117]) == data.CAPTIONS


@pytest.mark.parametrize("stages, sets", [
    (("pictures", "vae", "text", "unet", "decoder"), ["base"]),
    (("pictures", "dino"), ["judges"]),
    (("pictures", "clip"), ["base", "words"]),
    (("pictures",), ["base", "large", "judges", "words", "examiner"]),
])  # fmt: skip
def test_only_those_sets_are_drawn_that_the_stages_learn_from(drawn, tmp_path, monkeypatch, stages, sets):
    asked = []
    monkeypatch.setattr(data, "render", lambda folder, kind, count, size, seed, workers: asked.append(kind))
    plan = replace(drawn, folder=tmp_path)
    shutil.copytree(drawn.rendered, plan.rendered)
    pretraining.draw_pictures(plan, stages)
    assert asked == sets and (plan.folder / "tokenizer").exists() == ("base" in sets)


def test_with_a_base_to_start_from_its_tokenizer_is_the_judges(drawn, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(data, "render", lambda folder, kind, count, size, seed, workers: asked.append(kind))
    pretraining.draw_pictures(replace(drawn, folder=tmp_path / "judges", start_from=drawn.folder), ("pictures", "clip"))
    assert asked == ["words"] and (tmp_path / "judges" / "tokenizer" / "tokenizer.json").exists()


def test_the_base_opens_in_diffusers_and_draws(pretrained):
    pipeline = StableDiffusionPipeline.from_pretrained(pretrained.folder / "base", local_files_only=True, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    drawn: Any = pipeline("a red dog on the beach", num_inference_steps=2)
    assert drawn.images[0].size == (models.SIZE, models.SIZE)
    assert np.asarray(drawn.images[0]).std() > 0


def test_the_decoder_learns_on_and_the_rest_of_the_autoencoder_stays(pretrained, tmp_path):
    before = autoencoder_before(pretrained, tmp_path / "before")
    after = load_file(pretrained.folder / "base" / "vae" / "diffusion_pytorch_model.safetensors")
    moved = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert moved == {"decoder", "post_quant_conv"} and after.keys() == before.keys()


def test_a_u_net_that_learns_on_wants_its_decoder_again(pretrained, tmp_path):
    shutil.copytree(pretrained.folder, tmp_path / "further")
    plan = replace(pretrained, folder=tmp_path / "further", unet_steps=4)
    plain = autoencoder_before(pretrained, tmp_path / "before")
    pretrain(plan, blank_sheet, ["unet", "decoder"])
    after = load_file(plan.folder / "base" / "vae" / "diffusion_pytorch_model.safetensors")
    assert not torch.equal(after["decoder.conv_out.weight"], plain["decoder.conv_out.weight"])


def test_a_decoder_without_a_base_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="no base yet.*--start-from"):
        pretrain(Plan(tmp_path), blank_sheet, ["decoder"])


def autoencoder_before(plan: Plan, folder: Any) -> dict[str, torch.Tensor]:
    """The autoencoder's weights as the U-Net's stage writes them."""
    network = base_training._text_to_image(plan, CLIPTokenizer.from_pretrained(plan.folder / "tokenizer"))
    base_training.export_base(plan, folder, network)
    return load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")


@pytest.mark.parametrize("steps", [1, 6])
def test_latents_are_led_back_to_where_they_were_by_a_network_that_knows_them(steps):
    scheduler: Any = models.build_scheduler()
    scheduler.set_timesteps(decoder_training.STEPS)
    z, found = torch.randn(2, 4, 3, 3), []

    def knows(noisy: torch.Tensor, t: torch.Tensor, states: torch.Tensor) -> Any:
        found.append(int(t))
        alpha = scheduler.alphas_cumprod[t]
        return SimpleNamespace(sample=(alpha.sqrt() * noisy - z) / (1 - alpha).sqrt())  # v of Salimans & Ho 2022

    assert torch.allclose(decoder_training.led_back(knows, scheduler, z, torch.zeros(2, 1, 1), steps), z, atol=1e-5)
    assert found == [40 * n - 1 for n in range(steps, 0, -1)]


def test_the_super_resolution_stage_opens_in_diffusers_and_here(pretrained):
    folder = pretrained.folder / "upscaler"
    pipeline = IFSuperResolutionPipeline.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32, watermarker=None)
    assert pipeline.unet.config.in_channels == 6
    upscaler = attached_upscaler(Base.open(str(pretrained.folder / "base")), str(folder))
    assert (upscaler.hears, upscaler.resolution, upscaler.prediction_type) == (None, 2 * models.SIZE, "sample")


@torch.no_grad()
def test_the_super_resolution_stage_begins_as_the_enlargement():
    """Whatever noise it is shown beside, at whatever timestep and level: its first weights give the enlarged picture back."""
    torch.manual_seed(0)
    unet, picture = models.build_upscaler().eval(), torch.rand(2, 3, 64, 64) * 2 - 1
    given = unet(torch.cat([torch.randn_like(picture), picture], 1), torch.tensor([0, 999]), None, class_labels=torch.tensor([0, 250])).sample
    assert (given - picture).square().mean() < 0.001 * picture.square().mean()


def test_the_base_opens_here(pretrained):
    base = Base.open(str(pretrained.folder / "base"))
    assert (base.resolution, base.prediction_type) == (models.SIZE, "v_prediction")
    assert base.alphas_cumprod[-1] == 0  # zero terminal SNR


def test_the_judges_open_in_transformers(pretrained):
    judges = pretrained.folder / "judges"
    kinds: tuple[Any, ...] = (VisionTextDualEncoderModel, CLIPTokenizer, CLIPImageProcessorPil)
    _, words, seen = (kind.from_pretrained(judges / "clip", local_files_only=True) for kind in kinds)
    picture = Image.fromarray(data.read(pretrained.rendered, "judges", JUDGES).take(np.array([0]))[0])
    assert words("a dog").input_ids[0] == words.bos_token_id
    assert seen(picture, return_tensors="pt").pixel_values.shape == (1, 3, models.JUDGE_SIZE, models.JUDGE_SIZE)
    clip = load_clip(judges / "clip")
    assert clip.pictures([picture]).shape == clip.texts(["a dog"]).shape == (1, 128)
    dino = ResNetModel.from_pretrained(judges / "dino", local_files_only=True).float().eval()
    pixels = ViTImageProcessorPil.from_pretrained(judges / "dino", local_files_only=True)(picture, return_tensors="pt").pixel_values
    plain = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
    trained = F.interpolate(plain, size=(models.JUDGE_SIZE,) * 2, mode="bicubic", antialias=True).clamp(-1, 1)
    assert (pixels - trained).abs().max() < 0.02  # as in training, but for rounding to bytes and clipping
    vector = F.normalize(dino(pixel_values=pixels).pooler_output.flatten(1), dim=-1).detach().numpy()
    np.testing.assert_allclose(load_dino(judges / "dino").pictures([picture]), vector, atol=1e-5)
    assert load_dino(judges / "examiner").pictures([picture]).shape == (1, models.EXAMINER_WIDTH)


def test_moved_latents_are_centred_and_vary_as_much_as_pixels_shall(pretrained):
    base = Base.open(str(pretrained.folder / "base"))
    pictures = data.read(pretrained.rendered, "base", BASE).take(np.arange(BASE))
    mean, _ = base.moments([Image.fromarray(p) for p in pictures])
    assert torch.allclose(mean.mean((0, 2, 3)), torch.zeros(models.LATENT_CHANNELS), atol=0.1)  # the shift was measured in bf16
    assert mean.var((0, 2, 3)).sum() / models.LATENT_PATCH**2 == pytest.approx(latents.PER_PIXEL, rel=0.1)


@torch.no_grad()
def test_moving_the_latents_leaves_the_reconstruction_unchanged():
    torch.manual_seed(0)
    vae, x = models.build_vae().eval(), torch.rand(2, 3, 32, 32) * 2 - 1
    before = vae.encode(x).latent_dist.mean  # type: ignore[union-attr]
    picture = vae.decode(before).sample  # type: ignore[union-attr]
    shift, matrix = torch.randn(models.LATENT_CHANNELS), torch.eye(models.LATENT_CHANNELS) + 0.1 * torch.randn(models.LATENT_CHANNELS, models.LATENT_CHANNELS)
    latents.move_latents(vae, shift, matrix)
    after = vae.encode(x).latent_dist.mean  # type: ignore[union-attr]
    assert torch.allclose(after, torch.einsum("dc,nchw->ndhw", matrix, before - shift[:, None, None]), atol=1e-5)
    assert torch.allclose(vae.decode(after).sample, picture, atol=1e-4)  # type: ignore[union-attr]
    assert dict(vae.config)["scaling_factor"] == 1.0


def test_distance_between_moved_latents_is_distance_between_pixels():
    torch.manual_seed(0)
    codes = torch.randn(40, 3, 4, 4) * torch.tensor([5.0, 1.0, 0.1])[:, None, None]
    patches = torch.einsum("nchw,cp->nhwp", codes, torch.randn(3, 12)).reshape(40, 4, 4, 3, 2, 2)
    pictures = patches.permute(0, 3, 1, 4, 2, 5).reshape(40, 3, 8, 8)
    shift, matrix = latents.pixel_metric(codes, pictures)
    moved = torch.einsum("dc,nchw->ndhw", matrix, codes - shift[:, None, None])
    ratio = (moved[1:] - moved[:-1]).flatten(1).norm(dim=1) / (pictures[1:] - pictures[:-1]).flatten(1).norm(dim=1)
    assert ratio.std() / ratio.mean() < 1e-2  # not exact only where the floor lifts a direction


class Killed(BaseException):
    """The process ends here."""


def run_stage(plan: Plan, stage: str, patch: pytest.MonkeyPatch, dies_at: int | None = None) -> dict[str, torch.Tensor]:
    """One stage with a checkpoint after every second step; perhaps it dies before a step."""
    fit, seeded = loop.fit, loop.seeded

    def often(*everything: Any, **options: Any) -> None:
        fit(*everything, **{**options, "every": 2})

    def dying(seed: int, name: str, step: int) -> Any:
        if step == dies_at:
            raise Killed
        return seeded(seed, name, step)

    with patch.context() as inner:
        for module in (base_training, judge_training):
            inner.setattr(module, "fit", often)
            inner.setattr(module, "seeded", dying)
        torch.manual_seed(1)
        try:
            pretrain(plan, blank_sheet, [stage])
        except Killed:
            return {}
    return load_file(plan.folder / f"{stage}.safetensors")


@pytest.fixture
def copied(drawn, tmp_path) -> Callable[[str, str], Plan]:
    """A folder of its own beside the same pictures, with what the stage needs of those before it."""

    def copy(name: str, *needs: str) -> Plan:
        plan = replace(drawn, folder=tmp_path / name)
        plan.folder.mkdir()
        plan.rendered.symlink_to(drawn.rendered)
        shutil.copytree(drawn.folder / "tokenizer", plan.folder / "tokenizer")
        for file in needs:
            shutil.copy(drawn.folder / f"{file}.safetensors", plan.folder)
        return plan

    return copy


@pytest.mark.parametrize("stage", ["text", "dino"])
def test_a_stopped_and_resumed_stage_equals_the_uninterrupted(stage, copied, monkeypatch):
    check_resumed(stage, copied, monkeypatch, ())


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["vae", "unet", "clip", "examiner"])
def test_a_stopped_and_resumed_costly_stage_equals_the_uninterrupted(stage, pretrained, copied, monkeypatch):
    check_resumed(stage, copied, monkeypatch, ("vae", "text", "latents") if stage == "unet" else ())


def check_resumed(stage: str, copied: Callable, patch: pytest.MonkeyPatch, needs: tuple[str, ...]) -> None:
    """Killed before its third step, after the checkpoint of the second; optimizer and averaged weights are compared too."""
    resumed, whole = copied("resumed", *needs), copied("whole", *needs)
    steps = {f"{name}_steps": 3 for name in ("vae", "text", "unet", "clip", "dino", "examiner")}
    resumed, whole = replace(resumed, **steps), replace(whole, **steps)
    assert run_stage(resumed, stage, patch, dies_at=3) == {}
    assert (resumed.folder / f"{stage}.safetensors").exists()
    ended, expected = run_stage(resumed, stage, patch), run_stage(whole, stage, patch)
    assert ended.keys() == expected.keys()
    assert all(torch.equal(ended[name], expected[name]) for name in expected)


def test_judges_are_trained_further_from_a_folder(pretrained, copied):
    """Their first step begins with the folder's weights, whatever chance says."""
    plan = replace(copied("further"), judges_from=pretrained.folder / "judges", dino_steps=1)
    kept = load_file(pretrained.folder / "judges" / "dino" / "model.safetensors")
    network = models.build_dino()
    judge_training._begin_from(plan, "dino", network)
    state = network.state_dict()
    assert state.keys() == kept.keys() and all(torch.equal(state[name], value.to(state[name].dtype)) for name, value in kept.items())
    judge_training._begin_from(replace(plan, judges_from=None), "clip", network)  # no folder: nothing is read


def test_the_embedded_bases_advice_is_what_pretraining_writes():
    """The page of results and a base that is trained anew read the one, everything else the other."""
    assert advice(TOYBOX) == json.loads(json.dumps(models.ADVICE))


def test_the_unet_attends_at_8_by_8_alone():
    unet, places = models.build_unet(32).eval(), set[int]()
    for name, module in unet.named_modules():
        if name.endswith("attn2"):
            module.register_forward_hook(lambda module, args, out: places.add(out.shape[1]))
    side = models.SIZE // models.LATENT_PATCH
    with torch.no_grad():
        assert unet(torch.zeros(1, models.LATENT_CHANNELS, side, side), 5, torch.zeros(1, 4, 32)).sample.shape[-2:] == (16, 16)
    assert places == {64}
