"""Where in its data an uninterrupted `fit` would be, and how to bring a new `fit` there."""

import math
from typing import NamedTuple

import tensorflow as tf


class DataPosition(NamedTuple):
    """Where in the data an epoch begins."""

    iterators: int  # created over the data set before the one that this epoch reads
    batches: int  # taken from that iterator in earlier epochs


def find_position(data: object, epoch: int, steps: int | None, steps_per_execution: int = 1) -> DataPosition:
    """Where in its data `fit` begins an epoch.

    A shuffled data set draws new seeds whenever an iterator over it is created, so the order of an epoch
    depends on how many were created before. If Keras knows the number of batches, it creates two for each
    epoch, the second of them unused, else one; with `steps_per_epoch`, a single one for all epochs.

    Args:
        data: The `x` argument of `fit`.
        epoch: The epoch, counted from the first that was trained.
        steps: Steps per epoch, if Keras knows.
        steps_per_execution: As passed to `compile`.

    Raises:
        ValueError: A finite data set with `steps_per_epoch`: it is unknown where it starts over.
    """
    # Batches that an epoch takes from an iterator that has more.
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
    """Draw the seeds that this number of iterators over a data set draws."""
    for _ in range(iterators):
        iter(data)
