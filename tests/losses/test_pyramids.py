"""HierarchicalContext."""

import keras
import pytest
from hypothesis import given

import keras_kd as kd
from tests.losses.batches import common, few, maps, seeds, value


@common
@given(seeds, few)
def test_context_of_maps_of_size_one_is_the_squared_error(seed, channels):
    teacher, student = maps(seed, 3, 1, 1, channels), maps(seed + 1, 3, 1, 1, channels)
    loss, expected = kd.losses.HierarchicalContext(), ((teacher - student) ** 2).mean()
    assert value(loss, teacher, student) == pytest.approx(expected, rel=1e-5)
    assert value(loss, teacher[:, 0, 0], student) == pytest.approx(expected, rel=1e-5)
    assert value(loss, teacher[:, 0, 0], student[:, 0, 0]) == pytest.approx(expected, rel=1e-5)


def test_context_of_unlike_tuples():
    first = maps(0, 2, 4, 4, 3)
    with pytest.raises(ValueError, match="2 of the teacher, 1 of the student"):
        kd.losses.HierarchicalContext()((first, first), first)
    with pytest.raises(ValueError, match=r"same shape. Received: teacher \(2, 4, 4, 3\), student"):
        kd.losses.HierarchicalContext()(first, maps(0, 2, 4, 4, 5))
    unknown = keras.Input((None, None, 3))
    with pytest.raises(ValueError, match="a known size"):
        kd.losses.HierarchicalContext().call(unknown, unknown)
