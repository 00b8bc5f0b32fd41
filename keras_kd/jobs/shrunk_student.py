"""A student that is made from its teacher."""

import keras

from keras_kd.compression.batch_norm.recalibration import recalibrate
from keras_kd.compression.costs.cost import cost
from keras_kd.compression.shrinking.groups import channel_groups
from keras_kd.compression.shrinking.shrink import shrink
from keras_kd.compression.statistics import normalizations_in
from keras_kd.datasets import Data
from keras_kd.graphs import rebuild


class ShrunkStudent:
    """Makes students of a teacher that is shrunk, all with the same weights.

    Args:
        teacher: The trained teacher.
        keep: The fraction of its multiply-adds to keep, in (0, 1].
        data: The inputs of whose training set BatchNorm statistics are computed anew.

    Raises:
        ValueError: The teacher cannot be shrunk so far, or not at all.
    """

    def __init__(self, teacher: keras.Model, keep: float, data: Data) -> None:
        shape = data.input_shape
        small = shrink(teacher, keep, budget="macs", input_shape=shape, name=f"{teacher.name}_shrunk")
        self._small = recalibrate(small, data.train) if normalizations_in(small) else small
        self._sizes = [_sizes(model, shape) for model in (teacher, small)]
        self._keep = keep

    def __call__(self) -> keras.Model:
        """A student before its training."""
        return rebuild(self._small)

    def describe(self) -> str:
        """What it has of the teacher, with figures."""
        before, after = self._sizes
        each = ", ".join(f"{before[name]:,} -> {after[name]:,} {name}" for name in before)
        return (
            f"The student is the teacher shrunk to {self._keep:g} of its multiply-adds: {each}. Trained "
            "alone or distilled, it starts from the teacher's weights that are left."
        )


def _sizes(model: keras.Model, input_shape: tuple[int, ...]) -> dict[str, int]:
    found = cost(model, input_shape=input_shape)
    channels = sum(group.channels for group in channel_groups(model).groups)
    return {"multiply-adds": found.macs, "parameters": found.parameters, "channels": channels}
