"""How the main job trains."""

import pytest

from keras_kd.jobs.hyperparameters import Hyperparameters


@pytest.mark.parametrize(
    ("earlier", "phases"),
    [
        ((), [range(40)]),
        ((20,), [range(20), range(20, 40)]),
        ((10, 15), [range(10), range(10, 15), range(15, 40)]),
    ],
)
def test_phases(earlier, phases):
    assert Hyperparameters(0, 40, earlier=earlier).phases == phases
