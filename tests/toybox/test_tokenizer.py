"""The toybox's own vocabulary, read by transformers' CLIPTokenizer alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers import CLIPTokenizer

from likeness.toybox import models
from likeness.toybox.loop import token_ids
from likeness.world.captions import NEUTRAL_WORDS, caption
from likeness.world.random_scenes import random_scene


def said(first: int, count: int) -> list[str]:
    generators = (np.random.default_rng((9, k)) for k in range(first, first + count))
    return [caption(random_scene(rng), rng).text for rng in generators]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    models.build_tokenizer(said(0, 2000), folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


def text_of(tokenizer: CLIPTokenizer, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()


def test_captions_come_back_whole(tokenizer):
    for text in said(10_000, 300):  # none that the vocabulary was made from
        assert text_of(tokenizer, tokenizer(text).input_ids).replace(" - ", "-") == text.lower()


def test_captions_fit_in_its_length(tokenizer):
    assert tokenizer.model_max_length == models.TEXT_LENGTH
    assert max(len(tokenizer(text).input_ids) for text in said(10_000, 300)) <= models.TEXT_LENGTH


def test_a_caption_is_framed_and_padded_as_clip_wants_it(tokenizer):
    ids = tokenizer("a red dog", padding="max_length").input_ids
    assert (ids[0], ids[4]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert set(ids[5:]) == {tokenizer.pad_token_id}
    assert tokenizer.eos_token_id == max(tokenizer.get_vocab().values())  # where older CLIPs look for the end


def test_sks_is_one_token(tokenizer):
    assert tokenizer.tokenize("sks") == ["sks</w>"]


@pytest.mark.parametrize("word", ["dog", "backpack", "watercolour", "sunflowers", "wizard", "sitting"])
def test_words_of_the_world_and_of_english_are_one_token(tokenizer, word):
    assert tokenizer.tokenize(word) == [f"{word}</w>"]


@pytest.mark.parametrize("word", ["wombat", "zyzzyva", "größe", "犬", "naïve", "x9q", "🐕", *NEUTRAL_WORDS])
def test_an_unknown_word_splits_and_does_not_vanish(tokenizer, word):
    ids = tokenizer(f"a {word} dog").input_ids[1:-1]
    assert tokenizer.unk_token_id not in ids
    assert text_of(tokenizer, ids).replace(" ", "") == f"a{word}dog"


def test_an_unknown_word_is_several_tokens(tokenizer):
    assert len(tokenizer.tokenize("zyzzyva")) > 1


def test_captions_become_the_ids_that_the_wrapper_gives(tokenizer):
    texts = [*said(2000, 50), "", "dog " * 60]
    assert token_ids(tokenizer, texts).equal(tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids)
