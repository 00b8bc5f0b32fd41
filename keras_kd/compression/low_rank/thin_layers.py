"""Thin layers that stand in place of a layer."""

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

import keras
import numpy as np

from keras_kd.graphs import config_of

# What only the last of several layers has: the others return what the original never returned.
_LAST = ("activation", "activity_regularizer", "bias_regularizer", "bias_constraint")


class Step(NamedTuple):
    """A new layer and its weights, in the order in which Keras lists them."""

    layer: keras.layers.Layer
    weights: list[np.ndarray]


@dataclass(frozen=True)
class Factors:
    """Layers that stand in place of one.

    Args:
        method: `"svd"`, `"tucker"`, `"spatial"` or `"heads"`.
        ranks: The sizes between them.
        error: The norm of what is left out, relative to that of the kernel, or of its outputs if data
            was given.
        multiply_adds: Of a sample.
        steps: The layers, called one after the other; the last one has the name of the original.
    """

    method: str
    ranks: tuple[int, ...]
    error: float
    multiply_adds: int
    steps: tuple[Step, ...]

    @property
    def parameters(self) -> int:
        """The number of all weights."""
        return sum(weight.size for step in self.steps for weight in step.weights)


def value_of(variable: keras.Variable) -> np.ndarray:
    """A weight in float64."""
    return np.asarray(keras.ops.convert_to_numpy(variable)).astype("float64")


def stored(value: np.ndarray, layer: keras.layers.Layer) -> np.ndarray:
    """A value in no more precision than a layer stores, so that it takes no more memory until then."""
    return value.astype("float64" if layer.variable_dtype == "float64" else "float32")


def thin_layer(original: keras.layers.Layer, kernel: np.ndarray, suffix: str, **changes: object) -> Step:
    """A layer like the original with another kernel.

    Args:
        original: The layer.
        kernel: The kernel.
        suffix: Of the name; with an empty one it is the last layer, which has the bias and the activation.
        changes: To the configuration.
    """
    config = {**config_of(original), **changes, "name": original.name + suffix}
    config.pop("kernel_initializer")  # one that fits the shape of the original may not fit this one's
    weights = [stored(kernel, original)]
    if suffix:
        config |= {"bias_axes": None} if "bias_axes" in config else {"use_bias": False}
        config = {name: value for name, value in config.items() if name not in _LAST}
    elif original.bias is not None:
        weights.append(stored(value_of(original.bias), original))
    return Step(type(original).from_config(config), weights)


def distributed(original: keras.layers.TimeDistributed, factors: Factors) -> Factors:
    """Layers for what a `TimeDistributed` wraps, wrapped in the same way."""
    steps = []
    for step in factors.steps:
        suffix = step.layer.name.removeprefix(original.layer.name)
        config = {"trainable": original.trainable, "dtype": original.dtype_policy}
        wrapper = keras.layers.TimeDistributed(step.layer, name=original.name + suffix, **config)
        steps.append(Step(wrapper, step.weights))
    return replace(factors, steps=tuple(steps))


def with_free_names(factors: Factors, taken: Collection[str]) -> Factors:
    """The factors, with other names for new layers whose names are taken."""
    for step in factors.steps[:-1]:
        names = itertools.chain([step.layer.name], (f"{step.layer.name}_{i}" for i in itertools.count(1)))
        step.layer.name = next(name for name in names if name not in taken)
    return factors
