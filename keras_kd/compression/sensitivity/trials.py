"""One model whose weights are changed, scored, and put back."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_kd.compression.batch_norm.recalibration import assign_statistics
from keras_kd.compression.sensitivity.parts import Change
from keras_kd.compression.sensitivity.yardstick import Yardstick, runner_of
from keras_kd.compression.statistics import MomentsMeter, normalizations_in


class Trials:
    """Scores a model with some of its weights changed; nothing is compiled anew.

    Args:
        model: The model. After each trial its weights are what they were.
        yardstick: What is measured.
        recalibrate: Whether its BatchNorms get the statistics of the data before each measurement.
    """

    def __init__(self, model: keras.Model, yardstick: Yardstick, *, recalibrate: bool = False) -> None:
        self._model, self._yardstick, self._run = model, yardstick, runner_of(model)
        self._meter = MomentsMeter(model, anew=True) if recalibrate and normalizations_in(model) else None

    def score(self, change: Change = ()) -> float:
        """The score after a change."""
        if isinstance(change, keras.Model):
            return Trials(change, self._yardstick, recalibrate=self._meter is not None).score()
        changed = [variable for variable, _ in change]
        before = [(variable, np.array(variable)) for variable in [*changed, *self._statistics()]]
        try:
            _assign(change)
            if self._meter is not None:
                assign_statistics(self._model, self._meter.measure(self._yardstick.inputs)[0])
            return self._yardstick.measure(self._run)
        finally:
            _assign(before)

    def _statistics(self) -> Sequence[keras.Variable]:
        """What recalibration changes."""
        if self._meter is None:
            return ()
        return [v for layer in normalizations_in(self._model).values() for v in layer.non_trainable_variables]


def _assign(values: Sequence[tuple[keras.Variable, np.ndarray]]) -> None:
    for variable, value in values:
        variable.assign(value)
