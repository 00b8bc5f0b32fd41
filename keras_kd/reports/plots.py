"""The plots of a report as inline SVG: accuracy against size and latency, and training curves."""

from collections.abc import Mapping, Sequence
from html import escape

from keras_kd.reports import axes, labels
from keras_kd.reports.rows import Row

Curves = Mapping[str, Mapping[str, Sequence[float | None]]]

COLOURS = 9
_BOTTOM = axes.HEIGHT - axes.BOTTOM
_RIGHT = axes.WIDTH - axes.RIGHT


def accuracy_plot(rows: Sequence[Row], key: str, title: str, unit: float, baseline: str | None) -> str | None:
    """Accuracy against a figure of `Row` on a logarithmic axis; None when no row has both.

    Args:
        rows: The rows of the report.
        key: `"bytes"` or `"median_ms"`.
        title: Title of the horizontal axis.
        unit: What the figure is divided by.
        baseline: Name of the row that is drawn as a square.
    """
    ranked = [(i, row, row.accuracy, (getattr(row, key) or 0) / unit) for i, row in enumerate(rows)]
    points = [
        (i, row, accuracy, value) for i, row, accuracy, value in ranked if accuracy is not None and value > 0
    ]
    if not points:
        return None
    x = axes.log_scale([value for *_, value in points], axes.LEFT, _RIGHT)
    y = axes.linear_scale([100 * accuracy for _, _, accuracy, _ in points], _BOTTOM, axes.TOP, least=1.0)
    parts = axes.frame(x, y, title, "accuracy (%)", axes.log_ticks(x), axes.number)
    places = [(x(value), y(100 * accuracy)) for _, _, accuracy, value in points]
    named = labels.place(places, [row.name for _, row, _, _ in points])
    leaders = [_leader(at, label, i) for at, label, (i, *_) in zip(places, named, points, strict=True)]
    marks = [
        _mark(at, i, f"{row.name}: {100 * accuracy:.2f} %, {value:,.3g}", row.name == baseline)
        for at, (i, row, accuracy, value) in zip(places, points, strict=True)
    ]
    names = [
        _name(at, label, row.name) for at, label, (_, row, *_) in zip(places, named, points, strict=True)
    ]
    said = "; ".join(
        f"{row.name} {100 * accuracy:.2f} % at {value:,.4g}" for _, row, accuracy, value in points
    )
    return axes.svg([*parts, *leaders, *marks, *names], f"Accuracy against {title}. {said}")


def _leader(at: tuple[float, float], label: labels.Label, index: int) -> str:
    x, y = label.block.nearest(*at)
    if (x - at[0]) ** 2 + (y - at[1]) ** 2 < 14**2:
        return ""
    return f'<path class="leader c{index % COLOURS}" d="M{at[0]:.1f} {at[1]:.1f}L{x:.1f} {y:.1f}"/>'


def _mark(at: tuple[float, float], index: int, tip: str, square: bool) -> str:
    style = f'class="mark c{index % COLOURS}"'
    title = f"<title>{escape(tip)}</title>"
    if square:
        return (
            f'<rect {style} x="{at[0] - 5.5:.1f}" y="{at[1] - 5.5:.1f}" width="11" height="11">{title}</rect>'
        )
    return f'<circle {style} cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5.5">{title}</circle>'


def _name(at: tuple[float, float], label: labels.Label, name: str) -> str:
    box = label.line
    # The box is an estimate: text beside its point starts at the side that faces it, so that no gap opens.
    x, anchor = (box.left + box.right) / 2, "middle"
    if at[0] <= box.left:
        x, anchor = box.left + 2, "start"
    elif at[0] >= box.right:
        x, anchor = box.right - 2, "end"
    text = escape(labels.shorten(name))
    return f'<text class="name" x="{x:.1f}" y="{box.bottom - 4:.1f}" text-anchor="{anchor}">{text}</text>'


def curve_plots(curves: Curves, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(caption, SVG) of the first accuracy and of the loss over the epochs, where there are any."""
    metrics = list(
        dict.fromkeys(metric.removeprefix("val_") for history in curves.values() for metric in history)
    )
    wanted = [metric for metric in metrics if "acc" in metric][:1] + [m for m in metrics if m == "loss"]
    plots = [(metric, _curve_plot(metric, curves, rows)) for metric in wanted]
    return [(metric, plot) for metric, plot in plots if plot is not None]


def _curve_plot(metric: str, curves: Curves, rows: Sequence[Row]) -> str | None:
    # Training losses are of different objectives; only the validation losses can be laid side by side.
    validated = any(f"val_{metric}" in history for history in curves.values())
    keys = [f"val_{metric}"] if metric == "loss" and validated else [metric, f"val_{metric}"]
    lines = [
        (name, key, [(i + 1, v) for i, v in enumerate(history.get(key, ())) if v is not None])
        for name, history in curves.items()
        for key in keys
    ]
    lines = [(name, key, points) for name, key, points in lines if points]
    if not lines:
        return None
    values = [value for *_, points in lines for _, value in points]
    last = max(epoch for *_, points in lines for epoch, _ in points)
    room = 12 + 0.6 * axes.FONT * max(len(labels.shorten(name)) for name, *_ in lines)
    x = axes.Scale(1, max(last, 2), axes.LEFT, _RIGHT - room)
    y = axes.linear_scale(values, _BOTTOM, axes.TOP, least=1e-3)
    ticks = [tick for tick in axes.linear_ticks(x) if tick == int(tick)]
    parts = axes.frame(x, y, "epoch", metric, ticks, axes.number)
    colours = _colours(curves, rows)
    # The training curve goes under the validation curve, which matters more.
    for name, key, points in sorted(lines, key=lambda line: line[1].startswith("val_")):
        parts.append(_line(points, x, y, colours[name], key.startswith("val_"), f"{name}, {key}"))
    parts += _line_names(lines, x, y, colours)
    said = "; ".join(f"{name} {key} ends at {points[-1][1]:.4g}" for name, key, points in lines)
    return axes.svg(parts, f"{metric} over {last} epochs. {said}")


def _colours(curves: Curves, rows: Sequence[Row]) -> dict[str, int]:
    order = list(dict.fromkeys([row.name for row in rows] + list(curves)))
    return {name: order.index(name) % COLOURS for name in curves}


def _line(
    points: Sequence[tuple[int, float]], x: axes.Scale, y: axes.Scale, colour: int, solid: bool, tip: str
) -> str:
    title = f"<title>{escape(tip)}</title>"
    places = [(x(epoch), y(value)) for epoch, value in points]
    if len(places) == 1:
        across, down = places[0]
        return f'<circle class="dot c{colour}" cx="{across:.1f}" cy="{down:.1f}" r="3">{title}</circle>'
    path = "L".join(f"{across:.1f} {down:.1f}" for across, down in places)
    return f'<path class="line c{colour}{"" if solid else " training"}" d="M{path}">{title}</path>'


def _line_names(
    lines: Sequence[tuple[str, str, list[tuple[int, float]]]],
    x: axes.Scale,
    y: axes.Scale,
    colours: Mapping[str, int],
) -> list[str]:
    """Each model's name at the right end, pushed apart where curves end together."""
    # The validation curve comes last for each model and decides where its name goes.
    ends = {name: y(points[-1][1]) for name, _, points in lines}
    step, lowest = axes.FONT + 3, -1e9
    heights = {}
    for name, height in sorted(ends.items(), key=lambda pair: pair[1]):
        lowest = heights[name] = max(height, lowest + step)
    over = max(0.0, lowest - (_BOTTOM - 4))
    return [
        f'<text class="name end c{colours[name]}" x="{x.end + 8:.1f}" y="{height - over + 4:.1f}">'
        f"{escape(labels.shorten(name))}</text>"
        for name, height in heights.items()
    ]
