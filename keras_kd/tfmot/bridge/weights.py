"""Weights, trainable flags and recurrent states, from a layer to its counterpart."""

from typing import Any

import keras
import tensorflow as tf

from keras_kd.tfmot.bridge.directions import Direction, plain


def trainable(source: Any, trained: set[int]) -> bool:
    """The flag of a layer's counterpart, with which the model trains the same weights.

    In tf_keras a frozen model trains nothing that it holds; in Keras 3 it does, where a layer in it is
    unfrozen again. So what holds trained weights is not frozen, and what holds none of them is.
    """
    if any(id(weight) in trained for weight in getattr(source, "weights", [])):
        return True
    return getattr(source, "trainable", True) and not getattr(source, "trainable_weights", [])


def check_trainable(source: Any, target: Any, direction: Direction) -> None:
    """Raises a ValueError where the rebuilt model does not train as many weights as its original."""
    counts = [len(model.trainable_weights) for model in (source, target)]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{counts[0]} weights of {source.name!r} are trainable, but {counts[1]} would be in "
            f"{direction.name}: a layer of custom_layers has other trainable weights, or only some weights "
            "of a layer are frozen. Freeze whole layers (layer.trainable = False)"
        )


def transfer(source: Any, target: Any, path: str, direction: Direction, trained: set[int]) -> None:
    """Gives a rebuilt layer the weights and flags of its original, and so for the layers inside both."""
    if direction.is_model(source):
        return  # its layers have counterparts of their own
    target.trainable = trainable(source, trained)
    for left, right in zip(own(source), own(target), strict=False):
        assign(left, right, path)
    inside, copies = ([layer for layer in children(each) if layer.weights] for each in (source, target))
    if len(own(source)) != len(own(target)) or len(inside) != len(copies):
        raise ValueError(
            f"the weights of {path} ({shapes(source)}) do not fit those of its counterpart "
            f"({shapes(target)}): layers mapped with custom_layers need the same weights in the same order"
        )
    if own(target) and hasattr(target, "finalize_state"):
        target.finalize_state()  # Normalization computes with values taken from its weights
    for layer, copy in zip(inside, copies, strict=True):
        transfer(layer, copy, f"{path}/{layer.name}", direction, trained)


def own(layer: Any) -> list:
    """A layer's own weights, without those of layers inside it, in the order in which they were made."""
    inner = {id(weight) for child in children(layer) for weight in child.weights}
    if hasattr(layer, "_trainable_weights"):
        weights = [*layer._trainable_weights, *layer._non_trainable_weights]
    else:
        weights = [*layer._trainable_variables, *layer._non_trainable_variables]
    return [weight for weight in weights if id(weight) not in inner]


def children(layer: Any) -> list:
    """The layers directly inside a layer of either library."""
    if hasattr(layer, "_flatten_layers") and hasattr(layer, "_trainable_weights"):
        return list(layer._flatten_layers(recursive=False, include_self=False))
    return list(layer._layers)


def shapes(layer: Any) -> str:
    """The shapes of a layer's weights as text."""
    return ", ".join(str(tuple(weight.shape)) for weight in layer.weights) or "none"


def assign(source: Any, target: Any, path: str) -> None:
    """Copies one weight."""
    if tuple(source.shape) != tuple(target.shape):
        raise ValueError(
            f"a weight of {path} has the shape {tuple(source.shape)}, that of its counterpart has "
            f"{tuple(target.shape)}: layers mapped with custom_layers need the same weights in the same order"
        )
    target.assign(tf.cast(source.numpy(), target.dtype))


def states(model: Any) -> list:
    """The states which stateful recurrent layers keep between batches."""
    layers = [layer for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    kept = [layer.states for layer in layers if hasattr(layer, "cell") and layer.states is not None]
    return [state for state in keras.tree.flatten(plain(kept)) if state is not None]


def restore(states: list, values: list) -> None:
    """Sets recurrent states."""
    for state, value in zip(states, values, strict=True):
        state.assign(tf.cast(value, state.dtype))
