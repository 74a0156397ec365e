"""DreamBlend's fast walk equals its algorithm as the paper writes it, and without guidance it is plain sampling."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from likeness.model.attention import Watch, coarsest, watched
from likeness.model.base import Base
from likeness.model.trajectory import initial_latents, sample, walk
from likeness.sampling.dreamblend import blend, blended_latents
from likeness.sampling.options import Blend
from likeness.sampling.steering import Prompts, watch_of

PROMPTS = ["a photo of a sks dog", "a sks dog on the beach"]
SAID = Prompts(PROMPTS)
CLOSE = {"atol": 1e-5, "rtol": 1e-4}


@pytest.fixture(params=["epsilon", "v_prediction", "sdxl"])
def models(request, tiny_folders) -> tuple[Base, Base]:
    """A guidance model and an edit model of the same base, as two checkpoints of a run are."""
    guide, edit = (Base.open(str(tiny_folders[request.param])) for _ in range(2))
    generator = torch.Generator().manual_seed(0)
    for parameter in edit.unet.parameters():
        parameter.data += 0.3 * parameter.data.std(correction=0) * torch.randn(parameter.shape, generator=generator)
    return guide, edit


def maps_of(base: Base, latents: Tensor, t: Tensor, prompts: list[str]) -> list[Tensor]:
    """From queries and keys themselves: hooks on the two projections, and a softmax."""
    layers = [module for name, module in base.unet.named_modules() if name.endswith("attn2")]
    held: dict[tuple[int, str], Tensor] = {}
    hooks = [
        getattr(layer, part).register_forward_hook(lambda module, given, output, key=(n, part): held.__setitem__(key, output))
        for n, layer in enumerate(layers) for part in ("to_q", "to_k")
    ]  # fmt: skip
    base.predict(latents, t.expand(len(latents)), base.condition(prompts))
    for hook in hooks:
        hook.remove()
    found = []
    for n, layer in enumerate(layers):
        query, key = (held[n, part].unflatten(-1, (layer.heads, -1)).transpose(1, 2) for part in ("to_q", "to_k"))
        found.append((query @ key.transpose(-1, -2) * layer.scale).softmax(-1))
    return found


def guided(base: Base, latents: Tensor, t: Tensor, prompts: list[str], scale: float) -> Tensor:
    told, empty = (base.predict(latents, t.expand(len(latents)), base.condition(said)) for said in (prompts, [""] * len(prompts)))
    return empty + scale * (told - empty)


def algorithm_1(guide: Base, edit: Base, latents: Tensor, steps: int, scale: float, alpha: float) -> Tensor:
    """Line by line: first all of the guidance model's trajectory, then the edit model's."""
    sampler = guide.sampler()
    sampler.set_timesteps(steps)
    l, stored = latents, []  # noqa: E741
    for t in sampler.timesteps:
        with torch.no_grad():
            stored.append(maps_of(guide, l, t, PROMPTS))
            l = sampler.step(guided(guide, l, t, PROMPTS, scale), t, l).prev_sample  # noqa: E741
    l = latents  # noqa: E741
    for t, reference in zip(sampler.timesteps, stored):
        l = l.detach().requires_grad_(True)  # noqa: E741
        r = sum((wanted - now).abs().mean(1).sum() for wanted, now in zip(reference, maps_of(edit, l, t, PROMPTS)))
        l = (l - alpha * torch.autograd.grad(r, l)[0]).detach()  # noqa: E741
        with torch.no_grad():
            l = sampler.step(guided(edit, l, t, PROMPTS, scale), t, l).prev_sample  # noqa: E741
    return l


def test_the_fast_walk_is_algorithm_1(models):
    guide, edit = models
    latents = initial_latents(edit, [3, 4])
    wanted = algorithm_1(guide, edit, latents, 4, 5.0, alpha=2.0)
    found = blended_latents(guide, edit, SAID, latents, 4, 5.0, Blend(alpha=2.0, until=1.0))
    torch.testing.assert_close(found, wanted, **CLOSE)
    unguided = blended_latents(guide, edit, SAID, latents, 4, 5.0, Blend(alpha=0.0))
    assert (found - unguided).abs().max() > 1e-3


@torch.no_grad()
def test_without_guidance_it_is_plain_sampling(models):
    guide, edit = models
    latents = initial_latents(edit, [3, 4])
    *_, last = walk(edit, latents, edit.condition(PROMPTS), edit.condition(["", ""]), 4, 5.0)
    for how in (Blend(alpha=0.0), Blend(until=0.0)):
        torch.testing.assert_close(blended_latents(guide, edit, SAID, latents, 4, 5.0, how), last.latents, **CLOSE)


def test_a_model_guided_by_itself_stays_on_its_way(models):
    """Same noise, same maps: R is 0, and so is its gradient, but for the last bits of two batches."""
    _, edit = models
    latents = initial_latents(edit, [3, 4])
    plain = blended_latents(edit, edit, SAID, latents, 3, 5.0, Blend(alpha=0.0))
    torch.testing.assert_close(blended_latents(edit, edit, SAID, latents, 3, 5.0, Blend(alpha=1.0, norm="l2", until=1.0)), plain, **CLOSE)


def test_no_pass_is_made_that_is_not_needed(models):
    """Two halves of a guided pass for each model; for the gradient the conditional one alone, cut after the last layer asked; none where α is 0."""
    guide, edit = models
    rows: dict[str, list[int]] = {"guide": [], "edit": []}
    ends: list[int] = []
    for name, model in (("guide", guide), ("edit", edit)):
        model.unet.register_forward_pre_hook(lambda module, given, name=name: rows[name].append(len(given[0])))
    edit.unet.conv_out.register_forward_hook(lambda module, given, output: ends.append(len(output)))
    blended_latents(guide, edit, SAID, initial_latents(edit, [3, 4]), 4, 5.0, Blend(alpha=1.0, until=0.5))
    assert rows == {"guide": [4, 4], "edit": [2, 4, 2, 4, 4, 4]} and ends == [4, 4, 4, 4]


def test_each_picture_is_its_own(models):
    """Alone or in a batch."""
    guide, edit = models
    how = Blend(alpha=2.0, until=1.0)
    together = blended_latents(guide, edit, SAID, initial_latents(edit, [3, 4]), 3, 5.0, how)
    alone = blended_latents(guide, edit, Prompts(PROMPTS[1:]), initial_latents(edit, [4]), 3, 5.0, how)
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-3)  # a batch's last bits turn the sign of a difference next to zero
    assert len(list(blend(guide, edit, PROMPTS, [3, 4], 2, 5.0, how))) == 2


def test_strength_over_the_steps():
    assert [Blend(alpha=2.0, schedule="linear", until=0.5).strength(n, 4) for n in range(4)] == [2.0, 1.5, 0.0, 0.0]
    assert [round(Blend(alpha=2.0, schedule="sqrt", until=1.0).strength(n, 4), 3) for n in range(4)] == [2.0, 1.732, 1.414, 1.0]
    assert [Blend(alpha=2.0, until=1.0).strength(n, 4) for n in range(4)] == [2.0] * 4
    assert [Blend(alpha=2.0, until=share).guided(4) for share in (0.0, 0.5, 0.6, 1.0)] == [0, 2, 3, 4] and Blend(alpha=0.0).guided(4) == 0


def test_maps_of_the_encoder_alone_end_the_pass_in_the_middle(models):
    """Nothing of the way up is computed for the gradient."""
    guide, edit = models
    how = Blend(layers="encoder", norm="l2")
    with torch.no_grad(), watched(edit.unet, watch_of(edit, how)) as maps:
        edit.predict(initial_latents(edit, [0]), torch.tensor([500]), edit.condition(PROMPTS[:1]))
    assert maps and all(name.startswith(("down_blocks", "mid_block")) for name in maps)
    ends: list[int] = []
    edit.unet.up_blocks[0].register_forward_hook(lambda module, given, output: ends.append(1))
    blended_latents(guide, edit, SAID, initial_latents(edit, [3, 4]), 2, 5.0, how)
    assert len(ends) == 2  # one guided pass for each step, none for the gradient


def test_the_coarsest_maps_are_those_that_a_pass_shows(models):
    """Where a base has none of 16 pixels a side, as SDXL's 128 x 128 latents, its coarsest guide."""
    _, edit = models
    with torch.no_grad(), watched(edit.unet, Watch(64)) as maps:
        edit.predict(initial_latents(edit, [0]), torch.tensor([500]), edit.condition(PROMPTS[:1]))
    assert coarsest(edit.unet, 8) == round(min(one.shape[2] for one in maps.values()) ** 0.5) == 4
    edit.unet.register_to_config(sample_size=128)
    assert coarsest(edit.unet, 128) == watch_of(edit, Blend()).largest == 64


def test_watching_leaves_no_trace(models):
    _, edit = models
    before = list(sample(edit, PROMPTS, [0, 1], 2, 5.0))
    processors = [module.processor for name, module in edit.unet.named_modules() if name.endswith("attn2")]
    with torch.no_grad(), watched(edit.unet, Watch(64)) as maps:
        edit.predict(initial_latents(edit, [0]), torch.tensor([500]), edit.condition(PROMPTS[:1]))
    assert maps and all(torch.allclose(one.sum(-1), torch.ones(())) for one in maps.values())
    assert [module.processor for name, module in edit.unet.named_modules() if name.endswith("attn2")] == processors
    assert [a.tobytes() == b.tobytes() for a, b in zip(before, sample(edit, PROMPTS, [0, 1], 2, 5.0))] == [True, True]


@pytest.mark.parametrize(("side", "blocks", "largest"), [(64, 4, 16), (96, 4, 24), (128, 3, 32), (16, 2, 16)])
def test_maps_that_guide_are_as_coarse_as_the_picture_is_large(side, blocks, largest):
    """Stable Diffusion 1.5, 2.1 of 768 pixels, whose coarsest have 12 a side and lie in the middle alone, XL, and the toybox."""
    down = {4: ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], 3: ["DownBlock2D"] + ["CrossAttnDownBlock2D"] * 2, 2: ["DownBlock2D", "CrossAttnDownBlock2D"]}[blocks]
    unet = SimpleNamespace(config=SimpleNamespace(down_block_types=down, mid_block_type="UNetMidBlock2DCrossAttn"))
    base: Any = SimpleNamespace(unet=unet, resolution=side * 8, pixels_per_latent=8, name="shape")
    assert watch_of(base, Blend()).largest == largest
