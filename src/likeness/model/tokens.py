"""New words whose own rows are the parameters: the vocabulary of the tokenizer is neither trained nor restored.

A prompt is cut at the new words, and the rest goes to the tokenizer as ever. So no other prompt reads differently, upper case is
kept, and a word may be part of another: what `add_tokens` gets wrong (diffusers#4450, #1580).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPTokenizer

from ..files.errors import UserError
from ..files.words import BRACKETED, is_bracketed


class WordTable(nn.Embedding):
    """A text encoder's table of words, and behind its rows those of new words, each word a parameter of its own."""

    def __init__(self, table: nn.Embedding):
        super().__init__(table.num_embeddings, table.embedding_dim, _weight=table.weight)
        self.weight = table.weight  # the parameter itself, frozen or not
        self.words = nn.ParameterList()

    def add(self, like: Sequence[int], vectors: int) -> nn.Parameter:
        """Rows of a word that is `vectors` long, [vectors, width]; they begin as the rows `like`, in turn, and their ids follow those of all before."""
        with torch.no_grad():
            rows = self(torch.tensor([like[n % len(like)] for n in range(vectors)], device=self.weight.device))
        self.words.append(nn.Parameter(rows.clone()))
        return self.words[-1]

    @property
    def size(self) -> int:
        return self.num_embeddings + sum(len(rows) for rows in self.words)

    def forward(self, input: Tensor) -> Tensor:
        if not len(self.words):
            return super().forward(input)
        new = input >= self.num_embeddings
        known = super().forward(input.masked_fill(new, 0))
        own = F.embedding((input - self.num_embeddings).clamp(min=0), torch.cat(list(self.words)))
        return torch.where(new[..., None], own.to(known.dtype), known)


def pieces(tokenizer: CLIPTokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, truncation=False).input_ids


def read(tokenizer: CLIPTokenizer, prompt: str, words: Mapping[str, Sequence[int]]) -> list[int]:
    """The ids of a prompt without its ends; each new word becomes all of its rows."""
    if not words:
        return pieces(tokenizer, prompt)
    longest_first = sorted(words, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, longest_first))})", prompt)
    return [n for part in parts if part for n in (words[part] if part in words else pieces(tokenizer, part))]


def read_all(tokenizer: CLIPTokenizer, prompts: Sequence[str], words: Mapping[str, Sequence[int]]) -> Tensor:
    """Padded to the length that the text encoder reads, cut where a prompt is longer. [prompts, length]"""
    rows, length = [], tokenizer.model_max_length
    for prompt in prompts:
        inner = read(tokenizer, prompt, words)[: length - 2]
        row = [tokenizer.bos_token_id, *inner, tokenizer.eos_token_id]
        rows.append(row + [tokenizer.pad_token_id] * (length - len(row)))
    return torch.tensor(rows)


def places(tokenizer: CLIPTokenizer, prompt: str, words: Mapping[str, Sequence[int]]) -> list[tuple[str, list[int]]]:
    """The prompt's words and where each stands in its row of `read_all`, as far as it is read; a word of several pieces at several places."""
    found, at = [], 1  # behind the beginning
    for word in prompt.split():
        length = len(read(tokenizer, word, words))
        found.append((word, [place for place in range(at, at + length) if place < tokenizer.model_max_length - 1]))
        at += length
    return [(word, where) for word, where in found if where]


def check_word(word: str, tokenizers: Iterable[CLIPTokenizer] = ()) -> None:
    """Refuse a word that could be part of ordinary words, or means something to a tokenizer already; raises UserError."""
    if not is_bracketed(word):
        raise UserError(f"word {word!r}: {BRACKETED}.")
    if any(word in tokenizer.get_vocab() for tokenizer in tokenizers):
        raise UserError(f"word {word!r}: is in the vocabulary of this base already, and an export would overwrite what it means there. Choose another --identifier.")
