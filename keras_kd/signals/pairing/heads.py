"""The taps of a model's outputs, which are never proposed: they are tapped as `"output"`."""

from collections.abc import Mapping, Sequence

import keras

from keras_kd.graphs import graph_of, slots_in
from keras_kd.keras_internals import layer_family, own_trainable_variables
from keras_kd.signals.pairing.endings import ending_of

Layers = Mapping[str, keras.layers.Layer]


def find_head_taps(model: keras.Model, taps: Sequence[str], layers: Layers) -> set[str]:
    """The taps of the model's outputs, and of the logits from which an output is computed.

    Args:
        model: A functional or sequential model.
        taps: All of its taps, in the order of the calls.
        layers: Its layers by path.
    """
    found: set[str] = set()
    graph = graph_of(model, strict=False)
    waiting = list(slots_in(graph.outputs))
    while waiting:
        call = graph.maker(waiting.pop())
        if call is None:
            continue
        is_layer = isinstance(call.operation, keras.layers.Layer)
        if is_layer:
            found |= _last_taps(call.path, taps, layers)
        if not is_layer or _passes_values_on(call.operation):
            waiting += call.reads
    return found


def _last_taps(name: str, taps: Sequence[str], layers: Layers) -> set[str]:
    """The taps of a layer; for one with inner layers, also those from its last kernel onward."""
    own = [tap for tap in taps if tap.split(":")[0] == name]
    inside = [tap for tap in taps if tap.startswith(f"{name}/")]
    held = [layers[tap.split(":")[0]] for tap in inside]
    trained = [i for i, layer in enumerate(held) if own_trainable_variables(layer)]
    if trained and hasattr(held[trained[-1]], "kernel"):
        return {*own, *inside[trained[-1] :]}
    return {*own, *inside[-1:]}


def _passes_values_on(layer: keras.layers.Layer) -> bool:
    return not layer.weights and (ending_of(layer) is None or layer_family(layer) == "activations")
