"""Validation of the first batch, which is then trained on like all others."""

import contextlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.finite import nonfinite
from keras_kd.tensors import Tensors
from keras_kd.training import train_function
from keras_kd.training.train_function import Interception, TrainFunction

_KNOWN_SPECS = tf.TensorSpec, tf.RaggedTensorSpec, tf.SparseTensorSpec, tf.OptionalSpec


class FirstBatch:
    """Validates the first batch before a model (Keras 3 or tf_keras) trains on it.

    Each train function has its own first batch: `compile` discards the old function, and so does any code
    that changes what it was traced with.

    Args:
        model: The model.
        validate: Takes a batch of tensors, and raises an error if it must not be trained on.
    """

    def __init__(self, model: keras.Model, validate: Callable[[Any], None]) -> None:
        self._model, self._validate = model, validate
        self._interception: Interception | None = None
        self._fits = 0  # how many are running
        self._validated: Callable[[], TrainFunction | None] = lambda: None  # for which train function

    @property
    def is_due(self) -> bool:
        """Whether the train function has not seen a valid batch yet."""
        made = train_function.innermost(self._model)
        return made is None or self._validated() is not made

    @property
    def is_awaited(self) -> bool:
        """Whether `fit` is running and its first batch has not arrived yet."""
        return self._interception is not None

    def validate(self, batch: Tensors) -> None:
        """Validate a batch, if it is the first."""
        if self.is_due:
            self._validate(batch)
            self._validated = weakref.ref(train_function.innermost(self._model))
        self._stop()

    @contextlib.contextmanager
    def intercepted(self, anew: bool = False) -> Iterator[None]:
        """While `fit` runs in this context, validate the first batch, if it is due.

        Args:
            anew: Whether it is due even if an earlier batch was valid.
        """
        self._model.make_train_function()
        if anew:
            self._validated = lambda: None
        self._intercept()
        self._fits += 1
        try:
            yield
        finally:
            self._fits -= 1
            self._stop()

    def renew(self) -> None:
        """Discard the train function, because something that it captured has changed.

        If `fit` is running, it goes on with a new one, whose first batch is the next.
        """
        if not self._fits:
            train_function.discard(self._model)
            return
        train_function.remake(self._model)
        self._intercept()

    def _intercept(self) -> None:
        if self.is_due and self._interception is None:
            self._interception = train_function.intercept(self._model, self._train)

    def _train(self, iterator: tf.data.Iterator, train: TrainFunction) -> Any:
        steps = int(self._model.steps_per_execution)
        return validate_first(iterator, train, self.validate, steps)

    def _stop(self) -> None:
        train_function.remove(self._model, self._interception)
        self._interception = None


def validate_first(
    iterator: tf.data.Iterator, train: TrainFunction, validate: Callable[[Any], None], batches: int
) -> Any:
    """Pass the first batch to `validate` before it is trained on.

    The batches taken from the iterator are passed to `train` in an iterator of the same type, so that
    nothing is traced twice and the order of the data does not change.

    Args:
        iterator: Iterates over the batches of an epoch.
        train: Trains on the next batches of an iterator.
        validate: Takes a batch of tensors.
        batches: How many batches `train` takes in one call.
    """
    specs = keras.tree.flatten(getattr(iterator, "element_spec", None))
    if not isinstance(iterator, tf.data.Iterator) or not all(isinstance(s, _KNOWN_SPECS) for s in specs):
        return train(iterator)
    taken = [batch for _, batch in zip(range(batches), iterator, strict=False)]
    if not taken:
        return train(iterator)  # which ends the epoch
    validate(keras.tree.map_structure(_none_for_nothing, taken[0]))
    again = tf.data.Dataset.from_generator(lambda: taken, output_signature=iterator.element_spec)
    try:
        return train(iter(again))
    finally:
        taken.clear()  # TensorFlow keeps the generator, and what it references, while the process runs


def _none_for_nothing(value: object) -> Any:
    """Keras represents parts of the data that are `None` by empty optionals."""
    return None if isinstance(value, tf.experimental.Optional) else value


def check_numbers(values: Tensors, what: str, advice: str, *, may_suppress: bool = False) -> None:
    """Raise a `ValueError` if a tensor, or any tensor of a structure, contains NaN or infinity.

    Minus infinity is accepted if the values `may_suppress` classes.
    """
    for value in keras.tree.flatten(values):
        tensor = numbers_of(value)
        if isinstance(tensor, tf.Tensor) and tensor.dtype.is_floating:
            wrong = nonfinite(np.asarray(tensor), may_suppress=may_suppress)
            if wrong.any():
                raise ValueError(
                    f"{what} holds NaN or infinity: {int(wrong.sum())} of {wrong.size} values in the first "
                    f"batch. {advice}"
                )


def numbers_of(value: object) -> object:
    """What a sparse or ragged tensor holds; anything else as it is."""
    if isinstance(value, tf.SparseTensor):
        return value.values
    return value.flat_values if isinstance(value, tf.RaggedTensor) else value
