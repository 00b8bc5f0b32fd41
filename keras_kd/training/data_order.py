"""Where in its data an uninterrupted `fit` would be, and bringing a new `fit` there."""

import math
from typing import NamedTuple

import tensorflow as tf


class DataPosition(NamedTuple):
    """Where in the data an epoch begins."""

    iterators: int  # made over the data set before the one that this epoch reads
    batches: int  # taken from that one in earlier epochs


def find_position(data: object, epoch: int, steps: int | None, steps_per_execution: int = 1) -> DataPosition:
    """Where in its data `fit` begins an epoch.

    A shuffled data set draws new seeds whenever an iterator is made of it, so the order of an epoch depends
    on how many there were. Keras makes two for each epoch, the second of them unused, when it knows the
    number of batches, else one; and a single one that lasts for all epochs when `steps_per_epoch` is given.

    Args:
        data: What `fit` was given as `x`.
        epoch: The epoch, counted from the first that was trained.
        steps: Of an epoch, if Keras knows.
        steps_per_execution: As `compile` was given.

    Raises:
        ValueError: A data set that ends, with `steps_per_epoch`: where it starts over is unknown.
    """
    # By an epoch, from an iterator that has more.
    taken = steps_per_execution * math.ceil((steps or 0) / steps_per_execution)
    if hasattr(data, "__next__"):  # a generator
        return DataPosition(0, epoch * taken)
    if not isinstance(data, tf.data.Dataset):
        return DataPosition(0, 0)
    size = int(data.cardinality())
    if size == steps:
        return DataPosition(2 * epoch, 0)
    if size > 0:
        raise ValueError(
            f"The data set has {size} batches and steps_per_epoch is {steps}, so kd.FullState cannot tell "
            "where an epoch begins. Pass data.repeat(), or leave out steps_per_epoch."
        )
    return DataPosition(0, epoch * taken) if steps else DataPosition(epoch, 0)


def draw_seeds(data: tf.data.Dataset, iterators: int) -> None:
    """Draw the seeds that so many iterators over a data set draw."""
    for _ in range(iterators):
        iter(data)
