"""Weights, trainable flags and recurrent states, from a layer to its counterpart."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_kd.legacy import KerasLayer, KerasModel, all_layers_of, child_layers_of, own_variables_of
from keras_kd.tfmot.bridge.directions import Direction, to_plain


def trainable_flag(source: KerasLayer, trained: set[int]) -> bool:
    """The flag of a layer's counterpart with which the model trains the same weights.

    In tf_keras, a frozen model trains none of its weights; in Keras 3 it does if a layer inside it is
    unfrozen again. So whatever contains trained weights is not frozen, and whatever contains none is.
    """
    if any(id(weight) in trained for weight in getattr(source, "weights", [])):
        return True
    return getattr(source, "trainable", True) and not getattr(source, "trainable_weights", [])


def check_trainable(source: KerasModel, target: KerasModel, direction: Direction) -> None:
    """Raise a ValueError if the converted model does not train as many weights as its original."""
    counts = [len(model.trainable_weights) for model in (source, target)]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{counts[0]} weights of {source.name!r} are trainable, but {counts[1]} would be in "
            f"{direction.name}: a layer of custom_layers has other trainable weights, or only some weights "
            "of a layer are frozen. Freeze whole layers (layer.trainable = False)"
        )


def transfer_weights(
    source: KerasLayer, target: KerasLayer, path: str, direction: Direction, trained: set[int]
) -> None:
    """Copy the weights and flags of a layer, and of the layers inside it, to its counterpart."""
    if direction.is_model(source):
        return  # its layers have counterparts of their own
    target.trainable = trainable_flag(source, trained)
    for left, right in zip(own_weights(source), own_weights(target), strict=False):
        copy_weight(left, right, path)
    inside, copies = (
        [layer for layer in child_layers_of(each) if layer.weights] for each in (source, target)
    )
    if len(own_weights(source)) != len(own_weights(target)) or len(inside) != len(copies):
        raise ValueError(
            f"the weights of {path} ({list_shapes(source)}) do not fit those of its counterpart "
            f"({list_shapes(target)}): layers mapped with custom_layers need the same weights in the same "
            "order"
        )
    if own_weights(target) and hasattr(target, "finalize_state"):
        target.finalize_state()  # Normalization computes with values taken from its weights
    for layer, copy in zip(inside, copies, strict=True):
        transfer_weights(layer, copy, f"{path}/{layer.name}", direction, trained)


def own_weights(layer: KerasLayer) -> list[keras.Variable | tf.Variable]:
    """A layer's own weights, without those of layers inside it, in creation order."""
    inner = {id(weight) for child in child_layers_of(layer) for weight in child.weights}
    return [weight for weight in own_variables_of(layer) if id(weight) not in inner]


def list_shapes(layer: KerasLayer) -> str:
    """The shapes of a layer's weights as text."""
    return ", ".join(str(tuple(weight.shape)) for weight in layer.weights) or "none"


def copy_weight(
    source: keras.Variable | tf.Variable, target: keras.Variable | tf.Variable, path: str
) -> None:
    """Copy one weight."""
    if tuple(source.shape) != tuple(target.shape):
        raise ValueError(
            f"a weight of {path} has the shape {tuple(source.shape)}, that of its counterpart has "
            f"{tuple(target.shape)}: layers mapped with custom_layers need the same weights in the same order"
        )
    target.assign(tf.cast(source.numpy(), target.dtype))


def find_states(model: KerasModel) -> list[keras.Variable | tf.Variable]:
    """The states that stateful recurrent layers keep between batches."""
    layers = [layer for layer in all_layers_of(model) if getattr(layer, "stateful", False)]
    kept = [layer.states for layer in layers if hasattr(layer, "cell") and layer.states is not None]
    return [state for state in keras.tree.flatten(to_plain(kept)) if state is not None]


def set_states(states: Sequence[keras.Variable | tf.Variable], values: Sequence[np.ndarray]) -> None:
    """Set recurrent states."""
    for state, value in zip(states, values, strict=True):
        state.assign(tf.cast(value, state.dtype))
