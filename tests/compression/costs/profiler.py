"""TensorFlow's own count of the multiply-adds of a model."""

import math

import keras
import tensorflow as tf
from tensorflow.python.profiler.internal import flops_registry  # noqa: F401 (registers what is counted)

from tests.compression.costs.traces import traced

COUNTED = {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul"}
COUNTED |= {"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"}


def profiled(model: keras.Model, batch: int = 1, **sizes: tuple[int, ...]) -> int:
    """Half of the operations of its convolutions and matrix products, for inputs of some sizes."""
    graph = traced(model, batch, **sizes).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    found = tf.compat.v1.profiler.profile(graph, options={**options, "output": "none"})
    needed = _needed(graph)
    kinds = {operation.name: operation.type for operation in needed}
    counted = sum(operations for name, operations in _own(found) if kinds.get(name) in COUNTED)
    return counted // 2 + sum(map(_einsum, needed))


def _needed(graph):
    """The operations that the outputs depend on: Keras also calls a recurrent cell to see what it returns."""
    needed, waiting = set(), [output.op for output in graph.outputs]
    while waiting:
        operation = waiting.pop()
        if operation not in needed:
            needed.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    return needed


def _own(node):
    """The operations of each node, without those below it."""
    yield node.name, node.total_float_ops - sum(child.total_float_ops for child in node.children)
    for child in node.children:
        yield from _own(child)


def _einsum(operation: tf.Operation) -> int:
    """What the profiler leaves out: every combination of the letters of an einsum."""
    if operation.type != "Einsum":
        return 0
    operands = operation.get_attr("equation").decode().split("->")[0].split(",")
    letters = {}
    for operand, tensor in zip(operands, operation.inputs, strict=True):
        free = "".join(map(str, range(len(tensor.shape) - len(operand.replace("...", "")))))
        letters.update(zip(operand.replace("...", free), tensor.shape, strict=True))
    return math.prod(letters.values())
