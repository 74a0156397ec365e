"""The checkpoints' drawings hold every point, stay in their frame, and escape what they are given."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from likeness.evaluation.operating_points import Choice, choose_checkpoint
from likeness.report.points import front_plot, score_curves, scores_of, spots_of


def chosen(steps: int, prompts: int = 3) -> Choice:
    lines = [
        {"step": 10 * step, "prompt": f"{prompt}", "seed": 0, "dino": 0.3 + 0.04 * step + 0.01 * prompt, "clip_t_class": 0.9 - 0.01 * step**2 - 0.02 * prompt}
        for step in range(1, steps + 1) for prompt in range(prompts)
    ]  # fmt: skip
    choice = choose_checkpoint(lines)
    assert choice is not None
    return choice


@pytest.mark.parametrize(("steps", "prompts"), [(2, 1), (2, 3), (8, 3)])
def test_every_checkpoint_is_a_point_within_the_frame(steps: int, prompts: int):
    choice = chosen(steps, prompts)
    for drawing in (score_curves(scores_of(choice.points)), front_plot(spots_of(choice, {}), "front")):
        tree = ElementTree.fromstring(drawing)
        places = [float(e.attrib[name]) for e in tree.iter() for name in ("cx", "cy") if name in e.attrib]
        places += [float(place) for e in tree.iter() for place in re.findall(r"-?[\d.]+", e.attrib.get("points", ""))]
        assert all(0 <= place <= 561 for place in places)
    assert str(front_plot(spots_of(choice, {}), "front")).count("<circle") == steps
    assert str(score_curves(scores_of(choice.points))).count("<circle") == 3 * steps


def test_a_points_picture_lies_on_it_and_is_escaped():
    choice = chosen(3)
    drawing = str(front_plot(spots_of(choice, {10: 'data:image/png;base64,"><script>', 20: "data:image/png;base64,AAAA"}), "front"))
    ElementTree.fromstring(drawing)
    assert drawing.count("<image") == 2 and "<script" not in drawing
    assert drawing.count("chosen") == 1
