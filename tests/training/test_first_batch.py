"""The first batch is validated once, and that costs the data nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.training import train_function
from keras_kd.training.first_batch import FirstBatch, check_numbers, validate_first
from tests.distillation.conftest import CLASSES, VECTORS, as_set, cross_entropy, perceptron


@pytest.mark.parametrize("steps", [1, 2])
def test_no_batch_is_lost_or_trained_twice(steps):
    """In the order of the data, which another iterator would have changed."""
    trained = []

    def rows(iterator):
        taken = [int(batch) for _, batch in zip(range(steps), iterator, strict=False)]
        if not taken:
            raise StopIteration
        trained.extend(taken)

    def data():
        return tf.data.Dataset.range(7).shuffle(7, seed=1)

    validated = []
    iterator = iter(data())
    validate_first(iterator, rows, validated.append, steps)
    while len(trained) < 7:
        rows(iterator)
    assert trained == [int(row) for row in data()]
    assert [int(row) for row in validated] == trained[:1]
    with pytest.raises(StopIteration):
        validate_first(iterator, rows, validated.append, steps)


def test_the_first_batch_is_validated_once_and_nothing_is_traced_for_it():
    runs = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            runs.append(tf.executing_eagerly())
            return x

    inputs = keras.Input((4,))
    teacher = keras.Model(inputs, keras.layers.Dense(3)(Counted()(inputs)))
    distiller = kd.Distiller(perceptron(4), teacher)
    distiller.compile("sgd", loss=cross_entropy())
    runs.clear()
    distiller.fit(as_set(VECTORS, CLASSES), epochs=3, verbose=0)
    assert runs.count(True) == 1  # its validation
    assert runs.count(False) == 1  # the trace of the step
    distiller.fit(as_set(VECTORS, CLASSES), verbose=0)
    assert (runs.count(True), runs.count(False)) == (1, 1)
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(as_set(VECTORS, CLASSES), verbose=0)
    assert (runs.count(True), runs.count(False)) == (2, 2)


def noted(**compiled):
    """A model, and the first value of each batch that was validated."""
    model, values = perceptron(3), []
    first = FirstBatch(model, lambda data: values.append(float(data[0][0, 0])))
    model.compile("sgd", loss=cross_entropy(), run_eagerly=True, **compiled)
    return model, first, values


def fit(model, first, **options):
    with first.intercepted(**options):
        assert first.is_awaited
        model.fit(as_set(VECTORS, CLASSES), verbose=0, shuffle=False)
    assert not first.is_awaited
    assert not list(train_function.interceptions(model))


def test_first_batch_is_due_for_each_train_function():
    model, first, values = noted()
    fit(model, first)
    assert not first.is_due
    with first.intercepted():
        assert not first.is_awaited
    fit(model, first, anew=True)
    model.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    assert first.is_due
    model.make_train_function()  # which hides that `compile` was called
    fit(model, first)
    train_function.discard(model)
    fit(model, first)
    assert values == [float(VECTORS[0, 0])] * 4


def test_first_batch_is_validated_when_a_callback_makes_the_train_function_anew():
    model, first, values = noted()
    remake = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: train_function.remake(model))
    with first.intercepted():
        model.fit(VECTORS, CLASSES, verbose=0, callbacks=[remake])
    assert len(values) == 1
    assert not first.is_due


def test_first_batch_that_was_refused_is_due_again():
    model = perceptron(3)

    def refuse(data):
        raise ValueError("no")

    first = FirstBatch(model, refuse)
    model.compile("sgd", loss=cross_entropy())
    for _ in range(2):
        with pytest.raises(ValueError, match="no"), first.intercepted():
            model.fit(VECTORS, CLASSES, verbose=0)
        assert not list(train_function.interceptions(model))
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_check_numbers_counts_nan_and_infinity_in_any_precision(dtype):
    values = tf.cast([[1.0, np.nan], [np.inf, 2.0]], dtype)
    with pytest.raises(
        ValueError, match=r"It holds NaN or infinity: 2 of 4 values in the first batch\. Do\."
    ):
        check_numbers({"a": tf.constant([1]), "b": values}, "It", "Do.")
    with pytest.raises(ValueError, match=r"1 of 3 values in the first batch"):
        check_numbers(tf.cast([-np.inf, np.inf, 0.0], dtype), "It", "Do.", may_suppress=True)
    check_numbers([tf.constant(["text"]), None, tf.zeros(2)], "It", "Do.")
