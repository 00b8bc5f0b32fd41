"""Training curves as inline SVG and as text."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_kd.reports import drawing, labels, table
from keras_kd.reports.quality import Quality, in_words, is_error
from keras_kd.reports.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curves = Mapping[str, Mapping[str, Sequence[float | None]]]

# Terms of a Distiller's loss, which are no losses of outputs.
_PARTS = ("student_loss", "label_loss")


class Line(NamedTuple):
    """One curve: (epoch, value) pairs."""

    name: str
    key: str
    points: list[tuple[int, float]]

    @property
    def validation(self) -> bool:
        """Whether it was measured on data not used for training."""
        return self.key.startswith("val_")


class Plot(NamedTuple):
    """One metric of all models over the epochs."""

    title: str
    svg: str
    is_loss: bool


class _Metric(NamedTuple):
    """A metric in the history of a training, and the output that it is of, among several."""

    key: str
    output: str | None = None

    @property
    def name(self) -> str:
        """What it is called without its output."""
        return self.key if self.output is None else self.key.removeprefix(f"{self.output}_")

    @property
    def title(self) -> str:
        """What stands over its plot."""
        title = in_words(self.name).capitalize()
        return title if self.output is None else f"{title} of {self.output}"

    @property
    def is_accuracy(self) -> bool:
        """Whether it is one, by the words of its name."""
        return bool({"acc", "accuracy"} & set(re.split("[^a-z]+", self.name.lower())))

    @property
    def is_error(self) -> bool:
        """Whether less of it is better, and it is no loss."""
        return is_error(self.name) and not self.name.endswith("loss")


def source(curves: Curves) -> str:
    """What the figures were measured on that are shown, in a sentence."""
    held_out = [any(metric.startswith("val_") for metric in curve) for curve in curves.values()]
    if all(held_out):
        return "On the validation data."
    return "On the validation data, or else the training data." if any(held_out) else "On the training data."


def is_share(metric: str, curves: Curves) -> bool:
    """Whether the values of a metric are accuracies from 0 to 1, which are shown as percent."""
    keys = (metric, f"val_{metric}")
    values = [v for history in curves.values() for key in keys for v in history.get(key, ()) if v is not None]
    return _metric(metric, _outputs(curves)).is_accuracy and all(0 <= value <= 1 for value in values)


def curve_summary(curves: Curves) -> list[tuple[str, str, str, str, str]]:
    """Model, metric, epochs, first value and last value of every training curve, as text."""

    def text(metric: str, value: float | None) -> str:
        if value is None:
            return table.MISSING
        share = is_share(metric.removeprefix("val_"), curves)
        return f"{100 * value:.2f} %" if share else f"{value:.4g}"

    return [
        (name, metric, str(len(values)), text(metric, values[0]), text(metric, values[-1]))
        for name, history in curves.items()
        for metric, values in history.items()
        if values
    ]


def curve_plots(curves: Curves, rows: Sequence[Row]) -> list[Plot]:
    """The first accuracy, or else the first error, and the loss over the epochs, if they exist.

    Of several outputs, each has plots of its own: their losses are on scales of their own.
    """
    order = list(dict.fromkeys([row.name for row in rows] + list(curves)))
    drawn = [(metric, _lines(metric.key, curves)) for metric in _wanted(curves)]
    return [
        Plot(metric.title, _curve_plot(metric, lines, order, curves), metric.name == "loss")
        for metric, lines in drawn
        if lines
    ]


def _wanted(curves: Curves) -> list[_Metric]:
    """What is drawn."""
    outputs = _outputs(curves)
    metrics = [_metric(key, outputs) for key in _keys(curves)]
    each: list[str | None] = [*outputs] or [None]
    return [
        metric for output in each for metric in _telling([one for one in metrics if one.output == output])
    ]


def _keys(curves: Curves) -> list[str]:
    """The metrics of all models, without those of validation."""
    metrics = (metric.removeprefix("val_") for history in curves.values() for metric in history)
    return list(dict.fromkeys(metrics))


def _outputs(curves: Curves) -> list[str]:
    """The names of the outputs that the metrics are of, if there are several."""
    losses = [key for key in _keys(curves) if key.endswith("_loss") and key not in _PARTS]
    return [key.removesuffix("_loss") for key in losses] if len(losses) > 1 else []


def _metric(key: str, outputs: Sequence[str]) -> _Metric:
    # The longest one, as an output may be called "a" and another one "a_b".
    return _Metric(key, max((o for o in outputs if key.startswith(f"{o}_")), key=len, default=None))


def _telling(metrics: Sequence[_Metric]) -> list[_Metric]:
    """Of the metrics of one output, those that say most."""
    accuracies = [metric for metric in metrics if metric.is_accuracy]
    # An objective may be called "mse", as a metric may; the error that Keras writes out is a metric.
    errors = [metric for metric in metrics if metric.is_error]
    errors.sort(key=lambda metric: not metric.name.endswith("_error"))
    return [*(accuracies or errors)[:1], *(metric for metric in metrics if metric.name == "loss")]


def _lines(metric: str, curves: Curves) -> list[Line]:
    # The training losses have different objectives; only validation losses can be compared.
    validated = any(f"val_{metric}" in history for history in curves.values())
    is_loss = metric == "loss" or metric.endswith("_loss")
    keys = [f"val_{metric}"] if is_loss and validated else [metric, f"val_{metric}"]
    scale = 100 if is_share(metric, curves) else 1
    lines = [
        Line(name, key, [(i + 1, scale * v) for i, v in enumerate(history.get(key, ())) if v is not None])
        for name, history in curves.items()
        for key in keys
    ]
    return [line for line in lines if line.points]


def _curve_plot(metric: _Metric, lines: Sequence[Line], order: Sequence[str], curves: Curves) -> str:
    """One metric of all models; `order` determines their colors."""
    from matplotlib.ticker import MaxNLocator

    unit = " (%)" if is_share(metric.key, curves) else ""
    title = Quality(metric.name).axis if metric.is_error else f"{metric.name}{unit}"
    models = list(dict.fromkeys(line.name for line in lines))
    names = dict(zip(models, labels.shorten_all(list(map(drawing.clean, models))), strict=True))
    last = max(epoch for line in lines for epoch, _ in line.points)
    with drawing.settings():
        room = drawing.RIGHT + 12 + labels.width(list(names.values()), drawing.FONT)
        axes = drawing.axes("epoch", title, right=room)
        axes.set_xlim(1, max(last, 2))
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=drawing.ROUND, integer=True))
        drawing.limit(axes, [value for line in lines for _, value in line.points], least=1e-3)
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
        return drawing.svg(axes, f"{metric.key}{unit} over {last} epochs. {description}", tips)


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
        drawing.write(axes, axes.bbox.x1 + 8, height + under, names[name], order.index(name), "left")
