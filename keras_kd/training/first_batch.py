"""The first batch is looked at, and then trained on like the others."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

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
        trained = getattr(self.train_function, "trains", self.train_function)

        def look(data: Any) -> None:
            self._look(data)
            self.train_function = trained

        steps = int(self.steps_per_execution)
        self.train_function = trained if self._looked else looking_first(trained, look, steps)
        return self.train_function

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, **options: Any) -> Any:
        self._assert_compile_called("train_on_batch")
        self.make_train_function()
        given = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
        self._look(keras.tree.map_structure(lambda a: None if a is None else tf.convert_to_tensor(a), given))
        return super().train_on_batch(x, y, sample_weight, **options)  # type: ignore[misc]


def looking_first(
    function: Callable[[Any], Any], look: Callable[[Any], None], batches: int
) -> Callable[[Any], Any]:
    """A train function that gives its first batch to `look` before it trains on it.

    What was taken from the iterator is given to `function` in an iterator of the same type, so that nothing
    is traced twice and the order of the data stays as it is.

    Args:
        function: Trains on the next batches of an iterator.
        look: Takes a batch of tensors.
        batches: How many batches `function` takes in one call.
    """

    @functools.wraps(function)
    def first(iterator: Any) -> Any:
        specs = keras.tree.flatten(getattr(iterator, "element_spec", None))
        if not isinstance(iterator, tf.data.Iterator) or not all(isinstance(s, _KNOWN_SPECS) for s in specs):
            return function(iterator)
        taken = [batch for _, batch in zip(range(batches), iterator, strict=False)]
        if not taken:
            return function(iterator)  # which ends the epoch
        look(keras.tree.map_structure(_none_for_nothing, taken[0]))
        again = tf.data.Dataset.from_generator(lambda: taken, output_signature=iterator.element_spec)
        try:
            return function(iter(again))
        finally:
            taken.clear()  # TensorFlow keeps the generator, and what it holds, for as long as it runs

    first.trains = function  # type: ignore[attr-defined]
    return first


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
