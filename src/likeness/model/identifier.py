"""What a base makes of an identifier: its pieces, and how much it means. T30, T31, XavierXiao/Dreambooth-Stable-Diffusion#71."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import CLIPTokenizer

from ..files.errors import UserError
from ..files.typed import typed
from .base import Base

LOUD, NEUTRAL = "red", 0.25  # an identifier that says less than a quarter of what a plain colour word says is neutral
MANY = 4  # pieces: every one of them has a meaning of its own that the subject must be learned against


def check_words(tokenizer: CLIPTokenizer, identifier: str, class_noun: str) -> str | None:
    """A remark on an identifier that reads badly, None on a good one; UserError if the class noun says it already.

    Compared as tokens, since tokenizers ignore case: "Dog dog" would teach the subject to the word for all dogs.
    """
    pieces, noun = tokenizer.tokenize(identifier), tokenizer.tokenize(class_noun)
    if any(noun[n : n + len(pieces)] == pieces for n in range(len(noun))):
        raise UserError(f"identifier {identifier!r}: the class noun {class_noun!r} says it already. Choose one short word that means nothing, such as sks.")
    if len(pieces) < MANY:
        return None
    shown = " ".join(piece.removesuffix("</w>") for piece in pieces)
    return f"identifier {identifier!r} is {len(pieces)} pieces to this base ({shown}): a shorter word, such as sks, is learned faster"


def candidates(tokenizer: CLIPTokenizer, count: int) -> list[str]:
    """Words of three or four letters that are one token and come late in the vocabulary, where the rarest merges are."""
    words = [(n, piece.removesuffix("</w>")) for piece, n in tokenizer.get_vocab().items() if piece.endswith("</w>")]
    rare = [word for _, word in sorted(words, reverse=True) if word.isascii() and word.isalpha() and len(word) in (3, 4)]
    return rare[:count]


@torch.no_grad()
def meanings(base: Base, words: Sequence[str], noun: str = "dog", noises: int = 4, told: Callable[[str], None] = lambda word: None) -> dict[str, float]:
    """How much each word says to a base: the change of what it predicts of "a photo of a WORD dog" against "a photo of a dog".

    Relative to the whole prediction (root of the mean square), over three timesteps and `noises` noises each. 0: nothing at all.
    """
    generator = torch.Generator().manual_seed(0)
    last = base.scheduler.config.num_train_timesteps
    timesteps = torch.tensor([last // 4, last // 2, 3 * last // 4]).repeat(noises).to(base.device)
    side = base.resolution // base.pixels_per_latent
    latents = torch.randn(len(timesteps), base.channels, side, side, generator=generator).to(base.device)

    def predicted(prompt: str) -> Tensor:
        told = base.condition([prompt])  # one by one: it may be asked where memory is short
        return torch.cat([base.predict(latents[n : n + 1], timesteps[n : n + 1], told) for n in range(len(timesteps))])

    plain = predicted(f"a photo of a {noun}")
    found = {}
    for word in words:
        difference = predicted(f"a photo of a {word} {noun}") - plain
        found[word] = (difference.square().mean() / plain.square().mean()).sqrt().item()
        told(word)
    return found


def meaning_of_its_own(base: Base, identifier: str, noun: str) -> str | None:
    """A remark on an identifier that says a good part of what an ordinary word says to the base; None on a neutral one. Nine short predictions."""
    found = meanings(base, list(dict.fromkeys([identifier, LOUD])), noun, noises=1)
    if found[identifier] < NEUTRAL * found[LOUD]:
        return None
    share = found[identifier] / found[LOUD]
    return f"identifier {identifier!r} has a meaning of its own to this base: it says {share:.1f} times what {LOUD!r} says, which will mix with the subject. Neutral words: likeness identifiers --base {typed(base.name)} --noun {typed(noun.split()[-1])}"
