"""Charts: where values lie, what is said to those who do not see, and that texts stay texts."""

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgan_toolkit.pages import (
    Axis,
    BarGroup,
    Line,
    bar_chart,
    line_chart,
    linear_axis,
    log_axis,
)

finite = st.floats(-1e9, 1e9, allow_nan=False)


def _axes() -> tuple[Axis, Axis]:
    return linear_axis([0, 10], label="x"), linear_axis([0, 4], label="y")


@given(st.lists(finite, min_size=1, max_size=20), st.booleans())
def test_a_linear_axis_holds_all_values_between_a_few_ticks(
    values: list[float], from_zero: bool
) -> None:
    axis = linear_axis(values, label="", from_zero=from_zero)
    assert axis.low < axis.high
    room = 1e-9 * max(map(abs, (axis.low, axis.high)))
    assert axis.low - room <= min(values)
    assert axis.high + room >= max(values)
    assert 2 <= len(axis.ticks) <= 12
    assert not from_zero or axis.low <= 0 <= axis.high


@pytest.mark.parametrize(
    ("power", "text"), [(-2, "0.01"), (0, "1"), (3, "1k"), (5, "100k"), (6, "1M"), (10, "10G")]
)
def test_powers_of_ten_are_short(power: int, text: str) -> None:
    assert log_axis([10.0**power, 10.0**power], label="").ticks[10.0**power] == text


def test_equal_ratios_are_equally_long_on_a_logarithmic_axis() -> None:
    axis = log_axis([1, 10_000], label="")
    assert [axis.share(v) for v in (1, 100, 10_000)] == pytest.approx([0, 0.5, 1])
    assert axis.share(1e-9) == 0


def test_a_line_passes_where_its_points_are() -> None:
    chart = line_chart(
        [Line("a", "real", [0, 5, 10], [0, math.nan, 4])],
        axes=_axes(), title="T", description="D",
    )  # fmt: skip
    line = ET.fromstring(chart.svg).find("polyline")
    assert line is not None
    assert line.get("points") == "58.0,236.0 466.0,34.0"  # the corners; what is NaN is left out


def test_a_bar_is_as_high_as_its_value_and_its_numbers_are_told() -> None:
    chart = bar_chart(
        [BarGroup("a", "real", [2.0, math.nan], [0.5, None])],
        labels=["one", "two"], axis=linear_axis([0, 4], label="y"), title="T", description="D",
    )  # fmt: skip
    bars = ET.fromstring(chart.svg).findall("rect")
    assert [bar.get("height") for bar in bars] == ["12", "101.0"]  # the legend's, and the bar
    assert chart.table is not None
    assert [[cell.text for cell in row] for row in chart.table.rows] == [["one", "2"], ["two", "-"]]


def test_a_chart_is_named_and_described() -> None:
    chart = line_chart([Line("a", "real", [0], [0])], axes=_axes(), title="T", description="D")
    svg = ET.fromstring(chart.svg)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == "T. D"
    assert [svg[0].tag, svg[0].text, svg[1].tag, svg[1].text] == ["title", "T", "desc", "D"]


def test_texts_cannot_leave_their_place() -> None:
    hostile = "</text><script>alert(1)</script>\"' onload='x"
    chart = line_chart(
        [Line(hostile, "real", [0], [1])],
        axes=_axes(), title=hostile, description=hostile, marks={3.0: hostile},
    )  # fmt: skip
    svg = ET.fromstring(chart.svg)
    assert not list(svg.iter("script"))
    assert {name for element in svg.iter() for name in element.attrib} <= {
        "viewBox", "role", "aria-label", "class", "x", "y", "x1", "x2", "y1", "y2", "points",
        "text-anchor",
    }  # fmt: skip
    assert [text.text for text in svg.iter("text")].count(hostile) == 2
