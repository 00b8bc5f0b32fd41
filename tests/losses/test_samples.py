"""Means, masks, norms and checks of shapes that all losses share."""

import numpy as np

import keras_kd as kd
from tests.losses.batches import vectors
from tests.losses.gradients import value_and_gradients


def test_a_zero_vector_has_no_gradient():
    """A division by a length of almost 0 would give the layers before it one of 1e12."""
    teacher, student = vectors(0, (5, 6), (5, 6))
    student[0] = 0
    for loss in (
        kd.losses.ContrastiveRepresentation(),
        kd.losses.ProbabilisticTransfer(),
        kd.losses.CorrelationCongruence(),
        kd.losses.CosineHidden(),
    ):
        _, (gradient,) = value_and_gradients(loss, teacher, student)
        assert (gradient[0] == 0).all()
        assert np.abs(gradient).max() < 100
