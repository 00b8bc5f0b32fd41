"""Every loss trains: on real digits, through the Distiller, it falls to less than half of its first value."""

import numpy as np
import pytest

from benchmarks.training import TRAININGS, fall

EPOCHS = 6
# These take all the epochs that their rows give them.
SLOW_TO_FALL = {"ClassCorrelation", "NormalizedKD", "VariationalInformation"}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_falls_by_half(name):
    epochs = None if name in SLOW_TO_FALL else EPOCHS
    first, last = fall(name, teacher_epochs=3, epochs=epochs, enough=0.5)  # most need an epoch or two
    assert np.isfinite(last)
    assert last < first / 2
