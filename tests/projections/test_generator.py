"""MaskedGenerator: its random masks."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd import projections as p


@pytest.mark.parametrize(("mask", "ratio"), [("positions", 0.65), ("channels", 0.25)])
def test_the_ratio_is_the_fraction_set_to_zero(mask, ratio):
    layer = p.MaskedGenerator(units=32, ratio=ratio, mask=mask, seed=3)
    kept = np.asarray(layer._random_mask(tf.ones((64, 8, 8, 32))))
    assert kept.shape == ((64, 8, 8, 1) if mask == "positions" else (64, 1, 1, 32))
    assert set(np.unique(kept)) == {0.0, 1.0}
    np.testing.assert_allclose(1 - kept.mean(), ratio, atol=0.03)


def test_masks_are_drawn_while_training_only_and_replay_by_seed():
    ones = np.ones((4, 4, 4, 6), "float32")
    first, second = (p.MaskedGenerator(units=6, seed=7) for _ in range(2))
    first(ones)
    second(ones)
    second.set_weights(first.get_weights())
    drawn = [np.asarray(first(ones, training=True)) for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 0
    np.testing.assert_array_equal(second(ones, training=True), drawn[0])
    np.testing.assert_array_equal(first(ones), first(ones))
    assert first.align is None
