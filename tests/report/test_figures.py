"""Curves of an audit: each can be told from the others, and its name lies on none of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from delineate.audits import Chart
from delineate.audits.section import Curve
from delineate.report import figures


@pytest.fixture
def drawn(monkeypatch) -> list[Figure]:
    """The figures that are made, as matplotlib has them after they were written."""
    made: list[Figure] = []
    written = figures.png
    monkeypatch.setattr(figures, "png", lambda figure: (made.append(figure), written(figure))[1])
    return made


@pytest.mark.parametrize("count", [10, 19])
def test_many_curves_differ_in_look_and_are_named_beside_the_axes(drawn, count):
    lines = tuple(
        Curve(f"class_{k}, near borders, as it is", (0.0, 1.0), (k / count, 1.0)) for k in range(count)
    )
    figures.curves(Chart("Reliability", "probability", "share", lines), theme="light")
    (axes,) = drawn[0].axes
    looks = [(line.get_color(), line.get_linestyle()) for line in axes.get_lines()]
    assert len(set(looks)) == count
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1
    assert all(one.y0 >= other.y1 - 1 for one, other in pairwise(_names(axes)))


def _names(axes):
    return [text.get_window_extent() for text in axes.get_legend().get_texts()]
