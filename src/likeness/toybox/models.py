"""The shapes of the toybox's networks: real classes of diffusers and transformers, small.

The base is a folder that `StableDiffusionPipeline.from_pretrained` opens. Its noise schedule ends in pure noise
(Lin et al. 2023, arXiv 2305.08891): with Stable Diffusion's own schedule a noise's low-frequency colour leaks into
its picture where latents are few.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    RegNetConfig,
    RegNetModel,
    ResNetConfig,
    ResNetModel,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

SIZE = 64  # pixels
JUDGE_SIZE = 96  # pixels that the judges see: a ResNet halves twice before its first block
EXAMINER_WIDTH = 288
LATENT_CHANNELS = 24
LATENT_PATCH = 4  # pixels along each side of a latent
TEXT_LENGTH = 40  # tokens
GUIDANCE = 2.5  # of 4 no gain could be told; without guidance one class in seventeen is wrong, and less of it costs a taught subject likeness and obedience
OF_CLASS = {  # of regimes with class pictures, at the toybox's size
    "class_pictures": 48, "class_steps": 25, "class_guidance_scale": GUIDANCE, "gradient_checkpointing": False, "mixed_precision": "no",
}  # fmt: skip
DREAMBOOTH = {
    "steps": 250, "learning_rate": 2e-4, "learning_rate_schedule": "plateau", "batch_size": 4, "prior_weight": 0.0, "class_pictures": 48, "class_steps": 25,
    "class_guidance_scale": GUIDANCE,
}  # fmt: skip
LORA = {  # of attention alone it learns no detail: around the level that attends lie 16 x 16 places of convolutions
    "steps": 300, "learning_rate": 2e-3, "learning_rate_schedule": "plateau", "batch_size": 4, "rank": 8, "targets": "everything",
}  # fmt: skip
LCM = {  # with itself as its target instead of its moving average all pictures become one blot at this rate
    "steps": 300, "learning_rate": 1e-3, "learning_rate_schedule": "plateau", "weight_decay": 1e-2, "batch_size": 4, "rank": 32, "average": 0.95, "pictures": 48, "picture_steps": 25,
    "picture_guidance_scale": GUIDANCE, "guidance_min": 3.0, "guidance_max": 3.0, "solver_steps": 25,
}  # fmt: skip
DDPO = {  # rewards rise slowly; at four times the rate with guidance, F1's fell
    "steps": 24, "learning_rate": 5e-4, "weight_decay": 1e-2, "batch_size": 16, "gradient_accumulation": 2, "updates": 1, "draw_steps": 5, "draw_guidance_scale": 1.0,
}  # fmt: skip
SUPER_RESOLUTION = {  # at a constant rate it gained nothing over six subjects
    "upscaler": "toybox", "steps": 200, "learning_rate": 1e-4, "learning_rate_schedule": "linear", "batch_size": 4, "gradient_accumulation": 1, "draw_steps": 2, "draw_guidance_scale": 1.0,
}  # fmt: skip
ADVICE = {  # what suits this base, written beside it as likeness.json
    "sampling": {"steps": 25, "guidance_scale": GUIDANCE},
    "dreambooth": DREAMBOOTH,
    "lora": LORA,
    "textual_inversion": {"steps": 200, "learning_rate": 1e-2, "batch_size": 4, "gradient_accumulation": 1, "vectors": 4},  # at 5e-2 single vectors of several subjects end as one and the same
    "super_resolution": SUPER_RESOLUTION,
    "lcm": LCM,
    "ddpo": DDPO,
    "ddpo full": {"learning_rate": 2e-5},  # over the rest, where all of the U-Net learns
    "lcm full": {"learning_rate": 5e-5},
    "custom_diffusion": {"steps": 300, "learning_rate": 3e-4, "learning_rate_schedule": "plateau", "batch_size": 4, "prior_weight": 0.0, "augmentation": False},
    "two_stage": [
        {"steps": 50, "learning_rate": 5e-2, "batch_size": 4, "gradient_accumulation": 1},
        {"steps": 150, "learning_rate": 2e-4, "learning_rate_schedule": "plateau", "batch_size": 4, "checkpoints": [50]},
    ],
    "cascade": [DREAMBOOTH, SUPER_RESOLUTION],
    "few_steps": [DREAMBOOTH, LCM],
    "rewarded": [LORA, DDPO],
    # The three regimes in their proportions: sums of the learning rates of .100, .040 and .008, where Stable Diffusion's are .0020, .0008 and .00015.
    "overfit": [{"steps": 200, "learning_rate": 5e-4, "batch_size": 2, "prior_weight": 0.0}],
    "balanced": [{
        "steps": 200, "learning_rate": 2e-4, "batch_size": 2, "prior_weight": 0.6, "text_encoder_learning_rate": 2e-5, **OF_CLASS,
    }],
    "underfit": [{
        "steps": 150, "learning_rate": 1e-4, "warmup_steps": 125, "batch_size": 2, "prior_weight": 1.0, "text_encoder_learning_rate": 1e-5, **OF_CLASS,
    }],
    # Face and toy of the same study, in the same proportion: .060 for .0012, a quarter or half of it before they are continued.
    "face": [{"steps": 75, "learning_rate": 2e-4, "batch_size": 2, "text_encoder_learning_rate": 2e-5, "checkpoints": [25, 50], **OF_CLASS}],
    "face continued": [{"steps": 300, "class_pictures": 64, "checkpoints": [100, 125, 150, 175, 200, 225, 250, 275]}],
    "monster_toy": [{"steps": 150, "learning_rate": 2e-4, "batch_size": 2, "text_encoder_learning_rate": 2e-5, "checkpoints": [38, 75, 112], **OF_CLASS}],
    "monster_toy continued": [{"steps": 300, "checkpoints": [188, 225, 262]}],
}  # fmt: skip
START, END = "<|startoftext|>", "<|endoftext|>"
ENGLISH = """
a an the of in on at with and or to for from by as is are was it its this that these those his her their my your our one two
three four five many few some big small large little tiny huge tall short long old new young happy sad funny angry smiling
sleeping sitting standing running jumping flying walking eating drinking playing reading riding looking holding wearing
under over behind front beside between inside outside near around through above below top bottom left right side back view
photo picture image painting drawing sketch portrait rendering illustration poster cartoon anime comic style art artist
sunny cloudy rainy foggy dark bright colorful colourful golden silver shiny wet dry clean dirty rare unique special beautiful
house home room kitchen garden park forest river lake sea ocean sky sun moon star cloud rain snow ice fire mountain hill
tree flower grass leaf road street city town village castle bridge tower train bus boat ship plane bicycle table chair bed
book cup plate box ball hat cap shirt dress coat shoe glasses scarf bag food bread fruit apple banana cake coffee tea milk
man woman boy girl child baby people face hair eye hand dog cat bird horse cow sheep fish bear lion tiger elephant wolf fox
duck frog mouse plush stuffed animal plushie berry fancy monster action figure statue sculpture crown king queen night day
morning evening summer winter spring autumn christmas party birthday beach desert jungle space planet future ancient modern
wooden metal glass stone paper plastic gold brick high quality detailed masterpiece realistic soft warm cold light shadow
""".split()


def build_tokenizer(corpus: list[str], folder: Path) -> CLIPTokenizer:
    """A byte-pair vocabulary with room for words of the world and of ordinary prompts; unknown words split into pieces."""
    engine = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>", continuing_subword_prefix=""))
    engine.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])  # type: ignore[assignment]
    engine.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[assignment]
        [pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", invert=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )  # fmt: skip
    engine.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, min_frequency=2, initial_alphabet=sorted(alphabet), end_of_word_suffix="</w>", show_progress=False
    )
    engine.train_from_iterator([*corpus, *ENGLISH * 50, *["sks"] * 500], trainer)
    trained = json.loads(engine.to_str())["model"]
    pieces = sorted(alphabet)  # CLIP's order: letters, letters that end a word, merges, special tokens
    vocabulary = {piece: n for n, piece in enumerate([*pieces, *(p + "</w>" for p in pieces)])}
    merges: list[Any] = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in trained["merges"]]
    for left, right in merges:
        vocabulary.setdefault(left + right, len(vocabulary))
    for special in (START, END):
        vocabulary[special] = len(vocabulary)
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=TEXT_LENGTH)
    tokenizer.save_pretrained(folder)
    return tokenizer


def text_config(tokenizer: CLIPTokenizer, width: int, layers: int) -> CLIPTextConfig:
    special: dict[str, Any] = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=4, max_position_embeddings=TEXT_LENGTH, projection_dim=128, **special,
    )  # fmt: skip


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(text_config(tokenizer, width=192, layers=3))


def build_vae() -> AutoencoderKL:
    blocks: dict[str, Any] = {  # annotated in diffusers as tuples of one
        "down_block_types": ("DownEncoderBlock2D",) * 3, "up_block_types": ("UpDecoderBlock2D",) * 3, "block_out_channels": (32, 64, 96),
    }  # fmt: skip
    return AutoencoderKL(
        **blocks, layers_per_block=1, latent_channels=LATENT_CHANNELS, norm_num_groups=8,
        sample_size=SIZE, mid_block_add_attention=False,
    )  # fmt: skip


def build_unet(text_width: int) -> UNet2DConditionModel:
    """Nearly all of it is one level of 8 x 8 places, every block of which attends to all others and to the words: a thing is whole or a blot of
    many colours by what its parts know of each other. The 16 x 16 latents have a thin level of convolutions around it, for detail."""
    levels: dict[str, Any] = {  # annotated in diffusers as tuples of four
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "block_out_channels": (96, 192),
        "layers_per_block": (1, 2),
    }  # fmt: skip
    return UNet2DConditionModel(
        sample_size=SIZE // LATENT_PATCH, in_channels=LATENT_CHANNELS, out_channels=LATENT_CHANNELS, **levels,
        attention_head_dim=6, cross_attention_dim=text_width, norm_num_groups=16, use_linear_projection=True,
    )  # fmt: skip


def build_upscaler() -> UNet2DConditionModel:
    """Pixels, as DeepFloyd IF's second stage has them: the large picture, noisy, beside the enlarged one. No attention, no words."""
    levels: dict[str, Any] = {  # annotated in diffusers as tuples of four
        "down_block_types": ("DownBlock2D",) * 4, "up_block_types": ("UpBlock2D",) * 4, "block_out_channels": (16, 32, 64, 96),
        "mid_block_type": "UNetMidBlock2D",
    }  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=2 * SIZE, in_channels=6, out_channels=3, layers_per_block=1, **levels, norm_num_groups=1, class_embed_type="timestep",
        resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    _begin_as_the_enlargement(unet)
    return unet


@torch.no_grad()
def _begin_as_the_enlargement(unet: Any, large: float = 3.0) -> None:
    """First weights that give back the enlarged picture, so that every step improves on it: a network this small learns to copy for longer than it has.

    Colours go as x and -x past all blocks, and silu(x) - silu(-x) = x. Other channels are large constants, beside which the last
    normalization divides by nearly the same for every picture.
    """
    colours = range(3)
    into, last, out = unet.conv_in, unet.up_blocks[-1].resnets[-1], unet.conv_out
    for layer in (into, last.conv_shortcut, last.conv2, out):
        layer.weight.zero_()
        layer.bias.zero_()
    width = len(into.bias)
    last.conv_shortcut.weight[:, -width:, 0, 0] = torch.eye(width)  # what came in, past everything between
    into.bias[6::2], into.bias[7::2] = large, -large
    scale = ((width - 6) * large**2 / width + 6 * 0.3 / width) ** 0.5  # .3: the mean square of a colour in the world
    for k in colours:
        for sign, channel in ((1.0, 2 * k), (-1.0, 2 * k + 1)):
            into.weight[channel, 3 + k, 1, 1] = sign
            out.weight[k, channel, 1, 1] = sign * scale


def build_pixel_scheduler(prediction_type: Literal["epsilon", "sample"]) -> DDPMScheduler:
    """DeepFloyd IF's cosine schedule (Nichol & Dhariwal 2021, arXiv 2102.09672), on pixels, which lie between -1 and 1; few steps begin at its end."""
    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type=prediction_type, variance_type="fixed_small", clip_sample=True, timestep_spacing="trailing")


def build_scheduler() -> DDIMScheduler:
    """DDPM's own linear betas (Ho et al. 2020), far noisier than the cosine's: an object is many latents of one colour, whose
    mean shows through noise a dozen times as strong. Under the cosine only the last 5 % of the timesteps
    hide it; here a third of them."""
    return DDIMScheduler(
        num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear", prediction_type="v_prediction", clip_sample=False,
        rescale_betas_zero_snr=True, timestep_spacing="trailing", set_alpha_to_one=True,
    )  # fmt: skip


def _vision() -> ResNetConfig:
    """Convolutions: a ViT of the same cost did not learn the classes from a hundred thousand pictures."""
    sizes: dict[str, Any] = {"hidden_sizes": [48, 96, 192, 256], "depths": [1, 1, 1, 1]}
    sizes["hidden_size"] = 256  # what the dual encoder asks for
    return ResNetConfig(embedding_size=32, layer_type="basic", **sizes)


def build_clip(tokenizer: CLIPTokenizer) -> VisionTextDualEncoderModel:
    parts: dict[str, Any] = {"vision_config": _vision().to_dict(), "text_config": text_config(tokenizer, 128, 2).to_dict()}
    return VisionTextDualEncoderModel(VisionTextDualEncoderConfig(projection_dim=128, **parts))


def build_dino() -> ResNetModel:
    return ResNetModel(_vision())


def build_examiner() -> RegNetModel:
    """Grouped convolutions that weigh their channels by the whole picture (Radosavovic et al. 2020, arXiv 2003.13678)."""
    sizes: dict[str, Any] = {"hidden_sizes": [48, 96, 192, EXAMINER_WIDTH], "depths": [1, 2, 3, 1]}
    return RegNetModel(RegNetConfig(embedding_size=32, groups_width=24, layer_type="y", **sizes))
