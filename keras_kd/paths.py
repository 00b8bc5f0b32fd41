"""Layers by their paths: `"block2"`, `"backbone/block4"`."""

from collections.abc import Iterator
from typing import Any

import keras


def _children(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    if isinstance(layer, keras.Sequential) or (isinstance(layer, keras.Model) and _inputs(layer)):
        yield from ((child.name, child) for child in layer.layers)
        return
    attributes = {}
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if isinstance(value, keras.layers.Layer):
            attributes[id(value)] = name
        elif isinstance(value, (list, tuple)):
            attributes.update(
                {id(v): f"{name}/{i}" for i, v in enumerate(value) if isinstance(v, keras.layers.Layer)}
            )
    for child in layer._layers:
        yield attributes.get(id(child), child.name), child


def _inputs(model: keras.Model) -> Any:
    return getattr(model, "inputs", None)


def _walk(model: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    for name, layer in _children(model):
        if not isinstance(layer, keras.layers.InputLayer):
            yield prefix + name, layer
            yield from _walk(layer, f"{prefix}{name}/")


def layers_by_path(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Every layer of a model by its path, nested ones included."""
    found: dict[str, keras.layers.Layer] = {}
    for path, layer in _walk(model):
        found.setdefault(path, layer)
    return found
