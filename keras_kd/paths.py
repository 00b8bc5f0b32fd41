"""Layers by their paths: `"block2"`, `"backbone/block4"`."""

from collections.abc import Iterator
from typing import Any

import keras

from keras_kd.legacy import is_layer, is_model, is_tf_keras, unwrapped


def _children(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    if isinstance(layer, keras.Sequential) or (is_model(layer) and _inputs(layer)):
        yield from ((child.name, child) for child in layer.layers)
        return
    attributes = {}
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if is_layer(value):
            attributes[id(value)] = name
        elif isinstance(value, (list, tuple)):
            attributes.update({id(v): f"{name}/{i}" for i, v in enumerate(value) if is_layer(v)})
    inside = (
        layer._flatten_layers(recursive=False, include_self=False) if is_tf_keras(layer) else layer._layers
    )
    names: dict[str, int] = {}  # of layers that are told apart by nothing else
    for child in inside:
        name = attributes.get(id(child), child.name)
        count = names[name] = names.get(name, -1) + 1
        yield f"{name}_{count}" if count else name, child


def _inputs(model: keras.Model) -> Any:
    return getattr(model, "inputs", None)


def _walk(model: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    for name, layer in _children(model):
        if type(layer).__name__ == "InputLayer":
            continue
        inner = unwrapped(layer)
        if inner is not layer:  # first the name that stays when the wrapper is stripped
            yield prefix + inner.name, layer
        yield prefix + name, layer
        yield from _walk(inner, f"{prefix}{name if inner is layer else inner.name}/")


def layers_by_path(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Every layer of a model by its path, nested ones included.

    A wrapper of tensorflow-model-optimization is found by the name of the layer inside, and by its own.
    """
    found: dict[str, keras.layers.Layer] = {}
    for path, layer in _walk(model):
        found.setdefault(path, layer)
    return found
