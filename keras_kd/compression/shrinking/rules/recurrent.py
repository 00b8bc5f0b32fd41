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
    gates, count = _GATES[type(cell)], cell.units
    step.axis(cell.kernel, 0, Role.READS, step.along(-1, cell.kernel.shape[0], read))
    units = step.made(cell.kernel, 1, count, gates)
    step.axis(cell.recurrent_kernel, 0, Role.READS, units)
    step.axis(cell.recurrent_kernel, 1, Role.ALONG, np.tile(units, gates))
    step.axis(cell.bias, -1, Role.ALONG, np.tile(units, gates))
    for name in ("activation", "recurrent_activation"):
        why = why_mixing(getattr(cell, name, None))
        if why is not None:
            step.keep(why, [units])
    return units


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
