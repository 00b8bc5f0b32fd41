"""What is stored comes back: exactly where nothing is left out, and with the mass of what is."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy.special import log_softmax, logsumexp, softmax

from keras_kd.teachers.taught.records import StoredSignal, check_top_k

LOGITS = nps.arrays("float32", (3, 7), elements=st.floats(-30, 30, width=32))


def stored(top_k=None, dtype="float32", activation=None, shape=(7,)):
    return StoredSignal("output", shape, dtype, "float32", activation, top_k)


def back(signal, values):
    return signal.decode(signal.encode(values))


@settings(deadline=None)
@given(LOGITS)
def test_dense_comes_back(logits):
    assert (back(stored(), logits) == logits).all()
    half = back(stored(dtype="float16"), logits)
    assert half.dtype == np.float32
    assert (half == logits.astype("float16")).all()


@settings(deadline=None)
@given(LOGITS, st.integers(1, 6))
def test_the_largest_are_exact_and_the_others_share_the_rest(logits, k):
    found = back(stored(k), logits).astype("float64")
    # Both are normalized over all classes: the sum of exponentials is the teacher's.
    np.testing.assert_allclose(logsumexp(found, -1), logsumexp(logits, -1), rtol=0, atol=1e-5)
    kept = np.sort(logits, -1)[:, -k:]
    np.testing.assert_allclose(np.sort(found, -1)[:, -k:], kept, atol=1e-5)
    for row, (now, before) in enumerate(zip(found, logits, strict=True)):
        others = now != before
        assert len(np.unique(now[others])) <= 1, row


@settings(deadline=None, max_examples=20)
@given(LOGITS, LOGITS, st.sampled_from([1.0, 4.0]))
def test_all_classes_are_the_dense_divergence_in_value_and_gradient(logits, student, temperature):
    def divergence(teacher):
        given = tf.Variable(student)
        with tf.GradientTape() as tape:
            log_student = tf.nn.log_softmax(given / temperature)
            log_teacher = tf.nn.log_softmax(teacher / temperature)
            value = tf.reduce_sum(tf.exp(log_teacher) * (log_teacher - log_student))
        return value, tape.gradient(value, given)

    for dense, sparse in zip(divergence(logits), divergence(back(stored(7), logits)), strict=True):
        np.testing.assert_allclose(dense, sparse, rtol=1e-6, atol=1e-6)


def test_the_divergence_to_the_dense_falls_with_k():
    logits = np.random.default_rng(0).normal(0, 3, (200, 100)).astype("float32")
    errors = []
    for k in (1, 5, 20, 50, 100):
        log_teacher, log_found = (
            log_softmax(logits, -1),
            log_softmax(back(stored(k, shape=(100,)), logits), -1),
        )
        errors.append(float((np.exp(log_teacher) * (log_teacher - log_found)).sum(-1).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_probabilities_keep_their_relative_precision(activation, dtype):
    logits = np.array([[-30, 0, 8, 2, 1, -20, 3.0]], "float32")
    values = softmax(logits, -1) if activation == "softmax" else 1 / (1 + np.exp(-logits.astype("float64")))
    found = back(stored(dtype=dtype, activation=activation), values)
    np.testing.assert_allclose(found, values, rtol=2e-2 if dtype == "float16" else 1e-5)
    if activation == "softmax":
        assert found.sum() == pytest.approx(1, abs=1e-6)
        sparse = back(stored(3, dtype, activation), values)
        assert sparse.sum() == pytest.approx(1, abs=1e-6)
        assert np.count_nonzero(np.isclose(sparse, values, rtol=2e-2)) >= 3


def test_probabilities_of_zero_and_one_come_back():
    values = np.array([[0, 1, 0, 0, 0, 0, 0.0]], "float32")
    for k in (None, 1, 3):
        np.testing.assert_array_equal(back(stored(k, "float16", "softmax"), values), values)
    np.testing.assert_array_equal(back(stored(None, "float16", "sigmoid"), values), values)


def test_what_a_dtype_does_not_hold():
    values = np.zeros((3, 7), "float32")
    values[2, 4] = 1e5
    with pytest.raises(OverflowError) as caught:
        stored(dtype="float16").encode(values)
    assert caught.value.args == (2, 1e5)
    values[2, 4] = -np.inf  # a class that the teacher rules out
    assert back(stored(dtype="float16"), values)[2, 4] == -np.inf


@pytest.mark.parametrize(("classes", "ids"), [(2**16, "uint16"), (2**16 + 1, "uint32")])
def test_the_bytes_of_a_sample(classes, ids):
    item = stored(10, "float16", shape=(classes,)).item
    assert item["ids"].base == ids
    assert item.itemsize == 10 * (2 + item["ids"].base.itemsize) + 4
    values = np.zeros((1, classes), "float32")
    values[0, -1] = 1
    assert back(stored(10, shape=(classes,)), values)[0, -1] == 1


def test_integers_and_numbers_without_classes():
    labels = StoredSignal("ids", (), "int32", "int32")
    assert back(labels, np.array([3, 2**30], "int32")).tolist() == [3, 2**30]
    signal = stored(2, shape=(4, 7))
    assert StoredSignal.from_json(signal.as_json()) == signal


ERRORS = {
    "too many": (
        8,
        (7,),
        None,
        ValueError,
        "1 to the number of classes. 'output' has 7 classes. Received: 8",
    ),
    "none": (0, (7,), None, ValueError, "Received: 0"),
    "no axis": (1, (), None, ValueError, "'output' has no axis of classes"),
    "a fraction": (0.5, (7,), None, TypeError, "whole number of classes. Received: 0.5"),
    "a sigmoid": (2, (7,), "sigmoid", ValueError, "each class has a mass of its own"),
}


@pytest.mark.parametrize(("top_k", "shape", "activation", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_how_many_classes(top_k, shape, activation, kind, message):
    with pytest.raises(kind, match=message):
        check_top_k("output", top_k, shape, activation)
