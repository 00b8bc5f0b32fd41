"""Padding masks of a functional model's signals, as its graph computes them.

While a functional model runs, Keras removes the mask from the tensors that a `MultiHeadAttention` reads, so
sums and norms after it carry none. Layers that need the mask still get it, because it was written into the
graph when the model was created. From there it can be recomputed from the inputs alone.
"""

from collections.abc import Mapping

import keras

from keras_kd.graphs import Graph, graph_of
from keras_kd.keras_internals import functional_of, mask_of
from keras_kd.signals.addresses import Address

Symbols = dict[str, keras.KerasTensor | None]  # by tap


def mask_models(
    model: keras.Model, layers: Mapping[str, keras.layers.Layer], tapped: Mapping[str, Address]
) -> list[tuple[keras.Model, keras.Model]]:
    """For each functional model that contains a tapped layer, a model from inputs to masks, `{tap: mask}`.

    Args:
        model: The model that is tapped.
        layers: Its layers by path, nested ones included.
        tapped: What each tap names. `"output"` is added.

    Returns:
        Pairs of the model, or one nested in it, and the model that computes its masks.
    """
    if not isinstance(model, keras.Model):  # tf_keras does not remove masks
        return []
    paths = {tap: _owner_path(address.path, layers) for tap, address in tapped.items()}
    owners = {path: layers[path] if path else model for path in (*paths.values(), "")}
    ours = {path: owner for path, owner in owners.items() if isinstance(owner, keras.Model)}
    wired = {path: owner for path, owner in ours.items() if functional_of(owner) is not None}
    graphs = {path: graph_of(owner, strict=False) for path, owner in wired.items()}
    symbols: dict[str, Symbols] = {path: {} for path in graphs}  # by the path of the model they are in
    for tap, address in tapped.items():
        if paths[tap] in graphs:
            symbols[paths[tap]][tap] = _find_symbol(graphs[paths[tap]], address)
    if "" in symbols and len(model.outputs) == 1:
        symbols[""]["output"] = model.outputs[0]
    found = [(owners[path], _mask_model(owners[path], named)) for path, named in symbols.items()]
    return [(owner, masks) for owner, masks in found if masks is not None]


def _owner_path(path: str, layers: Mapping[str, keras.layers.Layer]) -> str:
    """The path of the innermost nested model with known inputs around a layer; `""`: the model itself."""
    parts = path.split("/")
    around = ["/".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]
    return next((path for path in around if getattr(layers.get(path), "inputs", None)), "")


def _mask_model(model: keras.Model, symbols: Symbols) -> keras.Model | None:
    masks = {tap: mask_of(symbol) for tap, symbol in symbols.items()}
    known = {tap: mask for tap, mask in masks.items() if isinstance(mask, keras.KerasTensor)}
    if not known:
        return None
    inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    found = keras.Model(inputs, known)
    # Computing a mask that depends on layers with weights would run those layers again.
    return None if found.weights else found


def _find_symbol(graph: Graph, address: Address) -> keras.KerasTensor | None:
    """The tensor that an address names in a graph, if its layer is called once."""
    calls = graph.calls_of(address.layer)
    results = calls[0].results if len(calls) == 1 else ()
    if address.scores:
        return graph.symbol(results[0]) if results else None  # the tokens that attend are those of the output
    if address.element.isdigit():
        number = int(address.element)
        return graph.symbol(results[number]) if number < len(results) else None
    return graph.symbol(results[0]) if len(results) == 1 and not address.element else None
