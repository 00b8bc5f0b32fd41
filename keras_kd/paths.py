"""Layers by their paths: `"block2"`, `"backbone/block4"`."""

from collections.abc import Iterator

import keras

from keras_kd.legacy import child_layers_of, is_layer, is_model, unwrapped


def layers_by_path(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Every layer of a model by its path, nested ones included.

    A wrapper of tensorflow-model-optimization is found by the name of the layer inside it, and by its own. A
    layer with a model as `tapped_model`, such as a member of an ensemble, gives its name to this model.

    Examples:
        >>> body = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="hidden")], name="body")
        >>> list(layers_by_path(keras.Sequential([body, keras.layers.Dense(2, name="head")])))
        ['body', 'body/hidden', 'head']
    """
    found: dict[str, keras.layers.Layer] = {}
    for path, layer in _walk(model):
        found.setdefault(path, layer)
    return found


def _walk(model: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    for name, layer in _named_children(model):
        if type(layer).__name__ == "InputLayer":
            continue
        layer = getattr(layer, "tapped_model", layer)  # a layer that only runs a model stands for it
        inner = unwrapped(layer)
        if inner is not layer:  # first the name that remains when the wrapper is stripped
            yield prefix + inner.name, layer
        yield prefix + name, layer
        yield from _walk(inner, f"{prefix}{name if inner is layer else inner.name}/")


def _named_children(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    if isinstance(layer, keras.Sequential) or (is_model(layer) and getattr(layer, "inputs", None)):
        yield from ((child.name, child) for child in layer.layers)
        return
    attributes = _attribute_paths(layer)
    counts: dict[str, int] = {}  # of layers that nothing else distinguishes
    for child in child_layers_of(layer):
        name = attributes.get(id(child), child.name)
        count = counts[name] = counts.get(name, -1) + 1
        yield f"{name}_{count}" if count else name, child


def _attribute_paths(layer: keras.layers.Layer) -> dict[int, str]:
    """Paths of the layers that public attributes hold, by `id`: `"block"`, or `"blocks/0"` in a list."""
    paths: dict[int, str] = {}
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if is_layer(value):
            paths[id(value)] = name
        elif isinstance(value, (list, tuple)):
            paths.update({id(v): f"{name}/{i}" for i, v in enumerate(value) if is_layer(v)})
    return paths
