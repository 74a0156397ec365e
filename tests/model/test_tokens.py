"""New words: other prompts read as before, words may be parts of words, and no row of the vocabulary moves. T30, T32."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from likeness.files.errors import UserError
from likeness.learning.method import Subject
from likeness.methods.lora import LoRA
from likeness.model.base import Base
from likeness.model.tokens import read

PROMPTS = ["a photo of a dog on the beach", "A Photo, of a CAT!", "", "a dog's <b> snow", "at <sks", "émigré 狗 🐕"]


def test_other_prompts_read_as_before(tiny_base):
    before = tiny_base.token_ids(PROMPTS)
    whole = tiny_base.tokenizer(PROMPTS, padding="max_length", truncation=True, return_tensors="pt").input_ids
    assert torch.equal(before, whole)
    for word in ("<sks>", "<at>", "<Dog>"):
        tiny_base.add_word(word, "dog", 2)
    assert torch.equal(tiny_base.token_ids(PROMPTS), before)


@pytest.mark.parametrize(("word", "other"), [("<dog>", "<dogs>"), ("<a>", "<A>"), ("<new1>", "<new11>")])
def test_a_word_is_told_from_its_likes(word, other, tiny_base):
    """Substrings, prefixes, upper case: what replace() and the tokenizer's lower-casing get wrong."""
    tiny_base.add_word(word, "dog", 2)
    tiny_base.add_word(other, "cat", 1)
    ids = read(tiny_base.tokenizer, f"{other} {word}{other}", tiny_base.words)
    assert ids == [*tiny_base.words[other], *tiny_base.words[word], *tiny_base.words[other]]


def test_all_vectors_are_read(tiny_base):
    """diffusers#4450: an encoder of its own that does not expand a word trains the first vector alone."""
    rows = tiny_base.add_word("<sks>", "dog", 3)["text_encoder"]
    tiny_base.condition(["a photo of a <sks> in the snow"]).states.square().sum().backward()
    assert rows.grad is not None and (rows.grad.abs().sum(1) > 0).all()


def test_a_new_word_begins_as_its_initializer(tiny_base):
    plain = tiny_base.condition(["a photo of a dog"]).states
    tiny_base.add_word("<sks>", "dog", 1)
    assert torch.equal(tiny_base.condition(["a photo of a <sks>"]).states, plain)


@pytest.mark.parametrize("word", ["dog", "at", "", "<two words>", "<>", "<a", "a>", "<a><b>"])
def test_a_word_that_could_be_ordinary_text_is_refused(word, tiny_base):
    with pytest.raises(UserError, match="angle brackets"):
        tiny_base.add_word(word, "dog", 1)


@pytest.mark.parametrize("kind", ["epsilon", "sdxl"])
@pytest.mark.parametrize("word", ["<|endoftext|>", "<|startoftext|>"])
def test_a_word_of_the_vocabulary_is_refused(word, kind, tiny_folders):
    """An export would overwrite its row, and every prompt has it."""
    with pytest.raises(UserError, match="is in the vocabulary"):
        Base.open(str(tiny_folders[kind])).add_word(word, "dog", 1)


def test_an_initializer_without_a_word_is_refused(tiny_base):
    with pytest.raises(UserError, match="holds no word"):
        tiny_base.add_word("<sks>", " ", 1)


def test_what_is_cut_off_is_named(tiny_base):
    """T32: a word at the end of a prompt that is too long."""
    tiny_base.add_word("<sks>", "dog", 4)
    assert tiny_base.cut_off("a photo of a <sks>") == ""
    long = "a photo " * (tiny_base.tokenizer.model_max_length // 2 - 2) + "a <sks>"
    assert "<sks>" in tiny_base.cut_off(long)


def test_a_name_of_several_tokens_that_is_cut_off_is_found(tiny_base):
    """Its pieces are cut off, and no word that anybody typed."""
    method = LoRA.unattached(LoRA.Spec(use_captions=True), tiny_base)
    picture = Image.new("RGB", (16, 16))
    long = "a photo " * (tiny_base.tokenizer.model_max_length // 2) + "of {}"
    with pytest.raises(UserError, match="xyz dog is cut off. Shorten it"):
        method.captions(Subject([picture], "dog", "xyz", captions=[long]))
    assert method.captions(Subject([picture], "dog", "xyz", captions=["a photo of {}"])) == [("a photo of xyz dog",)]


def test_sdxl_pools_where_the_prompt_ends(tiny_folders):
    """transformers#21029: with the published, wrong eos id the pooled vector is that of the highest id, which is a new word's."""
    base = Base.open(str(tiny_folders["sdxl"]))
    plain = base.condition(["a photo of a dog"]).pooled
    base.add_word("<sks>", "dog", 1)
    pooled = base.condition(["a photo of a <sks>"]).pooled
    assert plain is not None and pooled is not None
    torch.testing.assert_close(pooled, plain, atol=1e-6, rtol=1e-6)
