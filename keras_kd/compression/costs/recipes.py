"""The steps of each kind of layer and operation, as LiteRT's interpreter runs them."""

import functools
import math

import keras
from keras import layers

from keras_kd.compression.costs.activation_steps import (
    activation_name,
    note_activation,
    note_normalization,
)
from keras_kd.compression.costs.attention_steps import note_attention, note_heads, note_product
from keras_kd.compression.costs.site import Site
from keras_kd.compression.costs.sizes import bytes_of, size_of
from keras_kd.keras_internals import is_of_keras, layer_family
from keras_kd.legacy import application_class

_VIEWS = ("Reshape", "ExpandDims", "Squeeze", "Ravel", "Flatten")
_SAME = ("StopGradient", "Identity", "Copy")
_ELEMENTWISE = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide")
_ACTIVATIONS = ("Relu", "Relu6", "Silu", "Softmax", "Softplus", "Selu", "HardSigmoid")


def note_steps(site: Site) -> list[int]:
    """Note the steps of an operation; returns its results."""
    operation = site.leaf.operation
    if isinstance(operation, layers.Layer):
        return _of_layer(operation, site)
    kind = type(operation).__name__ if is_of_keras(type(operation)) else ""
    if kind in _VIEWS and site.reads:
        return [site.record.view(site.reads[0])]
    if kind in _SAME and site.reads:
        return site.reads[:1]
    if kind in _ACTIVATIONS:
        name = "hard_sigmoid" if kind == "HardSigmoid" else kind.lower()
        return [note_activation(site, site.reads[0], name)]
    if kind == "Matmul" and len(site.reads) == 2:
        return [note_product(site, site.reads[0], site.reads[1], site.size)]
    if kind in _ELEMENTWISE:
        return [site.over(*site.reads)]
    return _of_anything(site)


def _of_anything(site: Site) -> list[int]:
    return [site.new(*site.reads), *site.rest()]


@functools.singledispatch
def _of_layer(layer: keras.layers.Layer, site: Site) -> list[int]:
    if layer_family(layer) == "regularization":
        return site.reads[:1]  # these do nothing in inference
    if layer_family(layer) == "pooling":
        return [site.new(*site.reads, takes=True)]
    if type(layer) is application_class(keras, "convnext", "LayerScale"):
        return [_scaled(site)]
    return _of_anything(site)


def _scaled(site: Site) -> int:
    """The result of a scale by constants, which becomes one of the weights before it."""
    read = site.reads[0]
    return site.record.fused(read) if site.record.takes(read) else site.over(read)


@_of_layer.register(layers.Identity)
def _(layer: layers.Identity, site: Site) -> list[int]:
    return site.reads[:1]


@_of_layer.register(layers.Reshape)
@_of_layer.register(layers.Flatten)
def _(layer: layers.Reshape, site: Site) -> list[int]:
    return [site.record.view(site.reads[0])]


@_of_layer.register(layers.Rescaling)
@_of_layer.register(layers.Normalization)
def _(layer: layers.Rescaling, site: Site) -> list[int]:
    return [site.over(*site.reads)]


@_of_layer.register(layers.BatchNormalization)
def _(layer: layers.BatchNormalization, site: Site) -> list[int]:
    return [_scaled(site)]


@_of_layer.register(layers.LayerNormalization)
def _(layer: layers.LayerNormalization, site: Site) -> list[int]:
    axes = [layer.axis] if isinstance(layer.axis, int) else layer.axis
    return [note_normalization(site, site.reads[0], 1 / _sizes(site, axes), 1)]


@_of_layer.register(layers.GroupNormalization)
def _(layer: layers.GroupNormalization, site: Site) -> list[int]:
    batch, channels = _sizes(site, [0]), _sizes(site, [layer.axis])
    whole = size_of(site.results[0].shape)
    view = site.record.view(site.reads[0])
    parts = batch * layer.groups / whole, batch * channels / whole
    normal = note_normalization(site, view, *parts, axes=5)
    return [site.record.view(normal)]


@_of_layer.register(layers.RMSNormalization)
@_of_layer.register(layers.UnitNormalization)
def _(layer: layers.RMSNormalization, site: Site) -> list[int]:
    axes = [layer.axis] if isinstance(layer.axis, int) else layer.axis
    squares = site.new(*site.reads)
    return [site.over(*site.reads, site.new(squares, size=site.size // _sizes(site, axes)))]


def _sizes(site: Site, axes: list[int]) -> int:
    """The number of elements along some axes of the result."""
    return size_of(site.results[0].shape[axis] for axis in axes)


@_of_layer.register(layers.Dense)
@_of_layer.register(layers.EinsumDense)
@_of_layer.register(layers.Conv1D)
@_of_layer.register(layers.Conv2D)
@_of_layer.register(layers.Conv3D)
@_of_layer.register(layers.Conv1DTranspose)
@_of_layer.register(layers.Conv2DTranspose)
@_of_layer.register(layers.Conv3DTranspose)
@_of_layer.register(layers.DepthwiseConv1D)
@_of_layer.register(layers.DepthwiseConv2D)
@_of_layer.register(layers.SeparableConv1D)
@_of_layer.register(layers.SeparableConv2D)
def _(layer: layers.Conv2D, site: Site) -> list[int]:
    (read,) = site.reads[:1]
    if getattr(layer, "padding", None) == "causal":
        given = site.leaf.args[0]
        length = given.shape[1] + layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        read = site.new(read, size=bytes_of((given.shape[0], length, given.shape[2]), given.dtype))
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        channels = math.prod(layer.depthwise_kernel.shape[-2:])
        read = site.new(read, size=site.size // layer.filters * channels)
    return [note_activation(site, site.new(read, takes=True), activation_name(layer.activation))]


@_of_layer.register(layers.Activation)
def _(layer: layers.Activation, site: Site) -> list[int]:
    return [note_activation(site, site.reads[0], activation_name(layer.activation))]


@_of_layer.register(layers.Softmax)
def _(layer: layers.Softmax, site: Site) -> list[int]:
    return [site.over(*site.reads[:1])]


@_of_layer.register(layers.ReLU)
def _(layer: layers.ReLU, site: Site) -> list[int]:
    plain = layer.max_value in (None, 6) and not layer.negative_slope and not layer.threshold
    return [site.record.fused(site.reads[0]) if plain else site.new(*site.reads)]


@_of_layer.register(layers.Add)
@_of_layer.register(layers.Subtract)
@_of_layer.register(layers.Multiply)
@_of_layer.register(layers.Average)
def _(layer: layers.Add, site: Site) -> list[int]:
    return [functools.reduce(site.over, site.reads)]


@_of_layer.register(layers.UpSampling2D)
def _(layer: layers.UpSampling2D, site: Site) -> list[int]:
    if layer.interpolation != "nearest":
        return _of_anything(site)
    return [site.new(site.new(*site.reads, size=site.size // layer.size[1]))]


@_of_layer.register(layers.MultiHeadAttention)
@_of_layer.register(layers.GroupQueryAttention)
def _(layer: layers.MultiHeadAttention, site: Site) -> list[int]:
    return note_heads(site, layer)


@_of_layer.register(layers.Dot)
def _(layer: layers.Dot, site: Site) -> list[int]:
    return [note_product(site, site.reads[0], site.reads[1], site.size)]


@_of_layer.register(layers.Attention)
def _(layer: layers.Attention, site: Site) -> list[int]:
    return note_attention(site)
