"""What a model costs, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from keras_kd.compression.costs.cost_table import text_of
from keras_kd.compression.costs.leaves import leaf_of, leaves
from keras_kd.compression.costs.memory import Memory, memory_of
from keras_kd.compression.costs.multiply_adds import count_multiply_adds, is_counted
from keras_kd.compression.costs.shaped import InputShape, names_of_inputs, shaped
from keras_kd.compression.costs.sizes import size_of
from keras_kd.graphs import Call, Graph, slots_in
from keras_kd.legacy import require_keras_model
from keras_kd.results import Result
from keras_kd.tensors import Shape


@dataclass(frozen=True)
class LayerCost(Result):
    """What one layer or operation costs.

    Args:
        path: where it is: `"conv1"`, or `"backbone/conv1"` in a nested model.
        kind: its class.
        output_shape: the shape of what it returns, with the batch; of the first tensor if these are several.
        calls: how often it is called.
        parameters: the elements of its weights; of weights that layers share, only at the first one.
        macs: its multiply-adds, in all calls.
        bytes: the size of its weights, as they are in the model.
        memory: the bytes of all activations that are alive while it runs.
    """

    path: str
    kind: str
    output_shape: Shape
    calls: int
    parameters: int
    macs: int
    bytes: int
    memory: int


@dataclass(frozen=True)
class Cost(Result):
    """What a model costs; returned by `cost`, printed as a table.

    Args:
        layers: its layers and operations, in the order in which they run.
        input_shapes: the shapes of the inputs that this is for, by name, with the batch.
        peak_memory: the bytes of the arena in which LiteRT's interpreter places all activations.
        uncounted: paths of layers whose multiply-adds are not known, because their code cannot be read.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> found = kd.cost(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
        >>> found.parameters, found.macs, found.bytes
        (10, 8, 40)
    """

    layers: tuple[LayerCost, ...]
    input_shapes: dict[str, Shape]
    peak_memory: int
    uncounted: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """The elements of all weights, as `model.count_params()` counts them."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """All multiply-adds."""
        return sum(layer.macs for layer in self.layers)

    @property
    def bytes(self) -> int:
        """The size of all weights."""
        return sum(layer.bytes for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain dictionaries, lists, numbers and strings."""
        return {**super().to_dict(), "parameters": self.parameters, "macs": self.macs, "bytes": self.bytes}

    def __str__(self) -> str:
        return text_of(self)


def cost(model: keras.Model, *, input_shape: InputShape = None, batch_size: int = 1) -> Cost:
    """Count what each layer of a model costs: parameters, multiply-adds, bytes, memory of activations.

    A multiply-add is one multiplication and one addition: two operations of TensorFlow's profiler. Those of
    convolutions, dense and recurrent layers, attention and matrix products are counted; elementwise
    operations, normalizations, pooling and look-ups count 0. Nothing is computed, and the model is not
    changed.

    The memory is that of a float file on LiteRT's interpreter without delegates: each tensor lives from the
    step that makes it to the last one that reads it, inputs and outputs throughout; what is fused or computed
    in place needs none. Loops of recurrent layers, and masks, are left out.

    Args:
        model: A built functional or sequential model, nested ones included. For a `Distiller`, the student.
        input_shape: The shape of one sample, such as `(224, 224, 3)`, where the model leaves sizes free; for
            several inputs a dict by name.
        batch_size: The number of samples, unless the model fixes it.

    Returns:
        The figures; `print` shows a table.

    Raises:
        TypeError: Not a Keras model, or a shape that is not one.
        ValueError: The model is subclassed or not built, sizes stay free, or a shape does not fit.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> image = keras.Input((None, None, 3), name="image")
        >>> model = keras.Model(image, keras.layers.Conv2D(8, 3, padding="same", name="stem")(image))
        >>> found = kd.cost(model, input_shape=(32, 32, 3))
        >>> found.macs == 32 * 32 * (3 * 3 * 3) * 8, found.layers[0].path
        (True, 'stem')
    """
    student = getattr(model, "student", model)
    model = student if isinstance(student, keras.Model) else model
    require_keras_model(model, "model")
    if type(batch_size) is not int or batch_size < 1:
        raise ValueError(f"batch_size must be an integer of at least 1. Received: {batch_size!r}.")
    graph = shaped(model, input_shape, batch_size)
    memory, layers, uncounted, seen = memory_of(graph), [], [], set[int]()
    for operation in dict.fromkeys(call.operation for call in graph.calls):
        calls = graph.calls_of(operation)
        found = [leaf for call in calls for leaf in leaves(leaf_of(call, graph))]
        if not all(map(is_counted, found)):
            uncounted.append(calls[0].path)
        macs = sum(map(count_multiply_adds, found))
        layers.append(_of_layer(graph, calls, macs, memory, seen))
    shapes = dict(zip(names_of_inputs(model), map(graph.shape, slots_in(graph.inputs)), strict=True))
    return Cost(tuple(layers), shapes, memory.peak, tuple(uncounted))


def _of_layer(graph: Graph, calls: Sequence[Call], macs: int, memory: Memory, seen: set[int]) -> LayerCost:
    """The cost of an operation; `seen` are weights that were counted before, and gets those that are now."""
    operation = calls[0].operation
    weights = [weight for weight in getattr(operation, "weights", ()) if id(weight) not in seen]
    seen.update(map(id, weights))
    return LayerCost(
        path=calls[0].path,
        kind=type(operation).__name__,
        output_shape=graph.shape(calls[0].results[0]),
        calls=len(calls),
        parameters=sum(size_of(weight.shape) for weight in weights),
        macs=macs,
        bytes=sum(size_of(weight.shape) * tf.as_dtype(weight.dtype).size for weight in weights),
        memory=max(memory.calls[call] for call in calls),
    )
