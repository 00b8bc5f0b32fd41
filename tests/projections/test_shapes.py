"""One shape, or a tuple of shapes."""

import numpy as np
import pytest

from keras_kd.projections.shapes import is_shape, normalize_shapes, shapes_of


@pytest.mark.parametrize("shape", [(None, 8), [2, 3], (np.int64(2), 3), ()])
def test_numbers_and_none_are_a_shape(shape):
    assert is_shape(shape)
    assert shapes_of(shape) == (tuple(shape),)


@pytest.mark.parametrize("shapes", [((None, 8), (None, 4)), [(2, 3)], None, 3, "ab"])
def test_anything_else_is_none(shapes):
    assert not is_shape(shapes)


def test_shapes_have_a_batch_axis_for_any_batch():
    assert normalize_shapes([32, np.int64(4), None]) == (None, 4, None)
    assert normalize_shapes(([32, 4], None, (32,))) == ((None, 4), None, (None,))
    assert normalize_shapes(None) is None
