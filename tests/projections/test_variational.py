"""VariationalHead: its variance and its mean."""

import numpy as np

from keras_kd import projections as p
from tests.projections.rows import make_sized


def test_a_head_starts_at_its_variance_and_learns_it():
    for variance in (1e-4, 0.5, 5.0, 200.0):
        layer = p.VariationalHead(units=3, initial_variance=variance)
        np.testing.assert_allclose(layer(np.ones((2, 4), "float32"))[1], [variance] * 3, rtol=1e-4)
    assert "alpha" in [weight.name for weight in layer.trainable_weights]


def test_a_head_pools_before_it_predicts():
    layer, signals = make_sized("head, maps")
    pooled = signals.reshape(3, 4, 2, 4, 2, 8).mean((2, 4))
    np.testing.assert_allclose(layer(signals)[0], layer(pooled)[0], rtol=1e-4, atol=1e-5)
