import random
import re
from xml.etree import ElementTree

import pytest

from likeness.evaluation.statistics import Estimate
from likeness.report.plots import loss_curve, score_plot


def coordinates(svg: str) -> list[float]:
    """Every x and y in the drawing; it is well-formed XML, or this raises."""
    places = []
    for element in ElementTree.fromstring(svg).iter():
        places += [
            float(element.attrib[name]) for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy") if name in element.attrib
        ]
        places += [float(place) for place in re.findall(r"-?[\d.]+", element.attrib.get("points", ""))]
    return places


@pytest.mark.parametrize(
    "points",
    [
        [(1.0, 0.5)],
        [(1.0, 0.5), (2.0, 0.5)],
        [(0.0, 0.0), (1.0, 0.0)],
        [(step, -1.0 + step / 50) for step in range(100)],  # a reward's loss may be negative
        [(step, 10.0**-step) for step in range(12)],
        [(step, 1e-9) for step in range(5)],
        [(step, 1e12 * step) for step in range(5)],
        [(step, random.Random(0).lognormvariate(0, 1)) for step in range(20_000)],
    ],
)
def test_loss_curve_stays_in_its_frame(points: list[tuple[float, float]]):
    svg = loss_curve({"denoising": points})
    assert all(-1 <= place <= 561 for place in coordinates(svg))
    assert svg.count("<circle") <= 500 and len(svg) < 60_000


def test_loss_axis_is_logarithmic_only_where_a_logarithm_helps_and_exists():
    assert "logarithmic" in loss_curve({"a": [(1, 0.01), (2, 1.0)]})
    assert "logarithmic" not in loss_curve({"a": [(1, 0.5), (2, 1.0)]})
    assert "logarithmic" not in loss_curve({"a": [(1, -0.01), (2, 1.0)]})


def test_running_mean_of_a_constant_is_the_constant():
    line = re.findall(r'points="([^"]*)"', loss_curve({"a": [(step, 0.25) for step in range(50)]}))[0]
    assert len({point.split(",")[1] for point in line.split()}) == 1


def test_nothing_to_plot_is_an_empty_plot():
    assert loss_curve({}) == loss_curve({"a": []}) == score_plot("dino", {}, None, None) == ""


def test_score_plot_stays_in_its_frame_and_draws_every_interval():
    rows = {"personalized": Estimate(0.7, 0.65, 0.75, 9), "base": Estimate(0.4, None, None, 1)}
    svg = score_plot("dino", rows, Estimate(0.35, 0.3, 0.4, 9), Estimate(0.9, 0.88, 0.92, 9))
    assert all(0 <= place <= 420 for place in coordinates(svg))
    assert svg.count("<circle") == 2 and svg.count("<rect") == 2 and "floor 0.350" in svg and "ceiling 0.900" in svg
    same = Estimate(0.5, 0.5, 0.5, 3)
    assert all(0 <= place <= 420 for place in coordinates(score_plot("dino", {"a": same, "b" * 300: same}, None, None)))


def test_bounds_are_told_to_those_who_do_not_see():
    assert 'aria-label="dino: personalized 0.700 [0.650, 0.750]; floor 0.350 [no interval, n = 1]"' in score_plot("dino", {"personalized": Estimate(0.7, 0.65, 0.75, 9)}, Estimate(0.35, None, None, 1), None)
