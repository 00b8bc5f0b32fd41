"""A teacher is left as it was found."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_kd.legacy import is_tf_keras, is_wrapper


def recurrent_states(model: keras.Model) -> list[Any]:
    """The states that stateful recurrent layers keep from batch to batch; no list of weights has them."""
    layers = [model, *model._flatten_layers(include_self=False)]
    recurrent = [layer for layer in layers if getattr(layer, "stateful", False)]
    states = [state for layer in recurrent for state in keras.tree.flatten(getattr(layer, "states", []))]
    return [state for state in states if state is not None]


@contextlib.contextmanager
def preserve_state(teacher: Any) -> Iterator[None]:
    """Put back, at the end, what running a teacher moves: states of recurrent layers and random seeds."""
    moved = [] if teacher is None else [*_moved(teacher), *recurrent_states(teacher)]
    before = [tf.identity(variable) for variable in moved]
    try:
        yield
    finally:
        for variable, value in zip(moved, before, strict=True):
            variable.assign(value)


def _moved(teacher: Any) -> list[tf.Variable]:
    layers = [teacher, *teacher._flatten_layers(include_self=False)]
    # Those made untrainable: others do not move, and may be many.
    if not is_tf_keras(teacher):
        moved = [variable for layer in layers for variable in layer._non_trainable_variables]
        moved += [seed.state for layer in layers for seed in layer._seed_generators]
        return [variable.value for variable in moved]
    moved = [weight for layer in layers for weight in layer._non_trainable_weights]
    # tfmot's wrappers apply their masks and clusters whenever they run.
    moved += [weight for layer in layers if is_wrapper(layer) for weight in layer.weights]
    return list({id(weight): weight for weight in moved}.values())
