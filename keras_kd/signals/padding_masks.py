"""Padding masks of a functional model's signals, as its graph computes them.

While a functional model runs, Keras takes the mask off what a `MultiHeadAttention` reads, so that sums and
norms after it carry none, although the layers that need the mask get it: it was written into the graph
when the model was made. From there it can be computed again, from the inputs alone.
"""

from typing import Any

import keras


def mask_models(
    model: keras.Model, layers: dict[str, keras.layers.Layer], tapped: dict[str, keras.layers.Layer]
) -> list[tuple[keras.Model, keras.Model]]:
    """For each functional model that holds a tapped layer, a model from inputs to masks, `{tap: mask}`.

    Args:
        model: The model that is tapped.
        layers: Its layers by path, nested ones included.
        tapped: The layers by tap. `"output"` is added.

    Returns:
        Pairs: the model, or one nested in it, and the model of its masks.
    """
    if not isinstance(model, keras.Model):  # tf_keras leaves the masks where they are
        return []
    owners: dict[str, dict[str, Any]] = {}
    for tap, layer in tapped.items():
        parts = tap.split("/")
        paths = ["/".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]
        path = next((path for path in paths if getattr(layers.get(path), "inputs", None)), "")
        owners.setdefault(path, {})[tap] = _symbol_of(layers[path] if path else model, layer)
    outputs = getattr(model, "outputs", None) or []
    if len(outputs) == 1:
        owners.setdefault("", {})["output"] = outputs[0]
    pairs = [(layers[path] if path else model, symbols) for path, symbols in owners.items()]
    found = [(owner, _mask_model(owner, symbols)) for owner, symbols in pairs]
    return [(owner, masks) for owner, masks in found if masks is not None]


def _mask_model(model: keras.Model, symbols: dict[str, Any]) -> keras.Model | None:
    masks = {tap: getattr(symbol, "_keras_mask", None) for tap, symbol in symbols.items()}
    known = {tap: mask for tap, mask in masks.items() if isinstance(mask, keras.KerasTensor)}
    if not known:
        return None
    inputs = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    found = keras.Model(inputs, known)
    # A mask that layers with weights compute would have them run again.
    return None if found.weights else found


def _symbol_of(model: keras.Model, layer: keras.layers.Layer) -> Any:
    """What a layer returns in a model's graph, if it is called once, for one tensor."""
    graph = getattr(model, "_functional", None) or model  # of a Sequential
    by_depth = getattr(graph, "_nodes_by_depth", {})
    nodes = [node for level in by_depth.values() for node in level if node.operation is layer]
    outputs = nodes[0].outputs if len(nodes) == 1 else []
    return outputs[0] if len(outputs) == 1 else None
