"""The arguments from which a layer's counterpart is made."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import keras

from keras_kd.messages import one_line
from keras_kd.tfmot.bridge.activations import activation
from keras_kd.tfmot.bridge.directions import Direction, NoCounterpart, Unbridgeable, plain
from keras_kd.tfmot.bridge.layer_table import IGNORED, OWN_DTYPE, TABLE, Row

BASE = ("name", "dtype", "activity_regularizer")
HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float32", "float64")


def parameters(cls: type) -> dict[str, inspect.Parameter]:
    """What a class can be made from, with what it hands on to its parents, but for the base Layer."""
    found: dict[str, inspect.Parameter] = {}
    for parent in cls.__mro__:
        if "__init__" not in vars(parent):
            continue
        if parent.__name__ in ("Layer", "Operation", "object"):
            break
        named = inspect.signature(vars(parent)["__init__"]).parameters
        kinds = {parameter.kind for parameter in named.values()}
        found = {**named, **found}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    hidden = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {name: p for name, p in found.items() if p.kind not in hidden and name != "self"}


def arguments(layer: Any, target: type, direction: Direction, recipe: Callable) -> dict[str, Any]:
    """The arguments of `target` which make it compute what `layer` does.

    Args:
        layer: A layer of the source's library.
        target: A layer class of the target's library.
        direction: From which library to which.
        recipe: Called on the layers inside the layer.

    Raises:
        Unbridgeable: If an argument has no equal.
    """
    row = TABLE.get(type(layer).__name__, Row())
    renamed = row.renamed if direction.forward else {new: old for old, new in row.renamed.items()}
    known = {*parameters(target), *BASE, *(row.undocumented if direction.forward else ())}
    config = {**told(layer), **{name: read(layer) for name, read in row.read.items()}}
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in (*IGNORED, *row.ignored, "trainable", "dtype") or name.endswith("_initializer"):
            continue
        new = renamed.get(name, name)
        if new in known:
            found[new] = converted(name, value, layer, direction, recipe)
        elif not is_default(name, value, type(layer)):
            raise NoCounterpart(
                f"{direction.name}'s {target.__name__} has no argument {name} (here {value!r})"
            )
    if type(layer).__name__ == "Bidirectional" and direction.forward:
        parts = [part for part in ("layer", "backward_layer") if "name" in found[part].arguments]
        for part in parts:  # tf_keras puts the prefix before any name
            given = found[part].arguments
            given["name"] = given["name"].removeprefix("forward_").removeprefix("backward_")
    if type(layer).__name__ not in OWN_DTYPE:
        found["dtype"] = policy(layer, direction)
    return found


def told(layer: Any) -> dict[str, Any]:
    """The layer's config."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # functions are handed over, not saved
        try:
            return layer.get_config()
        except NotImplementedError as error:
            raise Unbridgeable(f"it has no get_config: {one_line(error)}") from error


def is_default(name: str, value: Any, source: type) -> bool:
    """Whether leaving an argument out changes nothing."""
    parameter = parameters(source).get(name)
    default = parameter.default if parameter else None
    return value is None or value == default or (name == "data_format" and value == "channels_last")


def converted(name: str, value: Any, layer: Any, direction: Direction, recipe: Callable) -> Any:
    """One argument, in terms of the target's library."""
    if name in ("activation", "recurrent_activation"):
        function = getattr(layer, name)
        is_layer = isinstance(function, direction.source.layers.Layer)
        if is_layer and not direction.forward and function.weights:
            raise Unbridgeable(f"its {name} {function.name!r} has weights: make it a layer of its own")
        if is_layer and not function.built:
            raise Unbridgeable(
                f"its {name} {function.name!r} has no weights yet: call the model on data first"
            )
        return recipe(function, name) if is_layer else activation(function, direction)
    for kind in ("regularizer", "constraint"):
        if name.endswith(f"_{kind}"):
            return penalty(name, value, getattr(direction.target, f"{kind}s"))
    if isinstance(value, direction.source.layers.Layer):
        return recipe(value, name)
    if name == "cells":
        return [recipe(cell, f"{name}/{i}") for i, cell in enumerate(value)]
    return plain(value)


def penalty(name: str, config: Any, library: Any) -> Any:
    """A regularizer or constraint, from what the layer's config says of it."""
    if config is None:
        return None
    kind = config["class_name"] if isinstance(config, dict) else config
    stock = isinstance(config, dict) and not config.get("registered_name")
    cls = getattr(library, kind, None) if stock else None
    if cls is None:
        raise Unbridgeable(f"its {name} {kind} has no equal: leave it out, or map the layer in custom_layers")
    return cls(**config["config"])


def policy(layer: Any, direction: Direction) -> Any:
    """The layer's dtype policy, as the target's library takes it."""
    found = layer.dtype_policy if direction.forward else layer._dtype_policy
    if isinstance(found, keras.dtype_policies.DTypePolicyMap):
        found = found[layer.path]
    if getattr(found, "quantization_mode", None) is not None:
        raise Unbridgeable(f"it is quantized ({found.name}): bridge the model before you quantize it")
    if direction.forward:
        return found.name
    return found.name if found.name in HALF else found.compute_dtype or "float32"
