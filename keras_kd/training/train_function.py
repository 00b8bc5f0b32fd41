"""The function that Keras calls for each step of `fit`: the only place that replaces it.

Keras makes `model.train_function` once and keeps it until `compile`. Here it is traced again when
something that it holds has changed, and something is put in front of it for some steps.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import tensorflow as tf

TrainFunction: TypeAlias = Callable[[Any], Any]  # takes an iterator over batches, returns logs


def is_made(model: keras.Model) -> bool:
    """Whether a model has a train function: `compile` takes it away."""
    return model.train_function is not None


def discard(model: keras.Model) -> None:
    """Have the next step traced anew, because what the traced one holds has changed."""
    model.train_function = None


def remake(model: keras.Model) -> None:
    """Make the train function anew, now, behind what stands in front of it.

    `fit` makes it only before the first epoch.
    """
    standing = list(interceptions(model))
    discard(model)
    model.make_train_function()
    if standing:
        standing[-1].train = model.train_function
        model.train_function = standing[0]


def innermost(model: keras.Model) -> TrainFunction | None:
    """The train function that Keras made, without what stands in front of it; `None` if there is none."""
    standing = list(interceptions(model))
    return standing[-1].train if standing else model.train_function


class Interception:
    """Stands in front of a model's train function, as a train function itself."""

    def __init__(self, train: TrainFunction, run: Callable[[Any, TrainFunction], Any]) -> None:
        functools.update_wrapper(self, train)
        self.train, self.run = train, run

    def __call__(self, iterator: tf.data.Iterator) -> Any:
        return self.run(iterator, self.train)


def intercept(model: keras.Model, run: Callable[[Any, TrainFunction], Any]) -> Interception:
    """Have `run(iterator, train)` called for each execution, until `remove`.

    Args:
        model: A model whose train function is made.
        run: Takes the iterator over batches, and the function that it stands in front of.
    """
    model.train_function = Interception(model.train_function, run)
    return model.train_function


def remove(model: keras.Model, interception: Interception | None) -> None:
    """Take an interception away, wherever it stands; one that is gone already is no error."""
    if interception is None:
        return
    if model.train_function is interception:
        model.train_function = interception.train
    for other in interceptions(model):
        if other.train is interception:
            other.train = interception.train


def interceptions(model: keras.Model) -> Iterator[Interception]:
    """What stands in front of a model's train function, the outermost first."""
    function = model.train_function
    while isinstance(function, Interception):
        yield function
        function = function.train
