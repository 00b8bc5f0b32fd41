"""The first batch is looked at, and then trained on like the others."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.training import train_function
from keras_kd.training.train_function import TrainFunction

_KNOWN_SPECS = tf.TensorSpec, tf.RaggedTensorSpec, tf.SparseTensorSpec, tf.OptionalSpec


class Cautious:
    """Of a model, of either Keras, that sees the first batch after `compile` before it trains on it."""

    if TYPE_CHECKING:
        train_function: Any
        steps_per_execution: Any
        _assert_compile_called: Callable[[str], None]
    _looked, _fits = False, False  # whether it has been seen, and whether `fit` is running

    def look_at(self, data: Any) -> None:
        """Raise an error for a first batch that must not be trained on."""

    def _look(self, data: Any) -> None:
        if not self._looked:
            self.look_at(data)
            self._looked = True

    def _forget(self) -> None:
        if self.train_function is None:  # `compile` was called; to override it would break loading
            self._looked = False

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        self._forget()
        self._fits = True
        try:
            return super().fit(*args, **kwargs)  # type: ignore[misc]
        finally:
            self._fits = False

    def make_train_function(self, force: bool = False) -> Any:
        if not self._fits:
            self._forget()
        super().make_train_function(force)  # type: ignore[misc]
        waiting = any(each.run == self._train_cautiously for each in train_function.interceptions(self))
        if not (self._looked or waiting):
            train_function.intercept(self, self._train_cautiously)
        return self.train_function

    def _train_cautiously(self, iterator: Any, train: TrainFunction) -> Any:
        """Train on the first batch after it was looked at, without taking it from the order of the data."""
        return look_first(iterator, train, self._look_once, int(self.steps_per_execution))

    def _look_once(self, data: Any) -> None:
        self._look(data)
        for each in list(train_function.interceptions(self)):
            if each.run == self._train_cautiously:
                train_function.remove(self, each)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, **options: Any) -> Any:
        self._assert_compile_called("train_on_batch")
        self.make_train_function()
        given = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        self._look(keras.tree.map_structure(lambda a: None if a is None else tf.convert_to_tensor(a), given))
        return super().train_on_batch(x, y, sample_weight, **options)  # type: ignore[misc]


def look_first(iterator: Any, train: TrainFunction, look: Callable[[Any], None], batches: int) -> Any:
    """Give the first batch to `look` before it is trained on.

    What was taken from the iterator is given to `train` in an iterator of the same type, so that nothing
    is traced twice and the order of the data stays as it is.

    Args:
        iterator: Over the batches of an epoch.
        train: Trains on the next batches of an iterator.
        look: Takes a batch of tensors.
        batches: How many batches `train` takes in one call.
    """
    specs = keras.tree.flatten(getattr(iterator, "element_spec", None))
    if not isinstance(iterator, tf.data.Iterator) or not all(isinstance(s, _KNOWN_SPECS) for s in specs):
        return train(iterator)
    taken = [batch for _, batch in zip(range(batches), iterator, strict=False)]
    if not taken:
        return train(iterator)  # which ends the epoch
    look(keras.tree.map_structure(_none_for_nothing, taken[0]))
    again = tf.data.Dataset.from_generator(lambda: taken, output_signature=iterator.element_spec)
    try:
        return train(iter(again))
    finally:
        taken.clear()  # TensorFlow keeps the generator, and what it holds, for as long as it runs


def _none_for_nothing(value: Any) -> Any:
    """Keras writes parts of the data that are `None` as empty optionals."""
    return None if isinstance(value, tf.experimental.Optional) else value


def check_numbers(values: Any, what: str, advice: str) -> None:
    """Raise a `ValueError` if a tensor, or one of a structure, holds NaN or infinity."""
    for tensor in keras.tree.flatten(values):
        if isinstance(tensor, tf.Tensor) and tensor.dtype.is_floating:
            wrong = ~np.isfinite(np.asarray(tensor, "float64"))
            if wrong.any():
                raise ValueError(
                    f"{what} holds NaN or infinity: {int(wrong.sum())} of {wrong.size} values in the first "
                    f"batch. {advice}"
                )
