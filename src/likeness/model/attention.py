"""Cross-attention maps of a U-Net while it runs: where in the picture each word of the prompt is looked for.

Fused attention (SDPA) never returns probabilities, so on the layers that are asked the softmax is computed openly; with 77 words that is cheap. Everything else keeps
the processor that it had. A network that was altered by folding, as all of ours are, stays altered: only the processors are exchanged, and put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from ..files.errors import UserError


@dataclass(frozen=True)
class Watch:
    """Which maps are recorded: those of up to `largest` x `largest` pixels, of layers whose names begin so."""

    largest: int
    beginnings: tuple[str, ...] = ("",)


class _Enough(Exception):
    """The last layer that was asked for has been seen."""


class _Openly:
    """Cross-attention with the softmax in the open, as diffusers' own first processor computes it."""

    def __init__(self, layer: str, usual: Any, largest: int, rows: slice, last: bool, seen: dict[str, Tensor]) -> None:
        self.layer, self.usual, self.largest, self.rows, self.last, self.seen = layer, usual, largest, rows, last, seen

    def __call__(self, attention: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, attention_mask: Tensor | None = None, **rest: Any) -> Tensor:
        if hidden_states.shape[1] > self.largest**2 or encoder_hidden_states is None:
            return self.usual(attention, hidden_states, encoder_hidden_states, attention_mask, **rest)
        query, key = (attention.head_to_batch_dim(part) for part in (attention.to_q(hidden_states), attention.to_k(encoder_hidden_states)))  # type: ignore[misc]
        probabilities = attention.get_attention_scores(query, key, attention_mask)
        maps = probabilities.unflatten(0, (len(hidden_states), attention.heads))
        self.seen[self.layer] = maps[self.rows] if self.rows == slice(None) or maps.requires_grad else maps[self.rows].clone()  # a part alone would hold the whole
        if self.last:
            raise _Enough
        value = attention.head_to_batch_dim(attention.to_v(encoder_hidden_states))  # type: ignore[misc]
        attended = attention.batch_to_head_dim(torch.bmm(probabilities, value))
        projected, dropout = attention.to_out  # type: ignore[misc]
        return dropout(projected(attended)) / attention.rescale_output_factor


@contextmanager
def watched(unet: nn.Module, watch: Watch | None, rows: slice = slice(None), until: str | None = None) -> Iterator[dict[str, Tensor]]:
    """Record the maps of the passes inside, of some rows of the batch: layer -> [b, heads, pixels, words], in the order of the pass; None: of no layer.

    until  a layer after whose maps the pass ends (by an exception, caught here): what comes after them is not computed
    """
    seen: dict[str, Tensor] = {}
    if watch and not any(_attends(name, module) for name, module in unet.named_modules()):
        raise UserError("attention maps: this base mixes words and picture in one attention, so it has none of words alone. DreamBlend (--guide) and attention need another base.")
    layers = {name: module for name, module in unet.named_modules() if watch and _asked(name, module, watch)}
    usual = {name: layer.processor for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.processor = _Openly(name, usual[name], watch.largest, rows, name == until, seen)  # type: ignore  # not set_processor: it would log
    try:
        yield seen
    except _Enough:
        pass
    finally:
        for name, layer in layers.items():
            layer.processor = usual[name]


def _attends(name: str, module: nn.Module) -> bool:
    """Whether it is a layer that looks at words alone."""
    return name.endswith("attn2") and isinstance(module, Attention)


def _asked(name: str, module: nn.Module, watch: Watch) -> bool:
    return _attends(name, module) and name.startswith(watch.beginnings)


def coarsest(unet: Any, side: int) -> int:
    """Pixels a side of the coarsest cross-attention maps of a U-Net on latents of `side` pixels; each level but the last halves them."""
    blocks = unet.config.down_block_types
    if "CrossAttn" in (unet.config.mid_block_type or ""):
        return side // 2 ** (len(blocks) - 1)
    return side // 2 ** max(level for level, block in enumerate(blocks) if "CrossAttn" in block)
