"""WeightedSoftLabels: its weights."""

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common
from tests.oracles.labels import behind

logits = arrays("float32", (4, 6), elements=st.floats(-8, 8, width=32))


classes = arrays("int64", (4,), elements=st.integers(0, 5))


@common
@given(logits, classes, logits, st.floats(0.5, 5))
def test_the_weights_of_wsld_are_between_0_and_1_and_have_no_gradient(teacher, labels, student, temperature):
    loss = kd.losses.WeightedSoftLabels(temperature, reduction=None)
    student = tf.constant(student)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(student)
        found = loss((teacher, labels), student)
        p, log_q = tf.nn.softmax(teacher / temperature), tf.nn.log_softmax(student / temperature)
        soft = -(temperature**2) * tf.reduce_sum(p * log_q, -1)
    weights = np.array([behind(t, s, y) for t, s, y in zip(teacher, student.numpy(), labels, strict=True)])
    assert ((weights >= -1e-6) & (weights <= 1)).all()
    np.testing.assert_allclose(found, weights * soft, rtol=2e-2, atol=1e-3)
    expected = weights[:, None] * tape.gradient(soft, student)
    np.testing.assert_allclose(tape.gradient(found, student), expected, rtol=2e-2, atol=1e-3)
