"""The multiply-adds of a whole model, for a batch."""

import keras

from keras_kd.compression.costs.multiply_adds import multiply_adds
from keras_kd.compression.costs.shaped import reshaped
from keras_kd.graphs import Graph, graph_of, opened


def static(model: keras.Model, batch: int = 1) -> Graph:
    symbols = [keras.KerasTensor((batch, *symbol.shape[1:]), symbol.dtype) for symbol in model.inputs]
    return reshaped(opened(graph_of(model)), symbols)


def counted(model: keras.Model, batch: int = 1) -> int:
    graph = static(model, batch)
    return sum(multiply_adds(call, graph) for call in graph.calls)
