"""BoundedRegression: the squared error, or nothing where the student is better than the teacher."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common, rows

values = arrays("float32", (5, 3), elements=st.floats(-8, 8, width=32))


@common
@given(values, values, values, st.floats(0, 50))
def test_bounded_is_the_error_or_nothing(teacher, labels, student, margin):
    found = rows(kd.losses.BoundedRegression(margin), (teacher, labels), student)
    error = ((student - labels) ** 2).sum(-1)
    bound = ((teacher - labels) ** 2).sum(-1)
    assert np.all((found == 0) | np.isclose(found, error, rtol=1e-5))
    assert np.all(found[error > bound + 1e-3] > 0)
    assert np.all(found[error + margin < bound - 1e-3] == 0)


def test_a_wide_margin_is_the_squared_error():
    teacher, labels, student = np.random.default_rng(0).normal(size=(3, 5, 2))
    found = rows(kd.losses.BoundedRegression(1e6), (teacher, labels), student)
    np.testing.assert_allclose(found, ((student - labels) ** 2).sum(-1), rtol=1e-5)


def test_a_student_that_is_better_is_left_alone():
    student = tf.constant([[0.5], [2.0]])
    with tf.GradientTape() as tape:
        tape.watch(student)
        found = kd.losses.BoundedRegression()((np.ones((2, 1)), np.zeros((2, 1))), student)
    np.testing.assert_allclose(tape.gradient(found, student), [[0.0], [2.0]])


@pytest.mark.parametrize(
    ("outputs", "labels"), [((4, 1), (4,)), ((4,), (4, 1)), ((4,), (4,)), ((4, 5, 1), (4, 5))]
)
@pytest.mark.parametrize("kind", ["float64", "int64"])
def test_a_last_axis_of_one_may_be_missing(outputs, labels, kind):
    random = np.random.default_rng(0)
    teacher, student = random.normal(size=(2, *outputs))
    values_of_labels = random.normal(size=outputs).astype(kind)
    full = [x.reshape(4, -1, 1) for x in (teacher, values_of_labels, student)]
    expected = rows(kd.losses.BoundedRegression(), (full[0], full[1]), full[2])
    found = rows(kd.losses.BoundedRegression(), (teacher, values_of_labels.reshape(labels)), student)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_bounded_regression_refuses():
    loss, teacher = kd.losses.BoundedRegression(), np.ones((4, 3))
    with pytest.raises(ValueError, match=r'teacher=\("output", "labels"\)'):
        loss(teacher, teacher)
    for labels in (np.ones(4), np.ones((4, 1)), np.ones((4, 2)), np.ones((4, 3, 2))):
        with pytest.raises(ValueError, match=r"labels of the outputs' shape, \(4, 3\). Received labels"):
            loss((teacher, labels), teacher)
    with pytest.raises(ValueError, match="same shape"):
        loss((np.ones((4, 1)), teacher), teacher)
    with pytest.raises(ValueError, match="`margin` must be a number of at least 0"):
        kd.losses.BoundedRegression(-1)


def test_bounded_regression_trains_a_regressor_to_the_teachers_error():
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 4)).astype("float32")
    y = (x @ random.normal(size=4)).astype("float32")
    teacher = (y + 0.3 * random.choice([-1, 1], 64)).astype("float32")[:, None]
    loss, student = kd.losses.BoundedRegression(), keras.layers.Dense(1)
    student.build((None, 4))
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(student.trainable_weights)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            found = loss((teacher, y), student(x))
        optimizer.apply(tape.gradient(found, student.trainable_weights))
        return found

    for _ in range(150):
        found = step()
    assert float(found) == 0
    assert np.abs(student(x)[:, 0] - y).max() <= 0.3 + 1e-5
