"""Copies of layers: same configuration, same weights, same flags, nothing shared with the original."""

import inspect
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_kd.keras_internals import all_layers, hidden_argument, is_of_keras
from keras_kd.messages import one_line


class NotCopied(ValueError):
    """A layer cannot be made from its configuration."""


def copied(operation: keras.Operation, owner: str) -> keras.Operation:
    """A copy of a layer, without its weights yet; other operations hold nothing and are used as they are.

    Args:
        operation: What to copy.
        owner: The name of the model it belongs to, for messages.

    Raises:
        NotCopied: The layer cannot be made from its configuration.
    """
    if not isinstance(operation, keras.layers.Layer):
        return operation
    try:
        copy = _new_layer(operation)
    except (ValueError, TypeError, NotImplementedError) as error:
        cause = error.__cause__ if isinstance(error, NotCopied) else error
        raise _not_copied(operation, cause or error, f" of {owner!r}") from error
    if copy.name != operation.name:  # a `get_config` that leaves the name out
        copy.name = operation.name
    _copy_policies(operation, copy)
    return copy


def _not_copied(layer: keras.Operation, error: BaseException, of_model: str = "") -> NotCopied:
    return NotCopied(
        f"The layer {layer.name!r} ({type(layer).__name__}){of_model} cannot be copied: {one_line(error)} "
        "Write it as a layer whose `get_config` returns what its `__init__` takes."
    )


def _copy_policies(original: keras.layers.Layer, copy: keras.layers.Layer) -> None:
    """Give a copy the precision of its original where `get_config` leaves it out, before it is built."""
    before, after = all_layers(original), all_layers(copy)
    for old, new in zip(before, after, strict=True) if len(before) == len(after) else ():
        if old.dtype_policy != new.dtype_policy and type(old.dtype_policy) is keras.DTypePolicy:
            new.dtype_policy = old.dtype_policy


def config_of(layer: keras.layers.Layer) -> dict[str, Any]:
    """The configuration of a layer, with activations as they are: one of a user may not be registered.

    Raises:
        NotCopied: Keras makes no configuration of it, as of an activation that is a `functools.partial`.
    """
    try:
        config = layer.get_config()
    except (ValueError, TypeError, NotImplementedError) as error:
        raise _not_copied(layer, error) from error
    own = {
        name: getattr(layer, name, None) for name in ("activation", "recurrent_activation") if name in config
    }
    functions = {
        name: value
        for name, value in own.items()
        if callable(value) and not isinstance(value, keras.layers.Layer)  # which would be shared
    }
    return {**config, **functions}


def has_activation_weights(layer: keras.layers.Layer) -> bool:
    """Whether an activation in a layer is a layer with weights, such as a PReLU.

    A new layer that is made from the configuration has another activation, with new weights.
    """
    activations = [
        getattr(part, name, None)
        for part in all_layers(layer)
        for name in ("activation", "recurrent_activation")
    ]
    return any(isinstance(one, keras.layers.Layer) and one.variables for one in activations)


def _from_config(kind: type[keras.layers.Layer], config: dict[str, Any]) -> keras.layers.Layer:
    try:
        return kind.from_config(config)
    except TypeError:
        taken = {
            name
            for base in kind.__mro__
            for name in inspect.signature(vars(base).get("__init__", object)).parameters
        }
        if config.keys() <= taken:
            raise
        # A `get_config` of a library that says more than `__init__` takes, such as KerasHub's patches.
        return kind.from_config({name: value for name, value in config.items() if name in taken})


def _new_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    if not isinstance(layer, keras.layers.Lambda):
        return _from_config(type(layer), config_of(layer))
    # Keras makes no Lambda from a configuration in safe mode; the function itself is at hand.
    return type(layer)(
        layer.function,
        output_shape=hidden_argument(layer, "output_shape"),
        mask=layer.mask,
        arguments=layer.arguments,
        name=layer.name,
        trainable=layer.trainable,
        dtype=layer.dtype_policy,
    )


def copy_state(
    original: keras.layers.Layer,
    copy: keras.layers.Layer,
    value: Callable[[keras.Variable], np.ndarray] = np.asarray,
) -> None:
    """Give a built copy the weights, the seeds, the vocabularies and the `trainable` flags of its original.

    Args:
        original: The layer.
        copy: One of the same class, whose weights may have other shapes.
        value: What the copy's weight gets, for a weight of the original.

    Raises:
        NotCopied: The copy has not as many variables.
        ValueError: They have other shapes, because what the copy reads has another one.
    """
    pairs = _paired(original, copy)
    values = [value(variable) for variable, _ in pairs]
    _check_shapes(original, pairs, values)
    for new, (_, variable) in zip(values, pairs, strict=True):
        variable.assign(new)
    # Outer layers first: setting a flag also sets the flags of all layers inside.
    for before, after in zip(all_layers(original), all_layers(copy), strict=True):
        if after.trainable != before.trainable:
            after.trainable = before.trainable
        _copy_rest(before, after)
    for before, variable in pairs:
        if variable.trainable != before.trainable:  # that of one variable, whatever its layer's says
            variable.trainable = before.trainable


def _paired(
    original: keras.layers.Layer, copy: keras.layers.Layer
) -> list[tuple[keras.Variable, keras.Variable]]:
    """The variables of a layer with those of its copy, whose order is another one if Keras quantized it."""
    had, has = original.variables, copy.variables
    if len(had) != len(has):
        raise NotCopied(
            f"The layer {original.name!r} has {len(had)} variables, and its copy {len(has)}: it does not "
            "make all of them when it is built or called."
        )
    names = [variable.name for variable in had]
    if len(set(names)) == len(names) and set(names) == {variable.name for variable in has}:
        has = sorted(has, key=lambda variable: names.index(variable.name))
    return list(zip(had, has, strict=True))


def _check_shapes(
    layer: keras.layers.Layer,
    pairs: Sequence[tuple[keras.Variable, keras.Variable]],
    values: Sequence[np.ndarray],
) -> None:
    for value, (old, variable) in zip(values, pairs, strict=True):
        before, after = tuple(value.shape), tuple(variable.shape)
        if before != after:
            raise ValueError(
                f"The layer {layer.name!r} needs a {old.name!r} of the shape {after} instead of "
                f"{before}, because what it reads has changed. Replace it as well."
            )


def _copy_rest(before: keras.layers.Layer, after: keras.layers.Layer) -> None:
    """What a layer keeps besides variables: the vocabulary of a lookup, what it has computed from them."""
    own_way = type(before).save_own_variables is not keras.layers.Layer.save_own_variables
    if hasattr(before, "save_assets") or (own_way and not is_of_keras(type(before))):
        store: dict[str, object] = {}
        before.save_own_variables(store)
        after.load_own_variables(store)
    elif isinstance(after, keras.layers.Normalization):  # it computes with constants that it makes here
        after.finalize_state()
    if hasattr(before, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            before.save_assets(folder)
            after.load_assets(folder)
