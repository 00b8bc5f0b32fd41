"""Views: what an augmentation makes of each sample, replayed from a seed and the sample's key."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_kd.keras_internals import own_seed_generators
from keras_kd.legacy import all_layers_of
from keras_kd.messages import one_line
from keras_kd.teachers.taught.digests import seeds
from keras_kd.tensors import Tensor, Tensors

# (sample, seed) -> sample, stateless; or a layer of Keras.
Augment: TypeAlias = Callable[..., Any] | keras.layers.Layer

_EXPECTED = (
    "a function (sample, seed) -> sample, such as lambda image, seed: "
    "tf.image.stateless_random_flip_left_right(image, seed), or a layer of Keras such as RandomRotation"
)
# Operations that draw from a state of their own, or move a variable.
_DRAWS = re.compile(
    "Random|TruncatedNormal|Multinomial|Parameterized|SampleDistorted|Assign.*Variable|Stateful[URST]"
)


def check_augment(augment: Augment, x: Tensors) -> None:
    """Raise an error unless an augmentation can be replayed.

    Args:
        augment: A function `(sample, seed) -> sample`, or a layer.
        x: The specs of a batch of inputs.

    Raises:
        TypeError: It is no function.
        ValueError: It fails, or draws random numbers that do not come from the seed.
    """
    if not callable(augment) or isinstance(augment, type):
        raise TypeError(f"`augment` is {_EXPECTED}. Received: {type(augment).__name__}.")
    seeds = tf.TensorSpec([None, 2], tf.int32)
    try:
        function = tf.function(lambda *given: augmented_batch(augment, *given), autograph=False)
        graph = function.get_concrete_function(x, seeds).graph.as_graph_def()
    except Exception as error:  # of the user's own code
        raise ValueError(
            f"`augment` ({_name(augment)}) fails on one sample and its seed: {one_line(error).rstrip('.')}. "
            f"It is {_EXPECTED}."
        ) from error
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found = next((node.op for node in nodes if _DRAWS.match(node.op)), None)
    if found is not None:
        raise ValueError(
            f"`augment` ({_name(augment)}) draws random numbers that do not come from its seed ({found}), so "
            "its views cannot be replayed. Use the functions tf.image.stateless_* and tf.random.stateless_* "
            "with the seed that it is given."
        )


def view_seeds(root: int, keys: Tensor, view: Tensor) -> Tensor:
    """The seed of each sample, `(samples, 2)`."""

    def drawn(keys: np.ndarray, view: np.ndarray) -> np.ndarray:
        return seeds(root, keys, int(view))

    return tf.ensure_shape(tf.numpy_function(drawn, [keys, view], tf.int32), [None, 2])


def augmented_batch(augment: Augment, x: Tensors, seeds: Tensor) -> Tensors:
    """What an augmentation makes of each sample of a batch, one by one, whatever the batch."""
    apply = stateless(augment)
    sample = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape[1:], part.dtype), x)
    traced = tf.function(apply).get_concrete_function(sample, tf.TensorSpec([2], tf.int32))
    specs = tf.nest.map_structure(
        lambda part: tf.TensorSpec(part.shape, part.dtype), traced.structured_outputs
    )
    return tf.map_fn(lambda pair: apply(*pair), (x, seeds), fn_output_signature=specs)


def stateless(augment: Augment) -> Callable[[Tensors, Tensor], Tensors]:
    """An augmentation as a function of a sample and its seed."""
    if not isinstance(augment, keras.layers.Layer):
        return tf.function(augment, autograph=True)
    layers = all_layers_of(augment)
    generators = [generator for layer in layers for generator in own_seed_generators(layer)]

    def apply(sample: Tensors, seed: Tensor) -> Tensors:
        mapping = [
            (generator.state, tf.cast(seed + i, generator.state.dtype))
            for i, generator in enumerate(generators)
        ]
        with keras.StatelessScope(state_mapping=mapping):
            return augment(sample, training=True)

    return apply


def describe_augment(augment: Augment | None) -> str | None:
    """What a manifest says of an augmentation."""
    return None if augment is None else _name(augment)


def _name(augment: Augment) -> str:
    return str(getattr(augment, "__name__", type(augment).__name__))
