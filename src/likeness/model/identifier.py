"""What a base's tokenizer makes of the identifier: T30, XavierXiao/Dreambooth-Stable-Diffusion#71."""

from __future__ import annotations

from transformers import CLIPTokenizer

from ..files.errors import UserError

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
