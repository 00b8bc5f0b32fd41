"""`evaluate`, `predict` and validation logs are of the student alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.distillation.evaluation import require_figures, without
from tests.distillation.conftest import (
    CLASSES,
    VECTORS,
    as_generator,
    as_set,
    convnet,
    cross_entropy,
    perceptron,
)
from tests.selection import rest_slow


def test_call_evaluate_and_predict_are_the_student(batch):
    x, y = batch
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    student.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    assert distiller.evaluate(x, y, verbose=0, return_dict=True) == student.evaluate(
        x, y, verbose=0, return_dict=True
    )
    np.testing.assert_array_equal(distiller.predict(x, verbose=0), student.predict(x, verbose=0))
    np.testing.assert_array_equal(distiller(x), student(x))


def test_validation_logs_hold_no_training_terms(batch):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(16, "t"))
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    logs = distiller.fit(x, y, validation_data=(x, y), verbose=0).history
    assert {key for key in logs if key.startswith("val_")} == {"val_accuracy", "val_loss"}


@pytest.mark.slow
def test_projections_are_not_in_what_evaluate_says(batch):
    project = keras.layers.Conv2D(8, 1, kernel_regularizer=keras.regularizers.L2(10.0))
    objective = kd.Objective("mse", student="block2", teacher="block2", project=project)
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(8, "t"), [objective])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    student.compile(loss=cross_entropy(), run_eagerly=True)
    assert distiller.evaluate(*batch, verbose=0) == pytest.approx(student.evaluate(*batch, verbose=0))


def test_there_may_be_nothing_to_evaluate(batch):
    distiller = kd.Distiller(convnet(4), convnet(8))
    distiller.compile("sgd", run_eagerly=True)
    distiller.train_on_batch(batch[0])
    with pytest.raises(ValueError, match="neither `loss` nor `metrics`"):
        distiller.evaluate(*batch, verbose=0)


HALF = CLASSES + 0.5


class TwoBatches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(12 * index, 12 * index + 12)
        return self.x[part], self.y[part]


EVALUATED = {
    "arrays": lambda y: {"x": VECTORS, "y": y},
    "set": lambda y: {"x": as_set(VECTORS, y)},
    "generator": lambda y: {"x": as_generator(VECTORS, y), "steps": 3},
    "PyDataset": lambda y: {"x": TwoBatches(VECTORS, y)},
}


@pytest.mark.parametrize("make", rest_slow(EVALUATED, "set"))
def test_fractional_labels_are_refused_before_anything_is_evaluated(make):
    distiller = kd.Distiller(perceptron(4), perceptron(8))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    begun = keras.callbacks.Callback()
    begun.on_test_begin = lambda logs=None: pytest.fail("it was evaluated")
    with pytest.raises(ValueError, match=r"`y` holds the label [0-2].5, and sparse_.* reads classes"):
        distiller.evaluate(**make(HALF), callbacks=[begun], verbose=0)
    loss = distiller.evaluate(**make(CLASSES), verbose=0)
    assert distiller.evaluate(**make(CLASSES.astype("float32")), verbose=0) == loss


def distiller_of(kind):
    """A compiled Distiller of Keras 3 or of tf_keras."""
    if kind == "keras":
        distiller, loss = kd.Distiller(perceptron(4), perceptron(8)), cross_entropy()
    else:
        layers = tf_keras.layers
        student = tf_keras.Sequential([layers.Input((4,)), layers.Dense(3)])
        distiller = kd.tfmot.Distiller(student, perceptron(8))
        loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("sgd", loss=loss, run_eagerly=True)
    return distiller


@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
def test_either_distiller_refuses_fractional_labels(kind):
    distiller = distiller_of(kind)
    for evaluate in (distiller.evaluate, distiller.test_on_batch):
        with pytest.raises(ValueError, match=r"`y` holds the label [0-2].5"):
            evaluate(VECTORS, HALF)
    loss = distiller.evaluate(VECTORS, CLASSES, verbose=0)
    assert distiller.test_on_batch(VECTORS, CLASSES) == pytest.approx(loss)


def test_all_of_a_generator_is_evaluated():
    distiller = distiller_of("keras")
    loss = distiller.evaluate(VECTORS, CLASSES, verbose=0)
    parts = ((VECTORS[i : i + 8], CLASSES[i : i + 8]) for i in (0, 8, 16))
    assert distiller.evaluate(parts, steps=3, verbose=0) == pytest.approx(loss)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "tf_keras"])
def test_fit_does_not_read_the_first_held_out_batch_anew_in_each_epoch(kind):
    read = []

    def rows():
        read.append("a pass")
        yield VECTORS, CLASSES.astype("float32")

    signature = tf.TensorSpec((24, 4)), tf.TensorSpec((24,), "float32")
    held_out = tf.data.Dataset.from_generator(rows, output_signature=signature)
    held_out = held_out.apply(tf.data.experimental.assert_cardinality(1))
    distiller_of(kind).fit(VECTORS, CLASSES, validation_data=held_out, epochs=3, verbose=0)
    assert len(read) == 1 + 3  # one look before training, then one pass for each epoch


def test_without_leaves_out_what_trackers_have_logged():
    logs = {"loss": 1.0, "accuracy": 0.5}
    assert without(logs, [keras.metrics.Mean(name="loss")]) == {"accuracy": 0.5}
    assert without(logs, []) == logs


@pytest.mark.parametrize(("loss", "metrics"), [(True, False), (False, True)])
def test_require_figures_asks_for_a_loss_or_a_metric(loss, metrics):
    require_figures(loss, metrics)
    with pytest.raises(ValueError, match="There is nothing to evaluate"):
        require_figures(False, False)
