"""The plots of accuracy against size and latency, as inline SVG."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_kd.deployment.durations import duration
from keras_kd.reports import drawing, front, labels
from keras_kd.reports.quality import Quality, quality_of
from keras_kd.reports.rows import Row
from keras_kd.reports.style import look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from keras_kd.reports.report import Report

# A drawing of more points than these is higher, by so many pixels each.
_MANY, _HIGHER = 9, 20
# The marks of the shapes of rows, and their sizes.
_MARKS = (("o", 11), ("^", 11.5), ("D", 9), ("v", 11.5))


class Point(NamedTuple):
    """A row as a point of the plot, and the ends of its intervals where they are known."""

    series: int
    row: Row
    x: float
    y: float
    across: Sequence[float]
    along: Sequence[float]


class Axis(NamedTuple):
    """The horizontal axis: a figure of `Row`, divided by a unit."""

    key: str
    ends: tuple[str, ...]
    title: str
    unit: float
    tick: Callable[[float], str]
    text: Callable[[float], str]


AXES = {
    "bytes": Axis("bytes", (), "size (KiB)", 1024.0, drawing.number, lambda kib: f"{kib:,.4g} KiB"),
    "median_ms": Axis(
        "median_ms", ("median_low_ms", "median_high_ms"), "median time of one call", 1.0, duration, duration
    ),
}


def quality_plot(report: "Report", key: str) -> str | None:
    """Accuracy, or another metric, against size or time on a logarithmic axis; None if no row has both.

    The baseline is a square, the file to ship has a ring, bars are intervals, and a dashed line joins the
    rows that no other one beats in both.

    Args:
        report: The report.
        key: `"bytes"` or `"median_ms"`.
    """
    quality, axis = quality_of(report.rows), AXES[key]
    points = _points(report.rows, quality, axis)
    if not points:
        return None
    with drawing.settings():
        height = drawing.HEIGHT + _HIGHER * max(0, len(points) - _MANY)
        axes = drawing.axes(axis.title, quality.axis, scale="log", height=height)
        axes.xaxis.set_major_formatter(lambda value, _: axis.tick(value))
        _logarithmic(axes, [x for point in points for x in (point.x, *point.across)])
        heights = [y for point in points for y in (point.y, *point.along)]
        percent = quality.metric is None
        drawing.limit(axes, heights, least=1.0 if percent else 1e-3, most=100.0 if percent else math.inf)
        front_of_rows = front.front(report.rows, key) if quality.is_known else []
        _draw_front(axes, [next(p for p in points if p.row.name == name) for name in front_of_rows])
        tips = {}
        for point in points:
            _draw_point(axes, point, point.row.name == report.baseline)
            tips[f"mark-{point.series}"] = f"{point.row.name}: {quality.text(point.y)}, {axis.text(point.x)}"
        ship = None if report.choice is None else report.choice.name
        _ring(axes, [point for point in points if point.row.name == ship])
        _name_points(axes, points, ship)
        each = (f"{p.row.name} {quality.text(p.y)} at {axis.text(p.x)}" for p in points)
        return drawing.svg(axes, f"{quality.title} against {axis.title}. {'; '.join(each)}", tips)


def _points(rows: Sequence[Row], quality: Quality, axis: "Axis") -> list[Point]:
    """The rows that have both figures."""
    points = []
    for series, row in enumerate(rows):
        x, y = getattr(row, axis.key), quality.value(row)
        if y is None or not x or x <= 0:
            continue
        ends = [getattr(row, name) for name in axis.ends]
        across = [end / axis.unit for end in ends if end is not None and end > 0]
        points.append(Point(series, row, x / axis.unit, y, across, quality.ends(row)))
    return points


def _draw_point(axes: "Axes", point: Point, is_baseline: bool) -> None:
    colour = drawing.colour(point.series)
    bar: dict[str, Any] = {"color": colour, "linewidth": 1.5, "alpha": 0.45, "zorder": 2, "gid": "bar"}
    bar["clip_on"] = False
    if point.along:
        axes.plot([point.x] * len(point.along), point.along, **bar)
    if point.across:
        axes.plot(point.across, [point.y] * len(point.across), **bar)
    mark, size = ("s", 11) if is_baseline else _MARKS[look(point.series)[1]]
    style: dict[str, Any] = {"color": colour, "markeredgecolor": drawing.colour("paper"), "markersize": size}
    gid = f"mark-{point.series}"
    axes.plot([point.x], [point.y], mark, gid=gid, clip_on=False, zorder=3, **style)


def _draw_front(axes: "Axes", points: Sequence[Point]) -> None:
    style: dict[str, Any] = {
        "color": drawing.colour("soft"),
        "linewidth": 1.2,
        "dashes": (4, 3),
        "alpha": 0.8,
    }
    if len(points) > 1:
        axes.plot(
            [p.x for p in points], [p.y for p in points], gid="front", zorder=1.5, clip_on=False, **style
        )


def _ring(axes: "Axes", points: Sequence[Point]) -> None:
    style: dict[str, Any] = {"markerfacecolor": "none", "markeredgecolor": drawing.colour("accent")}
    for point in points:
        marker: dict[str, Any] = {"marker": "o", "markersize": 18, "markeredgewidth": 2, "zorder": 3.5}
        axes.plot([point.x], [point.y], gid="ring", clip_on=False, **marker, **style)


def _logarithmic(axes: "Axes", values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with a margin, spanning at least a factor of four."""
    from matplotlib.ticker import LogLocator

    low, high = min(values), max(values)
    widen = max(1.35, math.sqrt(4 / (high / low)))
    axes.set_xlim(low / widen, high * widen)
    subs = drawing.ROUND[:3] if high / low < 200 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=7))


def _bars(axes: "Axes", points: Sequence[Point]) -> np.ndarray:
    """Where the bars of all points are, as boxes in pixels."""
    ends = [[(point.x, y) for y in point.along] for point in points]
    ends += [[(x, point.y) for x in point.across] for point in points]
    bars = [axes.transData.transform(each) for each in ends if len(each) > 1]
    return np.reshape([[*bar.min(0) - 1, *bar.max(0) + 1] for bar in bars], (-1, 4))


def _name_points(axes: "Axes", points: Sequence[Point], ship: str | None) -> None:
    pixels = axes.transData.transform([(point.x, point.y) for point in points])
    names = labels.shorten_all([drawing.clean(point.row.name) for point in points])
    names = [f"{n} (ship)" if p.row.name == ship else n for n, p in zip(names, points, strict=True)]
    inside = np.array(axes.bbox.extents)
    for block in labels.place_labels(pixels, names, drawing.FONT, inside, _bars(axes, points)):
        at = pixels[block.members[0]]
        if block.tied:
            end = block.nearest(at)
            tie: dict[str, Any] = {"color": drawing.colour(points[block.members[0]].series), "alpha": 0.7}
            tie |= {"transform": None, "gid": "leader", "clip_on": False}
            axes.plot(*zip(at, end, strict=True), linewidth=1, zorder=2, **tie)
        left, _, right, top = block.box
        x, side = (left + right) / 2, "center"
        # The box is an estimate: text beside its point starts at the side of the point, with no gap.
        if at[0] <= left + labels.MARKER:
            x, side = left + 2, "left"
        elif at[0] >= right - labels.MARKER:
            x, side = right - 2, "right"
        for line, text in enumerate(block.lines):
            drawing.write(axes, x, top - labels.LINE * (line + 0.5), text, "ink", side)
