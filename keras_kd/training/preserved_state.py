"""The side effects of running a model, and how to undo them."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_kd.keras_internals import own_seed_generators, own_untrainable_variables
from keras_kd.legacy import all_layers_of, is_tf_keras, is_wrapper, own_untrainable_weights
from keras_kd.tensors import Tensor


def recurrent_states(model: keras.Model) -> list[keras.Variable]:
    """The states that stateful recurrent layers keep between batches; no list of weights contains them."""
    recurrent = [layer for layer in all_layers_of(model) if getattr(layer, "stateful", False)]
    states = [state for layer in recurrent for state in keras.tree.flatten(getattr(layer, "states", []))]
    return [state for state in states if state is not None]


@contextlib.contextmanager
def preserve_state(model: keras.Model | None) -> Iterator[None]:
    """On exit, undo what running a model changes: non-trainable variables, recurrent states, random seeds.

    Args:
        model: A teacher (Keras 3 or tf_keras), or `None`.
    """
    changing = [] if model is None else [*_untrainable(model), *recurrent_states(model)]
    before: list[Tensor] = [tf.identity(variable) for variable in changing]
    try:
        yield
    finally:
        for variable, value in zip(changing, before, strict=True):
            variable.assign(value)


def _untrainable(model: keras.Model) -> list[tf.Variable]:
    """The variables that were created as non-trainable: others do not change, and there may be many."""
    layers = all_layers_of(model)
    if not is_tf_keras(model):
        variables = [variable for layer in layers for variable in own_untrainable_variables(layer)]
        variables += [seed.state for layer in layers for seed in own_seed_generators(layer)]
        return [variable.value for variable in variables]
    weights = [weight for layer in layers for weight in own_untrainable_weights(layer)]
    # tfmot's wrappers apply their masks and clusters whenever they run.
    weights += [weight for layer in layers if is_wrapper(layer) for weight in layer.weights]
    return list({id(weight): weight for weight in weights}.values())
