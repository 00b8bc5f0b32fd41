"""Layers like others, for weights of other shapes."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers

from keras_kd.graphs import config_of
from keras_kd.keras_internals import hidden_argument

Shapes = Mapping[int, tuple[int, ...]]  # of weights, by the weight's `id`


def resized(layer: keras.layers.Layer, shapes: Shapes) -> keras.layers.Layer:
    """A new layer of the same class, name and settings that has weights of these shapes once it is built.

    Args:
        layer: A built layer.
        shapes: The new shape of each of its weights.
    """
    config = config_of(layer)
    if isinstance(layer, layers.TimeDistributed):
        return layers.TimeDistributed(resized(layer.layer, shapes), **_own(config))
    if isinstance(layer, layers.Bidirectional):
        return _bidirectional(layer, config, shapes)
    if type(layer) is layers.RNN:
        return layers.RNN(resized(layer.cell, shapes), **{k: v for k, v in config.items() if k != "cell"})
    return type(layer).from_config({**config, **_initializers(layer), **_sizes(layer, shapes)})


def _initializers(layer: keras.layers.Layer) -> dict[str, object]:
    """Zeros in place of arrays, such as pretrained embeddings, which have the shape of the original."""
    own = {name: value for name, value in vars(layer).items() if name.endswith("_initializer")}
    return {
        name: "zeros"
        for name, value in own.items()
        if isinstance(value, keras.initializers.Constant) and np.ndim(value.value) > 0
    }


def _own(config: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if key in ("name", "trainable", "dtype")}


def _bidirectional(
    layer: layers.Bidirectional, config: dict[str, object], shapes: Shapes
) -> layers.Bidirectional:
    both = [resized(one, shapes) for one in (layer.forward_layer, layer.backward_layer)]
    made = layers.Bidirectional(both[0], merge_mode=layer.merge_mode, backward_layer=both[1], **_own(config))
    for new, old in zip(
        (made.forward_layer, made.backward_layer), (layer.forward_layer, layer.backward_layer), strict=True
    ):
        new.name = old.name
    return made


def _sizes(layer: keras.layers.Layer, shapes: Shapes) -> dict[str, object]:
    """The settings that say how large the weights are."""

    def shape(owner: keras.layers.Layer, name: str) -> tuple[int, ...]:
        return shapes[id(getattr(owner, name))]

    if isinstance(layer, layers.Dense):
        return {"units": shape(layer, "kernel")[-1]}
    if isinstance(layer, layers.EinsumDense):
        return _einsum(layer, shape(layer, "kernel"))
    if isinstance(layer, (layers.DepthwiseConv1D, layers.DepthwiseConv2D)):
        return {}
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        return {"filters": shape(layer, "pointwise_kernel")[-1]}
    if isinstance(layer, (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)):
        return {"filters": shape(layer, "kernel")[-2]}
    if isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Conv3D)):
        return _convolution(layer, shape(layer, "kernel"))
    if isinstance(layer, layers.Embedding):
        return {"output_dim": shape(layer, "embeddings")[1]}
    if isinstance(layer, layers.GroupQueryAttention):
        query, key = (shapes[id(hidden_argument(layer, f"{n}_dense").kernel)] for n in ("query", "key"))
        return {"num_query_heads": query[1], "num_key_value_heads": key[1], "head_dim": key[2]}
    if isinstance(layer, layers.MultiHeadAttention):
        return _heads(layer, shapes)
    cell = getattr(layer, "cell", layer)
    if isinstance(layer, (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)):
        return {"filters": shape(cell, "kernel")[-1] // 4}
    if isinstance(cell, (layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell)):
        return {"units": shape(cell, "recurrent_kernel")[0]}
    if isinstance(layer, layers.GroupNormalization):
        size = next(iter(shapes.values()))[0]
        old = layer.variables[0].shape[0]
        return {"groups": size} if layer.groups == old else {}
    if type(layer).__name__ == "LayerScale":
        return {"projection_dim": next(iter(shapes.values()))[0]}
    return {}


def _convolution(layer: layers.Conv2D, kernel: tuple[int, ...]) -> dict[str, object]:
    is_depthwise = layer.groups > 1 and layer.kernel.shape[-2] == 1
    groups = layer.groups * kernel[-1] // layer.kernel.shape[-1] if is_depthwise else layer.groups
    return {"filters": kernel[-1], "groups": groups}


def _einsum(layer: layers.EinsumDense, kernel: tuple[int, ...]) -> dict[str, object]:
    operands, outputs = layer.equation.replace(" ", "").split("->")
    letters = operands.split(",")[1]
    given = layer.get_config()["output_shape"]
    sizes = list(given) if isinstance(given, (list, tuple)) else [given]
    named = outputs.replace("...", "")[-len(sizes) :]
    new = [
        kernel[letters.index(letter)] if letter in letters else size
        for letter, size in zip(named, sizes, strict=True)
    ]
    return {
        "output_shape": tuple(None if old is None else size for old, size in zip(sizes, new, strict=True))
    }


def _heads(layer: layers.MultiHeadAttention, shapes: Shapes) -> dict[str, object]:
    query, value, output = (
        shapes[id(hidden_argument(layer, f"{name}_dense").kernel)] for name in ("query", "value", "output")
    )
    return {
        "num_heads": query[1],
        "key_dim": query[2],
        "value_dim": value[2],
        "output_shape": None
        if output[2] == query[0] and layer.get_config()["output_shape"] is None
        else output[2],
    }
