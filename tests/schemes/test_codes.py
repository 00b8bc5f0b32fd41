"""Codes are normal, and batch by batch the same for every reader."""

import numpy as np
import pytest

import keras_kd as kd


def test_codes_are_normal_and_batch_i_depends_on_the_seed_alone():
    data = kd.random_codes((3, 5), batch_size=500, seed=4)
    first = [np.array(batch) for batch in data.take(3)]
    assert {batch.shape for batch in first} == {(500, 3, 5)}
    np.testing.assert_array_equal(first, [np.array(batch) for batch in data.take(3)])
    np.testing.assert_array_equal(first[2], next(iter(data.skip(2))))
    others = [*first, next(iter(kd.random_codes((3, 5), batch_size=500)))]
    assert len({np.array(batch).tobytes() for batch in others}) == 4
    assert np.mean(first) == pytest.approx(0, abs=0.02)
    assert np.std(first) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("arguments", [{"shape": 0}, {"shape": ()}, {"shape": 4, "batch_size": 0}])
def test_refused(arguments):
    with pytest.raises(ValueError, match="sizes of at least 1"):
        kd.random_codes(**arguments)
