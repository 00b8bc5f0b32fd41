"""Copies of layers: same configuration, same weights, same flags, nothing shared with the original."""

import keras

from keras_kd.keras_internals import all_layers
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
    if isinstance(operation, keras.layers.Lambda):  # in safe mode, Keras makes none from a configuration
        return operation
    try:
        return type(operation).from_config(operation.get_config())
    except (ValueError, TypeError, NotImplementedError) as error:
        raise NotCopied(
            f"The layer {operation.name!r} ({type(operation).__name__}) of {owner!r} cannot be copied: "
            f"{one_line(error)} Write it as a layer whose `get_config` returns what its `__init__` takes."
        ) from error


def copy_state(original: keras.layers.Layer, copy: keras.layers.Layer) -> None:
    """Give a built copy the weights, the seeds and the `trainable` flags of its original."""
    for variable, value in zip(copy.variables, original.variables, strict=True):
        variable.assign(value)
    # Outer layers first: setting a flag also sets the flags of all layers inside.
    for before, after in zip(all_layers(original), all_layers(copy), strict=True):
        if after.trainable != before.trainable:
            after.trainable = before.trainable
