"""The layers that replace a convolution, or the reason why none do."""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from keras_kd.compression.separable.approximation import Separable
from keras_kd.graphs import config_of, has_activation_weights


class Convolution(NamedTuple):
    """A `Conv1D` or `Conv2D` of a model.

    Attributes:
        layer: Its path.
        operation: The layer.
    """

    layer: str
    operation: keras.layers.Layer

    @property
    def path(self) -> str:
        """The same path."""
        return self.layer

    @property
    def window(self) -> int:
        """The number of places in its window."""
        return math.prod(self.operation.kernel_size)

    @property
    def inputs(self) -> int:
        """The number of channels that it reads."""
        return int(self.operation.kernel.shape[-2]) * int(self.operation.groups)

    @property
    def size(self) -> int:
        """The number of its weights."""
        return math.prod(self.operation.kernel.shape) + self._biases

    def size_with(self, multiplier: int, groups: int) -> int:
        """The number of weights of what would replace it."""
        mixed = self.inputs * self.operation.filters // groups
        kernels = mixed if self.window == 1 else multiplier * (self.window * self.inputs + mixed)
        return kernels + self._biases

    @property
    def _biases(self) -> int:
        return int(self.operation.filters) if self.operation.use_bias else 0

    def kernel(self) -> np.ndarray:
        """Its kernel, `(*window, inputs, outputs)`."""
        return np.asarray(keras.ops.convert_to_numpy(self.operation.kernel), "float64")

    def steps(
        self, found: Separable, multiplier: int, groups: int, taken: set[str]
    ) -> list[keras.layers.Layer]:
        """The layers that compute a separable kernel in its place."""
        mixing = self._pointwise(groups, window=self.window > 1)
        pointwise = found.pointwise
        shape = list(self.operation.get_build_config()["input_shape"])
        made = [mixing]
        if self.window == 1:  # nothing to filter: one factor each
            pointwise = pointwise * found.depthwise.reshape(groups, -1).T.repeat(
                self.operation.filters // groups, axis=1
            )
        else:
            filtering = self._depthwise(multiplier, taken)
            filtering.build(shape)
            filtering.kernel.assign(found.depthwise)
            shape = list(filtering.compute_output_shape(shape))
            made = [filtering, mixing]
        mixing.build(shape)
        mixing.kernel.assign(pointwise.reshape(mixing.kernel.shape))
        if mixing.use_bias:
            mixing.bias.assign(self.operation.bias)
        for layer in made:
            layer.trainable = self.operation.trainable
        return made

    def _depthwise(self, multiplier: int, taken: set[str]) -> keras.layers.Layer:
        layer = self.operation
        kind = layers.DepthwiseConv1D if layer.rank == 1 else layers.DepthwiseConv2D
        name = f"{layer.name}_depthwise"
        while name in taken:
            name += "_1"
        taken.add(name)
        return kind(
            layer.kernel_size,
            strides=layer.strides,
            padding=layer.padding,
            depth_multiplier=multiplier,
            data_format=layer.data_format,
            dilation_rate=layer.dilation_rate,
            use_bias=False,
            depthwise_regularizer=layer.kernel_regularizer,
            dtype=layer.dtype_policy,
            name=name,
        )

    def _pointwise(self, groups: int, *, window: bool) -> keras.layers.Layer:
        """A 1x1 convolution that is otherwise like the original."""
        config = config_of(self.operation) | {"groups": groups, "kernel_constraint": None}
        config.pop("kernel_initializer")  # one that fits the shape of the original may not fit this one's
        if window:
            ones = (1,) * self.operation.rank
            config |= {"kernel_size": ones, "strides": ones, "dilation_rate": ones, "padding": "valid"}
        made: keras.layers.Layer = type(self.operation).from_config(config)
        return made


def why_not(convolution: Convolution, multiplier: int, groups: int | None) -> str:
    """Why a convolution is left alone; empty if it is not.

    Raises:
        ValueError: The groups do not divide its channels.
    """
    layer = convolution.operation
    channels = convolution.inputs, layer.filters
    if groups and any(count % groups for count in channels):
        raise ValueError(
            f"groups={groups} of {convolution.layer!r} must divide its {channels[0]} input and {channels[1]} "
            "output channels."
        )
    reasons = {
        "it is grouped already": layer.groups > 1,
        "its window is a single place": convolution.window == 1 and not groups,
        "its strides differ, and a depthwise convolution takes one stride": len({*layer.strides}) > 1,
        "a depthwise convolution has no causal padding": layer.padding == "causal",
        "it has a LoRA": getattr(layer, "lora_enabled", False),
        "its activation has weights": has_activation_weights(layer),
        "nothing is saved": convolution.size_with(multiplier, groups or 1) >= convolution.size,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
