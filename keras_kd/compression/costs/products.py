"""The multiply-adds of operations that multiply tensors with tensors, or with constants."""

import keras
from keras import layers

from keras_kd.compression.costs.leaves import Leaf
from keras_kd.compression.costs.sizes import size_of
from keras_kd.keras_internals import is_of_keras
from keras_kd.tensors import Shape


def count_products(leaf: Leaf) -> int:
    """The multiply-adds of an operation without variables, such as `x @ y`; 0 for others."""
    operation = leaf.operation
    if isinstance(operation, (layers.Attention, layers.AdditiveAttention)):
        return _of_attention(operation, leaf)
    if isinstance(operation, layers.Dot):
        axes = operation.axes
        first = axes if isinstance(axes, int) else axes[0]
        return size_of(leaf.returned) * size_of([leaf.shapes[0][first]])
    if isinstance(operation, layers.Layer) or not is_of_keras(type(operation)):
        return 0
    return _of_operation(operation, leaf)


def _of_attention(layer: layers.Layer, leaf: Leaf) -> int:
    query, value = (tuple(symbol.shape) for symbol in leaf.argument("inputs")[:2])
    pairs = size_of(query[:-1]) * size_of(value[-2:-1])
    # The scores of AdditiveAttention are elementwise.
    scores = 0 if isinstance(layer, layers.AdditiveAttention) else size_of(query[-1:])
    return pairs * (scores + size_of(value[-1:]))


def _of_operation(operation: keras.Operation, leaf: Leaf) -> int:
    kind, (first, *others) = type(operation).__name__, leaf.shapes or [()]
    if kind == "Einsum":
        return _of_einsum(operation.subscripts, leaf.shapes)
    if kind == "DotProductAttention":  # batch, length, heads, size
        return size_of(first) * size_of(others[0][1:2]) * 2
    if kind == "ConvTranspose":
        return size_of(first) // size_of(first[_channels(operation)]) * size_of(others[0])
    if kind in ("Conv", "DepthwiseConv", "SeparableConv"):
        positions = size_of(leaf.returned) // size_of(leaf.returned[_channels(operation)])
        return positions * sum(map(size_of, others))
    return size_of(leaf.returned) * _summed(kind, operation, first, others)


def _channels(operation: keras.Operation) -> slice:
    return slice(1, 2) if operation.data_format == "channels_first" else slice(-1, None)


def _summed(kind: str, operation: keras.Operation, first: Shape, others: list[Shape]) -> int:
    """How many products are summed for each element of the result; 0 for other operations."""
    if not others or not first or not others[0]:
        return 0  # a product with a number is elementwise
    if kind in ("Matmul", "Dot", "Inner", "Vdot"):
        return size_of(first if kind == "Vdot" else first[-1:])
    if kind == "Tensordot":
        axes = operation.axes
        return size_of(first[len(first) - axes :] if isinstance(axes, int) else [first[i] for i in axes[0]])
    return 1 if kind == "Outer" else 0


def _of_einsum(subscripts: str, shapes: list[Shape]) -> int:
    """Every combination of letters; operands after the second are taken to be multiplied along."""
    sizes: dict[str, int] = {}
    free = 1
    for letters, shape in zip(subscripts.replace(" ", "").split("->")[0].split(","), shapes, strict=True):
        before, dots, after = letters.partition("...")
        last = shape[len(shape) - len(after) :]
        pairs = [*zip(before, shape, strict=False), *zip(after, last, strict=True)]
        sizes.update({letter: size_of([size]) for letter, size in pairs})
        if dots:
            free = max(free, size_of(shape[len(before) : len(shape) - len(after)]))
    return free * size_of(sizes.values())
