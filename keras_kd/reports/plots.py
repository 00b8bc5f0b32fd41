"""The plots of a report as inline SVG: accuracy against size and latency, and training curves."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_kd.reports import drawing, labels
from keras_kd.reports.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = Mapping[str, Mapping[str, Sequence[float | None]]]

# A name farther than this from its point, in pixels, is connected to it by a line.
_NEAR = 14


class Point(NamedTuple):
    """A row as a point of the plot."""

    series: int
    row: Row
    x: float
    y: float


class Line(NamedTuple):
    """One curve: (epoch, value) pairs."""

    name: str
    key: str
    points: list[tuple[int, float]]

    @property
    def validation(self) -> bool:
        """Whether it was measured on data not used for training."""
        return self.key.startswith("val_")


class Quality(NamedTuple):
    """What the plots show against size and time: the accuracy, or the metric that was asked for."""

    name: str
    axis: str
    unit: str
    value: Callable[[Row], float | None]
    digits: str

    @property
    def title(self) -> str:
        """The name at the start of a sentence."""
        return self.name[:1].upper() + self.name[1:]

    def text(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:{self.digits}}{self.unit}"


def quality_of(rows: Sequence[Row]) -> Quality:
    """What the rows were measured by."""
    name = next((row.metric for row in rows if row.metric), None)
    if name is not None:
        return Quality(name, name, "", lambda row: row.metric_value, ".5g")
    return Quality("accuracy", "accuracy (%)", " %", _percent, ".2f")


def _percent(row: Row) -> float | None:
    return None if row.accuracy is None else 100 * row.accuracy


def quality_plot(rows: Sequence[Row], key: str, title: str, unit: float, baseline: str | None) -> str | None:
    """Accuracy, or another metric, against a figure of `Row` on a logarithmic axis; None if no row has both.

    Args:
        rows: The rows of the report.
        key: `"bytes"` or `"median_ms"`.
        title: The title of the horizontal axis.
        unit: What the figure is divided by.
        baseline: The name of the row that is drawn as a square.
    """
    quality = quality_of(rows)
    values = [quality.value(row) for row in rows]
    points = [
        Point(i, row, getattr(row, key) / unit, value)
        for i, (row, value) in enumerate(zip(rows, values, strict=True))
        if value is not None and (getattr(row, key) or 0) > 0
    ]
    if not points:
        return None
    with drawing.settings():
        axes = drawing.axes(title, quality.axis, scale="log")
        _logarithmic(axes, [point.x for point in points])
        _limit(axes, [point.y for point in points], least=1.0 if quality.unit else 1e-3)
        tips = {}
        for series, row, x, y in points:
            marker, gid = "s" if row.name == baseline else "o", f"mark-{series}"
            style: dict[str, Any] = {
                "color": drawing.colour(series),
                "markeredgecolor": drawing.colour("paper"),
            }
            axes.plot([x], [y], marker, markersize=11, gid=gid, clip_on=False, zorder=3, **style)
            tips[gid] = f"{row.name}: {quality.text(y)}, {x:,.3g}"
        _name_points(axes, points)
        description = "; ".join(f"{row.name} {quality.text(y)} at {x:,.4g}" for _, row, x, y in points)
        return drawing.svg(axes, f"{quality.title} against {title}. {description}", tips)


def _logarithmic(axes: "Axes", values: Sequence[float]) -> None:
    """Make the horizontal axis logarithmic, with a margin, spanning at least a factor of four."""
    from matplotlib.ticker import LogLocator

    low, high = min(values), max(values)
    widen = max(1.35, math.sqrt(4 / (high / low)))
    axes.set_xlim(low / widen, high * widen)
    subs = drawing.ROUND[:3] if high / low < 200 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=7))


def _limit(axes: "Axes", values: Sequence[float], least: float) -> None:
    """Give the vertical axis a margin, and a span of at least `least`."""
    low, high = min(values), max(values)
    margin = max(0.16 * (high - low), (least - (high - low)) / 2)
    axes.set_ylim(low - margin, high + margin)


def _name_points(axes: "Axes", points: Sequence[Point]) -> None:
    pixels = axes.transData.transform([(point.x, point.y) for point in points])
    names = [labels.shorten(drawing.clean(point.row.name)) for point in points]
    for block in labels.place_labels(pixels, names, drawing.FONT, np.array(axes.bbox.extents)):
        at = pixels[block.members[0]]
        end = block.nearest(at)
        if math.dist(at, end) >= _NEAR:
            tie: dict[str, Any] = {"color": drawing.colour(points[block.members[0]].series), "alpha": 0.7}
            axes.plot(*zip(at, end, strict=True), transform=None, gid="leader", linewidth=1, zorder=2, **tie)
        left, _, right, top = block.box
        x, side = (left + right) / 2, "center"
        # The box is an estimate: text beside its point starts at the side that faces it, with no gap.
        if at[0] <= left:
            x, side = left + 2, "left"
        elif at[0] >= right:
            x, side = right - 2, "right"
        for line, i in enumerate(block.members):
            _write(axes, x, top - labels.LINE * (line + 0.5), names[i], "ink", side)


def _write(axes: "Axes", x: float, y: float, name: str, colour: str | int, side: str) -> None:
    style: dict[str, Any] = {
        "color": drawing.colour(colour),
        "horizontalalignment": side,
        "verticalalignment": "center",
    }
    axes.text(x, y, name, transform=None, gid="name", zorder=4, **style)


def curve_plots(curves: Curves, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(caption, SVG) of the first accuracy metric and of the loss over the epochs, if they exist."""
    metrics = list(
        dict.fromkeys(metric.removeprefix("val_") for history in curves.values() for metric in history)
    )
    wanted = [metric for metric in metrics if "acc" in metric][:1] + [m for m in metrics if m == "loss"]
    order = list(dict.fromkeys([row.name for row in rows] + list(curves)))
    drawn = [(metric, _lines(metric, curves)) for metric in wanted]
    return [(metric, _curve_plot(metric, lines, order)) for metric, lines in drawn if lines]


def _lines(metric: str, curves: Curves) -> list[Line]:
    # The training losses have different objectives; only validation losses can be compared.
    validated = any(f"val_{metric}" in history for history in curves.values())
    keys = [f"val_{metric}"] if metric == "loss" and validated else [metric, f"val_{metric}"]
    lines = [
        Line(name, key, [(i + 1, v) for i, v in enumerate(history.get(key, ())) if v is not None])
        for name, history in curves.items()
        for key in keys
    ]
    return [line for line in lines if line.points]


def _curve_plot(metric: str, lines: Sequence[Line], order: Sequence[str]) -> str:
    """One metric of all models; `order` determines their colors."""
    from matplotlib.ticker import MaxNLocator

    names = {line.name: labels.shorten(drawing.clean(line.name)) for line in lines}
    last = max(epoch for line in lines for epoch, _ in line.points)
    with drawing.settings():
        room = drawing.RIGHT + 12 + labels.width(list(names.values()), drawing.FONT)
        axes = drawing.axes("epoch", metric, right=room)
        axes.set_xlim(1, max(last, 2))
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=drawing.ROUND, integer=True))
        _limit(axes, [value for line in lines for _, value in line.points], least=1e-3)
        tips = {}
        for number, line in enumerate(lines):
            tips[f"line-{number}"] = f"{line.name}, {line.key}"
            # The validation curve is drawn over the training curve, as it matters more.
            solid: dict[str, Any] = {"linestyle": "-", "linewidth": 2.0, "zorder": 3.0}
            style: dict[str, Any] = (
                solid if line.validation else {"linestyle": ":", "linewidth": 1.5, "zorder": 2.0}
            )
            style |= {"marker": "o" if len(line.points) == 1 else "", "clip_on": False}
            colour = drawing.colour(order.index(line.name))
            axes.plot(*zip(*line.points, strict=True), color=colour, gid=f"line-{number}", **style)
        _name_ends(axes, lines, names, order)
        description = "; ".join(f"{line.name} {line.key} ends at {line.points[-1][1]:.4g}" for line in lines)
        return drawing.svg(axes, f"{metric} over {last} epochs. {description}", tips)


def _name_ends(axes: "Axes", lines: Sequence[Line], names: Mapping[str, str], order: Sequence[str]) -> None:
    """Write each model's name at the right end, pushed apart where curves end close together."""
    # The validation curve comes last for each model and determines where its name goes.
    ends = {line.name: axes.transData.transform(line.points[-1])[1] for line in lines}
    lowest = math.inf
    heights = {}
    for name, height in sorted(ends.items(), key=lambda pair: -pair[1]):
        lowest = heights[name] = min(height, lowest - labels.LINE)
    under = max(0.0, axes.bbox.y0 + 4 - lowest)
    for name, height in heights.items():
        _write(axes, axes.bbox.x1 + 8, height + under, names[name], order.index(name), "left")
