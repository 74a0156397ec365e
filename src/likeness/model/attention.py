"""Cross-attention maps of a U-Net while it runs: where in the picture each word of the prompt is looked for.

Fused attention (SDPA) never returns probabilities, so on the layers that are asked the softmax is computed openly; with 77 words that is cheap. Everything else keeps
the processor that it had. A network that was altered by folding, as all of ours are, stays altered: only the processors are exchanged, and put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from ..files.errors import UserError


class Enough(Exception):
    """The last layer that was asked for has been seen."""


class Maps:
    """What one pass of the network attended to: layer -> probabilities [b, heads, pixels, words], in the order of the pass."""

    def __init__(self, rows: slice, until: str | None) -> None:
        self.rows, self.until = rows, until
        self.seen: dict[str, Tensor] = {}

    def add(self, layer: str, probabilities: Tensor) -> None:
        self.seen[layer] = probabilities[self.rows]
        if layer == self.until:
            raise Enough


class _Openly:
    """Cross-attention with the softmax in the open, as diffusers' own first processor computes it."""

    def __init__(self, layer: str, usual: Any, largest: int, maps: Maps) -> None:
        self.layer, self.usual, self.largest, self.maps = layer, usual, largest, maps

    def __call__(self, attention: Attention, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, attention_mask: Tensor | None = None, **rest: Any) -> Tensor:
        if hidden_states.shape[1] > self.largest**2 or encoder_hidden_states is None:
            return self.usual(attention, hidden_states, encoder_hidden_states, attention_mask, **rest)
        query, key, value = attention.to_q(hidden_states), attention.to_k(encoder_hidden_states), attention.to_v(encoder_hidden_states)  # type: ignore[misc]
        query, key, value = (attention.head_to_batch_dim(part) for part in (query, key, value))
        probabilities = attention.get_attention_scores(query, key, attention_mask)
        self.maps.add(self.layer, probabilities.unflatten(0, (len(hidden_states), attention.heads)))
        attended = attention.batch_to_head_dim(torch.bmm(probabilities, value))
        projected, dropout = attention.to_out  # type: ignore[misc]
        return dropout(projected(attended)) / attention.rescale_output_factor


@contextmanager
def watched(unet: nn.Module, largest: int, rows: slice = slice(None), until: str | None = None) -> Iterator[Maps]:
    """Record the maps of up to `largest` x `largest` pixels of the passes inside, of some rows of the batch.

    until  a layer after which the pass ends (by Enough, caught here): what comes after it is not computed
    """
    maps = Maps(rows, until)
    layers = {name: module for name, module in unet.named_modules() if name.endswith("attn2") and isinstance(module, Attention)}
    if not layers:
        raise UserError("attention maps: this base mixes words and picture in one attention, so it has none of words alone. DreamBlend (--guide) needs another base.")
    usual = {name: layer.processor for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.processor = _Openly(name, usual[name], largest, maps)  # type: ignore[assignment]  # not set_processor: it would log
    try:
        yield maps
    except Enough:
        pass
    finally:
        for name, layer in layers.items():
            layer.processor = usual[name]
