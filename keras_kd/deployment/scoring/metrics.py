"""A metric of one's own, measured for several models on the same data."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_kd.messages import did_you_mean, one_line

# A name as in `compile`, a Keras metric, or a function of all labels and outputs.
MetricLike: TypeAlias = str | keras.metrics.Metric | Callable[[Any, Any], Any]
ACCURACY = ("accuracy", "acc")


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

    @contextlib.contextmanager
    def _readable_errors(self, labels: np.ndarray, outputs: np.ndarray) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a metric may raise anything
            raise ValueError(
                f"metric={self.name!r} fails on labels of shape {labels.shape} and outputs of shape "
                f"{outputs.shape}: {one_line(error)}"
            ) from error

    def _number(self, value: object, advice: str = "") -> float:
        array = np.asarray(value, "float64")
        if array.size != 1:
            raise ValueError(
                f"metric={self.name!r} gives values of shape {array.shape}; expected one number.{advice}"
            )
        return float(array.reshape(()))


class _KerasMeasure(Measure):
    """A Keras metric: it keeps its state in variables, so that one object can count for several models."""

    def __init__(self, metric: keras.metrics.Metric) -> None:
        super().__init__(metric.name)
        self._metric = metric
        self._states: dict[str, list[np.ndarray]] = {}

    def add(self, model: str, labels: np.ndarray, outputs: np.ndarray) -> None:
        self._load(model)
        with self._readable_errors(labels, outputs):
            self._metric.update_state(labels, outputs)
        self._states[model] = [np.array(keras.ops.convert_to_numpy(v)) for v in self._metric.variables]

    def value(self, model: str) -> float:
        self._load(model)
        value = self._metric.result()
        self._metric.reset_state()
        return self._number(value, " Metrics of each class have an average= or similar.")

    def _load(self, model: str) -> None:
        self._metric.reset_state()
        for variable, value in zip(self._metric.variables, self._states.get(model, ()), strict=False):
            variable.assign(value)


class _FunctionMeasure(Measure):
    """A function of all labels and all outputs, such as those of scikit-learn."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(getattr(function, "__name__", type(function).__name__))
        self._function = function
        self._parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def add(self, model: str, labels: np.ndarray, outputs: np.ndarray) -> None:
        self._parts.setdefault(model, []).append((labels, outputs))

    def value(self, model: str) -> float:
        labels, outputs = (np.concatenate(parts) for parts in zip(*self._parts[model], strict=True))
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
        return _KerasMeasure(_named(metric))
    if isinstance(metric, type):
        return _KerasMeasure(_made(metric))
    if hasattr(metric, "update_state") and hasattr(metric, "result"):
        return _KerasMeasure(metric)
    if callable(metric):
        return _FunctionMeasure(metric)
    raise TypeError(
        "metric is the name of a Keras metric, a Keras metric or a function (y_true, y_pred); received "
        f"{type(metric).__name__}."
    )


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
