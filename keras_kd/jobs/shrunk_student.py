"""A student that is made from its teacher."""

from collections.abc import Callable

import keras

from keras_kd.compression.batch_norm.recalibration import recalibrate
from keras_kd.compression.shrinking.shrink import shrink
from keras_kd.compression.statistics import normalizations_in
from keras_kd.datasets import Data
from keras_kd.graphs import rebuild


def shrunk_student(teacher: keras.Model, keep: float, data: Data) -> Callable[[], keras.Model]:
    """What makes students of a teacher that is shrunk, all with the same weights.

    Args:
        teacher: The trained teacher.
        keep: The fraction of its multiply-adds to keep, in (0, 1].
        data: The inputs of whose training set BatchNorm statistics are computed anew.

    Raises:
        ValueError: The teacher cannot be shrunk so far, or not at all.
    """
    made: list[keras.Model] = []

    def student() -> keras.Model:
        if not made:
            small = shrink(teacher, keep, budget="macs", name=f"{teacher.name}_shrunk")
            made.append(recalibrate(small, data.train) if normalizations_in(small) else small)
        return rebuild(made[0])

    return student
