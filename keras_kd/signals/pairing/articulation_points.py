"""Which signals of a model are not bypassed by any shortcut."""

import itertools
from collections.abc import Iterable, Sequence

import keras
import tensorflow as tf

from keras_kd.graphs import articulation_points
from keras_kd.signals.listing import TracedModel
from keras_kd.tensors import Shape


def articulation_taps(traced: TracedModel) -> dict[str, bool]:
    """The taps that lie on all paths from the inputs to the outputs.

    The value says whether a later shortcut, around other taps, ends at the same size: then further
    blocks follow at this size, even if their ends are not layers and so have no taps.
    """
    order = _operations_between(keras.tree.flatten(traced.inputs), keras.tree.flatten(traced.outputs))
    position = {operation.name: i for i, operation in enumerate(order)}
    consumers = [[reader for x in operation.outputs for reader in x.consumers()] for operation in order]
    common = list(articulation_points([[position.get(op.name, 0) for op in ops] for ops in consumers]))
    tapped = {tap: position.get(tensor.op.name, -1) for tap, tensor in traced.taps.items()}
    last = _last_shortcuts(order, common, set(tapped.values()))
    on_all_paths = set(common)
    return {tap: last.get(_size(order[i]), -1) > i for tap, i in tapped.items() if i in on_all_paths}


def _operations_between(inputs: Sequence[tf.Tensor], outputs: Iterable[tf.Tensor]) -> list[tf.Operation]:
    """The operations of a traced graph that lead from the inputs to the outputs, in order."""
    operations = [op for op in inputs[0].graph.get_operations() if op.type != "Shape"]
    reached, used = {x.op.name for x in inputs}, {x.op.name for x in outputs}
    for op in operations:  # in the order of creation, so inputs come first
        if any(x.op.name in reached for x in op.inputs):
            reached.add(op.name)
    for op in reversed(operations):
        if op.name in used:
            used.update(x.op.name for x in op.inputs)
    between = reached & used
    return [op for op in operations if op.name in between]


def _last_shortcuts(
    order: Sequence[tf.Operation], common: Iterable[int], tapped: set[int]
) -> dict[Shape | None, int]:
    """Where the last shortcut around any tap ends, by the size of the signal that it is added to."""
    ends = {}
    for before, after in itertools.pairwise(common):
        if not tapped.isdisjoint(range(before + 1, after)):
            ends[_size(order[after])] = after
    return ends


def _size(operation: tf.Operation) -> Shape | None:
    shape = operation.outputs[0].shape if operation.outputs else tf.TensorShape(None)
    return None if shape.rank is None else tuple(shape[1:-1])
