"""A metric of one's own, measured for several models on the same data."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_kd.deployment.scoring.metric_copies import copy_metric
from keras_kd.messages import did_you_mean, one_line

# A name as in `compile`, a Keras metric, or a function of all labels and outputs.
MetricLike: TypeAlias = str | keras.metrics.Metric | Callable[[Any, Any], Any]
ACCURACY = ("accuracy", "acc")
_AVERAGE = " Metrics of each class have an average= or similar."


class Measure(ABC):
    """A metric with one running value for each model.

    Args:
        name: what reports call it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def add(self, model: str, labels: np.ndarray, outputs: np.ndarray) -> None:
        """Count one batch of a model."""

    @abstractmethod
    def value(self, model: str) -> float:
        """The value of a model over everything that was added.

        Raises:
            ValueError: if the metric fails, or gives something else than one number.
        """

    def note(self, model: str) -> str:
        """What a reader should know about that value; empty for nothing."""
        return ""

    @contextlib.contextmanager
    def _readable_errors(self, *arrays: np.ndarray) -> Iterator[None]:
        """Name the metric in its errors, and the shapes of the labels and outputs if there are any."""
        try:
            yield
        except Exception as error:  # a metric may raise anything
            shapes = " and outputs of shape ".join(str(array.shape) for array in arrays)
            given = f" on labels of shape {shapes}" if shapes else ""
            raise ValueError(f"metric={self.name!r} fails{given}: {one_line(error)}") from error

    def _number(self, value: object, advice: str = "") -> float:
        try:
            array = np.asarray(value, "float64")
        except (TypeError, ValueError):
            raise ValueError(
                f"metric={self.name!r} gives {type(value).__name__}; expected one number.{advice}"
            ) from None
        if array.size != 1:
            raise ValueError(
                f"metric={self.name!r} gives values of shape {array.shape}; expected one number.{advice}"
            )
        return float(array.reshape(()))


class _KerasMeasure(Measure):
    """A Keras metric that can be copied: each model has a copy, which counts batch by batch."""

    def __init__(self, metric: keras.metrics.Metric) -> None:
        super().__init__(metric.name)
        self._metric = metric
        self._copies: dict[str, keras.metrics.Metric] = {}

    def add(self, model: str, labels: np.ndarray, outputs: np.ndarray) -> None:
        with self._readable_errors(labels, outputs):
            self._copy(model).update_state(labels, outputs)

    def value(self, model: str) -> float:
        with self._readable_errors():
            result = self._copy(model).result()
        return self._number(result, _AVERAGE)

    def _copy(self, model: str) -> keras.metrics.Metric:
        if model not in self._copies:
            copied = copy_metric(self._metric)
            assert copied is not None  # make_measure has tried
            copied.reset_state()
            self._copies[model] = copied
        return self._copies[model]


class _HeldMeasure(Measure):
    """A metric that is computed in the end, from all batches."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._batches: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def add(self, model: str, labels: np.ndarray, outputs: np.ndarray) -> None:
        self._batches.setdefault(model, []).append((labels, outputs))


class _ReplayedMeasure(_HeldMeasure):
    """A Keras metric that cannot be copied: it counts one model after the other."""

    def __init__(self, metric: keras.metrics.Metric) -> None:
        super().__init__(metric.name)
        self._metric = metric

    def value(self, model: str) -> float:
        self._metric.reset_state()
        for labels, outputs in self._batches[model]:
            with self._readable_errors(labels, outputs):
                self._metric.update_state(labels, outputs)
        with self._readable_errors():
            result = self._metric.result()
        self._metric.reset_state()
        return self._number(result, _AVERAGE)


class _FunctionMeasure(_HeldMeasure):
    """A function of all labels and all outputs, such as those of scikit-learn."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(getattr(function, "__name__", type(function).__name__))
        self._function = function

    def value(self, model: str) -> float:
        batches = self._batches[model]
        shapes = {(labels.shape[1:], outputs.shape[1:]) for labels, outputs in batches}
        if len(shapes) > 1:
            found = ", ".join(f"{labels} and {outputs}" for labels, outputs in sorted(shapes))
            raise ValueError(
                f"metric={self.name!r} is a function, which takes all labels and outputs at once, and their "
                f"samples have several shapes: {found}. Pad the data to one, or pass a keras.metrics.Metric, "
                "which takes batch after batch."
            )
        labels, outputs = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        with self._readable_errors(labels, outputs):
            values = np.asarray(self._function(labels, outputs), "float64")
        # Functions of Keras give one value per sample.
        return self._number(values.mean() if values.shape[:1] == (len(labels),) else values)


def make_measure(metric: MetricLike) -> Measure:
    """Make a running measure of a metric.

    Raises:
        ValueError: for a name that Keras does not know, or a metric that needs arguments.
        TypeError: for anything else.
    """
    if isinstance(metric, str):
        return _measure_of(_named(metric))
    if isinstance(metric, type):
        return _measure_of(_made(metric))
    if hasattr(metric, "update_state") and hasattr(metric, "result"):
        return _measure_of(metric)
    if callable(metric):
        return _FunctionMeasure(metric)
    raise TypeError(
        "metric is the name of a Keras metric, a Keras metric or a function (y_true, y_pred); received "
        f"{type(metric).__name__}."
    )


def _measure_of(metric: keras.metrics.Metric) -> Measure:
    return _KerasMeasure(metric) if copy_metric(metric) is not None else _ReplayedMeasure(metric)


def _named(name: str) -> keras.metrics.Metric:
    try:
        metric = keras.metrics.get(name)
    except TypeError as error:
        raise ValueError(
            f"metric={name!r} needs arguments: pass the metric itself. {one_line(error)}"
        ) from None
    except ValueError:
        known = ["accuracy", *(key for key in dir(keras.metrics) if key[0].islower())]
        raise ValueError(
            f"Unknown metric {name!r}; expected 'accuracy' or the name of a Keras metric."
            f"{did_you_mean(name, known)}"
        ) from None
    return metric


def _made(metric: type) -> keras.metrics.Metric:
    try:
        made = metric()
    except TypeError as error:
        raise ValueError(
            f"metric={metric.__name__} needs arguments: pass the metric itself. {one_line(error)}"
        ) from None
    if not hasattr(made, "update_state"):
        raise TypeError(f"metric={metric.__name__} is not a Keras metric.")
    return made
