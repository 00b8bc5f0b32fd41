"""A copy of a model whose weights are the moving averages of its own."""

import keras
import tensorflow as tf

from keras_kd.messages import one_line
from keras_kd.tensors import Number, Tensor


def copy_of(model: keras.Model, name: str) -> keras.Model:
    """A frozen copy of a model, with its weights.

    Raises:
        ValueError: A model without weights, or one that Keras cannot copy.
    """
    if not model.built:
        raise ValueError(
            f"The student {model.name!r} has no weights yet, so there is nothing to average. Call it once on "
            "a batch of data."
        )
    try:
        copy = keras.models.clone_model(model)
        if not copy.built:
            copy.build_from_config(model.get_build_config() or {})
        copy.set_weights(model.get_weights())
    except Exception as error:
        raise ValueError(
            f"Keras cannot copy the student {model.name!r}, a {type(model).__name__}: {one_line(error)}. A "
            "subclassed model needs `get_config`, and `build` if its layers are built by its call."
        ) from error
    copy.name, copy.trainable = name, False
    return copy


def move_average(average: keras.Model, model: keras.Model, momentum: Number) -> None:
    """Move the weights of a copy to `momentum * average + (1 - momentum) * model`, in all replicas.

    What is no floating-point number, such as a counter, is copied.
    """
    pairs = [(own.value, of.value) for own, of in zip(average.weights, model.weights, strict=True)]
    context = tf.distribute.get_replica_context()
    if context is not None and context.num_replicas_in_sync > 1:
        context.merge_call(_move_everywhere, args=(pairs, tf.convert_to_tensor(momentum)))
        return
    for own, value in pairs:
        own.assign(_moved(own, value, momentum))


def _move_everywhere(
    strategy: tf.distribute.Strategy, pairs: list[tuple[tf.Variable, tf.Variable]], momentum: Tensor
) -> None:
    for own, value in pairs:
        strategy.extended.update(
            own, lambda a, b, m: a.assign(_moved(a, b, m)), args=(value, momentum), group=False
        )


def _moved(own: Tensor, value: Tensor, momentum: Number) -> Tensor:
    if not tf.as_dtype(own.dtype).is_floating:
        return tf.convert_to_tensor(value)
    share = tf.cast(momentum, own.dtype)
    return share * own + (1 - share) * tf.cast(value, own.dtype)
