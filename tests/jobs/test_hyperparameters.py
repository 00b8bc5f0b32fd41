"""How the main job trains."""

import pytest

from keras_kd.jobs.hyperparameters import Hyperparameters


@pytest.mark.parametrize(("earlier", "phases"), [((), [40]), ((20,), [20, 20]), ((10, 15), [10, 5, 25])])
def test_phases(earlier, phases):
    assert Hyperparameters(0, 40, earlier=earlier).phases == phases
