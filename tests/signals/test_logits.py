import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.signals.logits import logits_of


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_logits_of_inverts_an_activation(activation, dtype):
    logits = tf.constant([[2.0, -1.0, 0.5]], dtype)
    output = getattr(keras.ops, activation)(logits)
    assert logits_of(output, None) is output
    assert logits_of(output, activation) is logits
    # What Keras did not keep is computed: the logits up to the constant that a softmax ignores.
    alone = logits_of(tf.identity(output), activation)
    shift = alone - logits if activation == "softmax" else alone - logits + 1
    np.testing.assert_allclose(shift, np.full((1, 3), shift[0, 0]), atol=1e-5 if dtype == "float32" else 0.02)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_probability_of_zero_may_suppress_a_class(dtype):
    output = tf.constant([[0.25, 0.75, 0.0], [0.0, 0.0, 0.0]], dtype)
    logits = np.asarray(tf.cast(logits_of(output, "softmax", suppress=True), "float32"))
    assert np.isneginf(logits[0, 2])
    assert logits[0, 1] - logits[0, 0] == pytest.approx(np.log(3), rel=1e-2)
    assert np.isfinite(logits[1]).all()  # a padded token has no distribution
    logits = np.asarray(tf.cast(logits_of(output[:1], "sigmoid", suppress=True), "float32"))
    assert np.isneginf(logits[0, 2])
    assert logits[0, 1] == pytest.approx(np.log(3), rel=1e-2)


def test_logits_of_zero_probability_is_finite():
    output = tf.constant([[1.0, 0.0]])
    assert np.isfinite(logits_of(output, "softmax")).all()
    assert np.isfinite(logits_of(output, "sigmoid")).all()
