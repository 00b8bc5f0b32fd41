"""Projection: sizing, and a subclass of ones own."""

import keras
import numpy as np
import pytest

from keras_kd import projections as p
from tests.projections.rows import make_sized


@keras.saving.register_keras_serializable("tests")
class Scaled(p.Projection):
    """A projection of a user, with an argument of its own."""

    def __init__(self, units=None, factor=2.0, **kwargs):
        super().__init__(units, **kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.require(input_shape, (2,), "vectors (batch, width)")
        self.scale = self.add_weight(shape=(self.width_of(0),), initializer="ones")

    def call(self, signal):
        return self.factor * signal * self.scale


def test_shapes_and_widths_are_those_of_the_teacher():
    layer = Scaled()
    assert layer.shape_of(0) is None
    layer.size_for(((32, 4, 12), (32, 7)))
    assert (layer.shape_of(0), layer.shape_of(1)) == ((None, 4, 12), (None, 7))
    assert (layer.width_of(0), layer.width_of(1)) == (12, 7)
    with pytest.raises(ValueError, match="reads at least 3 signals of the student, and the teacher has 2"):
        layer.shape_of(2)


def test_units_come_before_the_width_of_the_teacher():
    layer = Scaled(units=3)
    layer.size_for((None, 12))
    assert layer.width_of(0) == 3


def test_the_configuration_holds_own_arguments_and_the_shape_of_the_teacher():
    layer = Scaled(factor=3.0)
    layer.size_for((None, 2))
    again = Scaled.from_config(layer.get_config())
    assert (again.factor, again.units, again.teacher_shape) == (3.0, None, (None, 2))
    assert "teacher_shape" not in Scaled(units=2).get_config()
    np.testing.assert_allclose(again(np.ones((1, 2))), [[3.0, 3.0]])


def test_a_student_of_another_rank_is_refused():
    layer = Scaled(units=2)
    with pytest.raises(ValueError, match=r"Scaled \('scaled'\) reads vectors .* the shape \(2, 3, 4\)"):
        layer(np.ones((2, 3, 4)))


def test_it_fits_one_teacher():
    layer, signals = make_sized("linear, maps")
    layer(signals)
    layer.size_for((32, 4, 4, 12))  # the same, whatever the batch
    with pytest.raises(ValueError, match=r"built for a teacher's signal.*Create another one"):
        layer.size_for((None, 4, 4, 13))


def test_labels_after_the_teachers_signal_do_not_count():
    layer = p.Linear()
    layer.size_for(((None, 12), (None,)))
    assert layer(np.ones((2, 8), "float32")).shape == (2, 12)
