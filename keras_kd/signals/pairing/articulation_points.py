"""Which signals of a model no shortcut goes around."""

import itertools
from typing import Any

import keras
import tensorflow as tf

from keras_kd.signals.taps import Taps
from keras_kd.signals.tracing import input_spec, trace


def passages_of(model: keras.Model, taps: list[str]) -> dict[str, bool]:
    """The taps that all paths from the inputs to the outputs have in common.

    Each comes with whether a later shortcut, with other taps beside it, ends at the same size: then
    blocks follow that the tap is not part of, though their ends may be no layers and have no taps.
    """
    found: dict[str, bool] = {}
    signals = Taps(model, taps)

    def run(inputs: Any) -> None:
        with signals.record() as recording:
            outputs = model(inputs, training=False)
        order = _between(keras.tree.flatten(inputs), keras.tree.flatten(outputs))
        common = _on_all_paths(order)
        position = {op.name: i for i, op in enumerate(order)}
        tapped = {tap: position.get(x.op.name, -1) for tap, x in signals.signals(outputs, recording).items()}
        last = _last_shortcuts(order, common, set(tapped.values()))
        for tap in (tap for tap, i in tapped.items() if i in common):
            i = tapped[tap]
            found[tap] = last.get(_size(order[i]), -1) > i

    trace(run, input_spec(model))
    return found


def _between(inputs: list[Any], outputs: list[Any]) -> list[Any]:
    """The operations of the graph being traced that lead from the inputs to the outputs, in order."""
    operations = [op for op in tf.compat.v1.get_default_graph().get_operations() if op.type != "Shape"]
    reached, used = {x.op.name for x in inputs}, {x.op.name for x in outputs}
    for op in operations:  # in the order in which they were made, so that inputs come first
        if any(x.op.name in reached for x in op.inputs):
            reached.add(op.name)
    for op in reversed(operations):
        if op.name in used:
            used.update(x.op.name for x in op.inputs)
    return [op for op in operations if op.name in reached & used]


def _on_all_paths(order: list[Any]) -> list[int]:
    """The positions of the operations that no path goes around."""
    position = {op.name: i for i, op in enumerate(order)}
    furthest, common = 0, []  # where the last reader of anything so far is
    for i, op in enumerate(order):
        if furthest <= i:
            common.append(i)
        readers = (position.get(reader.name, 0) for x in op.outputs for reader in x.consumers())
        furthest = max([furthest, *readers])
    return common


def _last_shortcuts(order: list[Any], common: list[int], tapped: set[int]) -> dict[Any, int]:
    """Where the last shortcut around a tap ends, by the size of what it is added to."""
    ends = {}
    for before, after in itertools.pairwise(common):
        if tapped & set(range(before + 1, after)):
            ends[_size(order[after])] = after
    return ends


def _size(operation: Any) -> tuple[int | None, ...] | None:
    shape = operation.outputs[0].shape if operation.outputs else tf.TensorShape(None)
    return None if shape.rank is None else tuple(shape[1:-1])
