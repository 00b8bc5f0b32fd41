"""The function that Keras calls for each step of `fit`: it is replaced only here.

Keras creates `model.train_function` once and keeps it until `compile`. Here it is retraced if something
that it captured has changed, and intercepted for some steps.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import tensorflow as tf

TrainFunction: TypeAlias = Callable[[Any], Any]  # takes an iterator over batches, returns logs


def is_made(model: keras.Model) -> bool:
    """Whether a model has a train function: `compile` discards it."""
    return model.train_function is not None


def discard(model: keras.Model) -> None:
    """Let the next step be retraced, because something that the train function captured has changed."""
    model.train_function = None


def remake(model: keras.Model) -> None:
    """Recreate the train function now, behind its interceptions.

    `fit` creates it only before the first epoch.
    """
    standing = list(interceptions(model))
    discard(model)
    model.make_train_function()
    if standing:
        standing[-1].train = model.train_function
        model.train_function = standing[0]


def innermost(model: keras.Model) -> TrainFunction | None:
    """The train function that Keras created, without interceptions; `None` if there is none."""
    standing = list(interceptions(model))
    return standing[-1].train if standing else model.train_function


class Interception:
    """Intercepts a model's train function, and is a train function itself."""

    def __init__(self, train: TrainFunction, run: Callable[[Any, TrainFunction], Any]) -> None:
        functools.update_wrapper(self, train)
        self.train, self.run = train, run

    def __call__(self, iterator: tf.data.Iterator) -> Any:
        return self.run(iterator, self.train)


def intercept(model: keras.Model, run: Callable[[Any, TrainFunction], Any]) -> Interception:
    """Call `run(iterator, train)` instead of the train function, until `remove`.

    Args:
        model: A model whose train function has been created.
        run: Takes the iterator over batches, and the intercepted function.
    """
    model.train_function = Interception(model.train_function, run)
    return model.train_function


def remove(model: keras.Model, interception: Interception | None) -> None:
    """Remove an interception, wherever it is; it is not an error if it is already gone."""
    if interception is None:
        return
    if model.train_function is interception:
        model.train_function = interception.train
    for other in interceptions(model):
        if other.train is interception:
            other.train = interception.train


def interceptions(model: keras.Model) -> Iterator[Interception]:
    """The interceptions of a model's train function, the outermost first."""
    function = model.train_function
    while isinstance(function, Interception):
        yield function
        function = function.train
