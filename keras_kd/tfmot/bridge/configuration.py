"""The arguments that a layer's counterpart is made with."""

import inspect
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

import keras

from keras_kd.legacy import KerasLayer
from keras_kd.messages import one_line
from keras_kd.tfmot.bridge.activations import translate_activation
from keras_kd.tfmot.bridge.directions import Direction, NoCounterpart, Unbridgeable, to_plain
from keras_kd.tfmot.bridge.layer_table import IGNORED, OWN_DTYPE, TABLE, LayerMapping

PlanInner: TypeAlias = Callable[
    [KerasLayer, str], Any
]  # plans a layer inside another layer, given its name there

BASE = ("name", "dtype", "activity_regularizer")
HALF = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float32", "float64")


def init_parameters(cls: type) -> dict[str, inspect.Parameter]:
    """The arguments of a class's constructor, including those passed to its parents except the base Layer."""
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


def translate_config(
    layer: KerasLayer, target: type, direction: Direction, plan_inner: PlanInner
) -> dict[str, Any]:
    """The arguments of `target` that make it compute what `layer` does.

    Args:
        layer: A layer of the source's library.
        target: A layer class of the target's library.
        direction: From which library to which.
        plan_inner: Called on the layers inside the layer.

    Raises:
        Unbridgeable: If an argument has no equivalent.
    """
    mapping = TABLE.get(type(layer).__name__, LayerMapping())
    renamed = mapping.renamed if direction.forward else {new: old for old, new in mapping.renamed.items()}
    known = {*init_parameters(target), *BASE, *(mapping.undocumented if direction.forward else ())}
    config = {**read_config(layer), **{name: read(layer) for name, read in mapping.read.items()}}
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name in (*IGNORED, *mapping.ignored, "trainable", "dtype") or name.endswith("_initializer"):
            continue
        new = renamed.get(name, name)
        if new in known:
            found[new] = translate_value(name, value, layer, direction, plan_inner)
        elif not is_default(name, value, type(layer)):
            raise NoCounterpart(
                f"{direction.name}'s {target.__name__} has no argument {name} (here {value!r})"
            )
    if type(layer).__name__ == "Bidirectional" and direction.forward:
        remove_prefixes(found)
    if type(layer).__name__ not in OWN_DTYPE:
        found["dtype"] = translate_policy(layer, direction)
    return found


def remove_prefixes(arguments: dict[str, Any]) -> None:
    """Remove the prefixes from the names of a Bidirectional's layers: tf_keras adds them to any name."""
    for part in ("layer", "backward_layer"):
        inner = arguments[part].arguments
        if "name" in inner:
            inner["name"] = inner["name"].removeprefix("forward_").removeprefix("backward_")


def read_config(layer: KerasLayer) -> dict[str, Any]:
    """The layer's config."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # functions are passed on, not saved
        try:
            return layer.get_config()
        except NotImplementedError as error:
            raise Unbridgeable(f"it has no get_config: {one_line(error)}") from error


def is_default(name: str, value: object, source: type) -> bool:
    """Whether omitting an argument changes nothing."""
    parameter = init_parameters(source).get(name)
    default = parameter.default if parameter else None
    return value is None or value == default or (name == "data_format" and value == "channels_last")


def translate_value(
    name: str, value: object, layer: KerasLayer, direction: Direction, plan_inner: PlanInner
) -> Any:
    """One argument, as the target's library takes it."""
    if name in ("activation", "recurrent_activation"):
        function = getattr(layer, name)
        is_layer = isinstance(function, direction.source.layers.Layer)
        if is_layer and not direction.forward and function.weights:
            raise Unbridgeable(f"its {name} {function.name!r} has weights: make it a layer of its own")
        if is_layer and not function.built:
            raise Unbridgeable(
                f"its {name} {function.name!r} has no weights yet: call the model on data first"
            )
        return plan_inner(function, name) if is_layer else translate_activation(function, direction)
    for kind in ("regularizer", "constraint"):
        if name.endswith(f"_{kind}"):
            return translate_penalty(name, value, getattr(direction.target, f"{kind}s"))
    if isinstance(value, direction.source.layers.Layer):
        return plan_inner(value, name)
    if name == "cells" and isinstance(value, (list, tuple)):
        return [plan_inner(cell, f"{name}/{i}") for i, cell in enumerate(value)]
    return to_plain(value)


def translate_penalty(name: str, config: object, library: ModuleType) -> Any:
    """A regularizer or constraint, from its entry in the layer's config."""
    if config is None:
        return None
    entry: dict[str, Any] = (
        config if isinstance(config, dict) else {"class_name": config, "registered_name": config}
    )
    kind = entry["class_name"]
    cls = None if entry.get("registered_name") else getattr(library, kind, None)
    if cls is None:
        raise Unbridgeable(
            f"its {name} {kind} has no equivalent: leave it out, or map the layer in custom_layers"
        )
    return cls(**entry["config"])


def translate_policy(layer: KerasLayer, direction: Direction) -> str:
    """The layer's dtype policy, as the target's library takes it."""
    found = layer.dtype_policy
    if isinstance(found, keras.dtype_policies.DTypePolicyMap):
        found = found[layer.path]
    if getattr(found, "quantization_mode", None) is not None:
        raise Unbridgeable(f"it is quantized ({found.name}): bridge the model before you quantize it")
    if direction.forward:
        return found.name
    return found.name if found.name in HALF else found.compute_dtype or "float32"
