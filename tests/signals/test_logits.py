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


def test_logits_of_zero_probability_is_finite():
    output = tf.constant([[1.0, 0.0]])
    assert np.isfinite(logits_of(output, "softmax")).all()
    assert np.isfinite(logits_of(output, "sigmoid")).all()
