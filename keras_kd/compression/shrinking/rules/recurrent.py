"""Recurrent layers: units, gates and states."""

import keras
import numpy as np
from keras import layers

from keras_kd.compression.shrinking.channels import Role, Step, placed
from keras_kd.compression.shrinking.rules.weighted import why_mixing
from keras_kd.compression.shrinking.ties import Labels
from keras_kd.graphs import slots_in

_GATES = {layers.SimpleRNNCell: 1, layers.GRUCell: 3, layers.LSTMCell: 4}


def recurrent(step: Step) -> None:
    """`SimpleRNN`, `GRU`, `LSTM`, or `RNN` of one such cell."""
    layer = step.operation
    if type(layer.cell) not in _GATES or getattr(layer, "stateful", False):
        step.keep("only plain cells without kept states can lose units")
        step.give_nothing()
        return
    units = _cell(step, layer.cell, step.reads[0])
    call = step.call
    states = slots_in(call.kwargs.get("initial_state", call.args[1] if len(call.args) > 1 else None))
    step.keep_others([call.reads[0], *states], "they are a mask")
    for slot in states:
        step.ties.tie(step.along(-1, len(units), step.channels.of_slots[slot]), units)
    step.give(*(placed(units, -1, len(shape)) for shape in step.result_shapes))


def _cell(step: Step, cell: keras.layers.Layer, read: Labels) -> Labels:
    """Follow a cell; the labels of its units."""
    return _gated(step, cell, cell.units, _GATES[type(cell)], step.along(-1, cell.kernel.shape[0], read))


def _gated(step: Step, cell: keras.layers.Layer, count: int, gates: int, read: Labels) -> Labels:
    """Follow kernels whose last axis holds a number of gates, one after the other; what they make."""
    step.axis(cell.kernel, -2, Role.READS, read)
    units = step.made(cell.kernel, -1, count, gates)
    step.axis(cell.recurrent_kernel, -2, Role.READS, units)
    step.axis(cell.recurrent_kernel, -1, Role.ALONG, np.tile(units, gates))
    step.axis(cell.bias, -1, Role.ALONG, np.tile(units, gates))
    for name in ("activation", "recurrent_activation"):
        why = why_mixing(getattr(cell, name, None))
        if why is not None:
            step.keep(why, [units])
    return units


def convolutional(step: Step) -> None:
    """`ConvLSTM1D` to `ConvLSTM3D`: kernels `(*window, inputs, 4 * filters)`, gate by gate."""
    layer, cell = step.operation, step.operation.cell
    if layer.stateful or len(step.call.reads) > 1:
        step.keep("only those without given or kept states can lose filters")
        step.give_nothing()
        return
    is_first = cell.data_format == "channels_first"
    read = step.along(2 if is_first else -1, cell.kernel.shape[-2])
    filters = _gated(step, cell, cell.filters, 4, read)
    of_each = (len(shape) - cell.rank - 1 if is_first else -1 for shape in step.result_shapes)
    results = zip(of_each, step.result_shapes, strict=True)
    step.give(*(placed(filters, axis, len(shape)) for axis, shape in results))


def bidirectional(step: Step) -> None:
    """`Bidirectional`: both directions read the same, and their units are joined or combined."""
    layer = step.operation
    cells = [layer.forward_layer.cell, layer.backward_layer.cell] if _has_cells(layer) else []
    if not cells or len(step.reads) > 1 or len(step.call.results) > 1 or layer.stateful:
        step.keep("of bidirectional layers, only those without given or returned states can lose units")
        step.give_nothing()
        return
    forward, backward = (_cell(step, cell, step.reads[0]) for cell in cells)
    # Keras takes both directions to be equally wide, also where it joins them.
    step.ties.tie(forward, backward)
    joined = np.concatenate([forward, backward]) if layer.merge_mode == "concat" else forward
    step.give(placed(joined, -1, step.rank))


def _has_cells(layer: layers.Bidirectional) -> bool:
    both = layer.forward_layer, layer.backward_layer
    return layer.merge_mode is not None and all(type(getattr(one, "cell", None)) in _GATES for one in both)
