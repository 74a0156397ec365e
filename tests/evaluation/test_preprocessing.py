"""Pictures are prepared to the last bit as transformers prepares them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers import BitImageProcessorPil, CLIPImageProcessorPil, ViTImageProcessorPil

from likeness.evaluation.encoders import EncoderError
from likeness.evaluation.loading import EMBEDDED, PUBLISHED_DINO_PREPROCESSING, load_clip
from likeness.evaluation.preprocessing import preparation, prepared

PROCESSORS = {
    "CLIP": CLIPImageProcessorPil(size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}),
    "a crop with odd rests": CLIPImageProcessorPil(size={"shortest_edge": 41}, crop_size={"height": 30, "width": 33}),
    "a crop larger than the picture": BitImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 32, "width": 27}),
    "published DINO": BitImageProcessorPil.from_dict(PUBLISHED_DINO_PREPROCESSING),
    "stretched": ViTImageProcessorPil(size={"height": 24, "width": 36}, resample=3),
    "not resized": ViTImageProcessorPil(do_resize=False),
    "not normalised": ViTImageProcessorPil(do_normalize=False),
    "not scaled": CLIPImageProcessorPil(do_rescale=False),
}


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS.keys())
@pytest.mark.parametrize("size", [(64, 64), (37, 50), (91, 33), (224, 224)], ids=str)
def test_a_picture_is_prepared_as_its_processor_would(processor: Any, size: tuple[int, int]):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    for shown in (picture, picture.convert("L")):
        expected = processor([shown.convert("RGB")], return_tensors="np")["pixel_values"][0]
        ours = prepared(processor, shown)
        assert ours.dtype == np.float32 and np.array_equal(ours, expected)


def test_preparations_are_alike_where_the_same_is_done():
    one, same = (load_clip(EMBEDDED / "clip").processor, ViTImageProcessorPil(size={"height": 96, "width": 96}, resample=3, image_mean=[0.5] * 3, image_std=[0.5] * 3))
    assert preparation(one) == preparation(same)
    assert len({preparation(processor) for processor in PROCESSORS.values()}) == len(PROCESSORS)


def test_a_size_that_nobody_publishes_is_refused(tmp_path):
    for file in (EMBEDDED / "clip").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((tmp_path / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings | {"size": {"shortest_edge": 20, "longest_edge": 40}}))
    with pytest.raises(EncoderError, match="known are height and width, and shortest_edge alone"):
        load_clip(tmp_path)
