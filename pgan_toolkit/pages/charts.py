"""Charts as SVG: lines over two axes, and bars in groups.

A chart is told to those who do not see it: by its role, title and description, and by the table of
its numbers, which the page shows on demand. What sides are is told by dashes and shapes too, not by
colour alone. Colours are the page's: elements have a class, no style.
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pgan_toolkit.pages.axes import Axis
from pgan_toolkit.pages.tables import Cell, Table

__all__ = ["BarGroup", "Chart", "Line", "bar_chart", "line_chart"]

_WIDTH, _HEIGHT = 480, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 466, 34, 236
_LINE = 16


@dataclass(frozen=True)
class Chart:
    """A drawn chart. Attributes: `title`, `svg` (an element as text), `table` of its numbers."""

    title: str
    svg: str
    table: Table | None = None


@dataclass(frozen=True)
class Line:
    """One line. Attributes: `name`, `kind` (its class: "real", "fake", ...), `x` and `y`."""

    name: str
    kind: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class BarGroup:
    """The bars of one kind. Attributes: `name`, `kind`, `values` and, of each, its `errors`."""

    name: str
    kind: str
    values: Sequence[float]
    errors: Sequence[float | None] = ()


def line_chart(
    lines: Sequence[Line],
    *,
    axes: tuple[Axis, Axis],
    title: str,
    description: str,
    marks: Mapping[float, str] | None = None,
    points: bool = False,
) -> Chart:
    """Draw lines; points that are not finite are left out.

    Parameters
    ----------
    lines : sequence of Line
        What is drawn.
    axes : tuple of Axis
        Horizontal and vertical.
    title, description : str
        What it shows, and in a sentence what there is to see.
    marks : Mapping of float to str
        x -> what is said of an upright line there.
    points : bool
        Whether the points are drawn too, as where there are few.
    """
    svg = _frame(title, description, axes)
    _legend(svg, [(line.name, line.kind) for line in lines], bars=False)
    for value, text in (marks or {}).items():
        x = _x(axes[0], value)
        _line(svg, (x, _TOP), (x, _BOTTOM), "mark")
        _text(svg, x + 4 if x < 350 else x - 4, _TOP + 12, text, "start" if x < 350 else "end")
    for line in lines:
        places = [
            (_x(axes[0], x), _y(axes[1], y))
            for x, y in zip(line.x, line.y, strict=True)
            if math.isfinite(y)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        _add(svg, "polyline", {"points": path, "class": f"line {line.kind}"})
        for x, y in places if points else ():
            _add(svg, "circle", {"cx": x, "cy": y, "r": 4, "class": f"fill {line.kind}"})
    return Chart(title, ET.tostring(svg, encoding="unicode"))


def bar_chart(
    groups: Sequence[BarGroup],
    *,
    labels: Sequence[str],
    axis: Axis,
    title: str,
    description: str,
) -> Chart:
    """Draw a bar of each group for each label, with its value, and its error where it is known.

    Parameters
    ----------
    groups : sequence of BarGroup
        At least one.
    labels : sequence of str
        What stands below; as many as each group has values.
    axis : Axis
        Of the values, with 0 on it.
    title, description : str
        As of `line_chart`.
    """
    across = Axis(label="", low=0, high=len(labels))
    svg = _frame(title, description, (across, axis))
    _legend(svg, [(group.name, group.kind) for group in groups], bars=True)
    room = (_RIGHT - _LEFT) / max(len(labels), 1)
    width = 0.8 * room / len(groups)
    for place, label in enumerate(labels):
        left = _LEFT + place * room + 0.1 * room
        _text(svg, left + 0.4 * room, _BOTTOM + _LINE + 2, label, "middle")
        for number, group in enumerate(groups):
            _bar(svg, group, place, axis=axis, left=left + number * width, width=width)
    table = Table(
        ("", *(group.name for group in groups)),
        [
            (Cell(label), *(Cell.number(group.values[place]) for group in groups))
            for place, label in enumerate(labels)
        ],
    )
    return Chart(title, ET.tostring(svg, encoding="unicode"), table)


def _bar(
    svg: ET.Element, group: BarGroup, place: int, *, axis: Axis, left: float, width: float
) -> None:
    value = group.values[place]
    if not math.isfinite(value):
        return
    top, foot, middle = _y(axis, max(value, 0)), _y(axis, min(value, 0)), left + width / 2
    shape = {"x": left + 1, "y": top, "width": width - 2, "height": max(foot - top, 0.5)}
    _add(svg, "rect", {**shape, "class": f"bar {group.kind}"})
    error = group.errors[place] if group.errors else None
    if error is not None and math.isfinite(error):
        low, high = _y(axis, value - error), _y(axis, value + error)
        _line(svg, (middle, low), (middle, high), "whisker")
        top = min(top, high)
    if width > 22:
        _text(svg, middle, top - 4, f"{value:.3g}", "middle")


def _frame(title: str, description: str, axes: tuple[Axis, Axis]) -> ET.Element:
    """Return a drawing of the axes and their ticks."""
    named = f"{title}. {description}"
    view = f"0 0 {_WIDTH} {_HEIGHT}"
    svg = ET.Element("svg", {"viewBox": view, "role": "img", "aria-label": named})
    ET.SubElement(svg, "title").text = title
    ET.SubElement(svg, "desc").text = description
    across, up = axes
    for value, text in up.ticks.items():
        y = _y(up, value)
        _line(svg, (_LEFT, y), (_RIGHT, y), "grid")
        _text(svg, _LEFT - 6, y + 5, text, "end")
    for value, text in across.ticks.items():
        _text(svg, _x(across, value), _BOTTOM + _LINE + 2, text, "middle")
    _line(svg, (_LEFT, _BOTTOM), (_RIGHT, _BOTTOM), "axis")
    _text(svg, _RIGHT, _BOTTOM + 2 * _LINE + 1, across.label, "end")
    _text(svg, 4, _TOP - 18, up.label, "start")
    return svg


def _legend(svg: ET.Element, names: Sequence[tuple[str, str]], *, bars: bool) -> None:
    x, y = float(_LEFT), _HEIGHT - 8
    for name, kind in names:
        if bars:
            shape = {"x": x, "y": y - 6, "width": 26, "height": 12}
            _add(svg, "rect", {**shape, "class": f"bar {kind}"})
        else:
            _line(svg, (x, y), (x + 26, y), f"line {kind}")
        _text(svg, x + 32, y + 5, name, "start")
        x += 50 + 8 * len(name)


def _x(axis: Axis, value: float) -> float:
    return _LEFT + axis.share(value) * (_RIGHT - _LEFT)


def _y(axis: Axis, value: float) -> float:
    return _BOTTOM - axis.share(value) * (_BOTTOM - _TOP)


def _text(svg: ET.Element, x: float, y: float, text: str, anchor: str) -> None:
    _add(svg, "text", {"x": x, "y": y, "text-anchor": anchor}).text = text


def _line(svg: ET.Element, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
    places = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    _add(svg, "line", {**places, "class": kind})


def _add(svg: ET.Element, tag: str, attributes: Mapping[str, float | str]) -> ET.Element:
    values = {
        name: f"{value:.1f}" if isinstance(value, float) else str(value)
        for name, value in attributes.items()
    }
    return ET.SubElement(svg, tag, values)
