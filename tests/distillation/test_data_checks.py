"""Data that `fit` refuses before the first step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.distillation.data_checks import check_arrays, check_inputs, find_arrays, warn_of_endless_data
from tests.distillation.conftest import (
    CLASSES,
    FORMS,
    VECTORS,
    check_refused,
    convnet,
    cross_entropy,
    perceptron,
)


@pytest.fixture(scope="module")
def distiller():
    """Refuses what it is given in each test."""
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    distiller.compile("sgd", loss=cross_entropy())
    return distiller


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y + 5), r"holds the label 1\d, and the student has 10 classes, 0 to 9"),
        (lambda x, y: (x, y - 10), r"holds the label -\d+"),
        (lambda x, y: (np.where(x > 0.9, np.nan, x), y), "NaN or infinity, first in row 0"),
        (lambda x, y: (x[:0], y[:0]), "`x` is empty"),
        (lambda x, y: (tf.data.Dataset.from_tensor_slices((x, y)).take(0).batch(8), None), "no batch"),
        (lambda x, y: (x[:, :4], y), r"takes inputs of shape \(None, 8, 8, 1\), and the data has"),
    ],
)
def test_bad_data_is_refused_before_the_first_step(distiller, batch, change, message):
    with pytest.raises(ValueError, match=message):
        distiller.fit(*change(*batch), verbose=0)
    assert int(distiller.optimizer.iterations) == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras's own words for it
def test_a_data_set_without_a_batch_is_no_training(distiller, batch):
    nothing = tf.data.Dataset.from_tensor_slices(batch).filter(lambda x, y: False).batch(8)
    with pytest.raises(ValueError, match="gave no batch"):
        distiller.fit(nothing, verbose=0)
    assert distiller.fit(*batch, epochs=0, verbose=0).history == {}


def test_nan_in_weights_and_held_out_data_is_refused(distiller, batch):
    x, y = batch
    with pytest.raises(ValueError, match="`sample_weight` holds NaN"):
        distiller.fit(x, y, sample_weight=np.full(32, np.nan), verbose=0)
    with pytest.raises(ValueError, match=r"`validation_data\[0\]` holds NaN"):
        distiller.fit(x, y, validation_data=(x * np.nan, y), verbose=0)


NO_CLASS = VECTORS, CLASSES + 5, r"`y` holds the label [5-7], and the student has 3 classes, 0 to 2"
NAN = (
    np.where(VECTORS > 0.9, np.nan, VECTORS),
    CLASSES,
    "The data holds NaN or infinity: .* in the first batch",
)


@pytest.mark.parametrize(
    ("form", "x", "y", "message"), [("set", *NO_CLASS), ("generator", *NAN), ("set", *NAN)]
)
def test_data_that_is_known_only_when_it_runs(form, x, y, message):
    distiller = kd.Distiller(perceptron(4), perceptron(8))
    distiller.compile("sgd", loss=cross_entropy())
    check_refused(distiller, message, **FORMS[form](x, y))


def test_labels_that_metrics_miss():
    distiller = kd.Distiller(perceptron(4), perceptron(8), [kd.losses.SoftTargets()])
    distiller.compile("sgd", metrics=["accuracy"])
    check_refused(distiller, r"compile\(metrics=...\) needs labels", x=VECTORS)


def test_labels_that_an_objective_misses():
    distiller = kd.Distiller(
        perceptron(4), perceptron(8), [kd.Objective(kd.losses.DecoupledKD(), teacher=("output", "labels"))]
    )
    distiller.compile("sgd")
    check_refused(distiller, "'labels' is read by an objective, and the data has no labels", x=VECTORS)


@pytest.mark.slow
def test_labels_that_are_missing_are_missed(distiller, batch):
    x, _ = batch
    with pytest.raises(ValueError, match=r"the data has none\. Leave `loss` out"):
        distiller.fit(x, verbose=0)
    reads = kd.Objective("sparse_categorical_crossentropy", teacher="labels", name="labels")
    distiller = kd.Distiller(convnet(4, activation="softmax"), convnet(8, "t"), [reads])
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="the data has no labels"):
        distiller.fit(x, verbose=0)


def test_check_arrays_names_the_argument_and_the_row():
    rows = np.array([[1.0], [np.nan]])
    with pytest.raises(ValueError, match="`x` holds NaN or infinity, first in row 1"):
        check_arrays({"y": np.array([1, 2]), "x": {"a": rows}})
    with pytest.raises(ValueError, match="The data set `x` is empty"):
        check_arrays({"x": tf.data.Dataset.from_tensor_slices(rows).take(0)})
    check_arrays({"x": np.array(["text"]), "y": None})


def test_find_arrays_looks_into_taught_inputs_and_held_out_data():
    taught = kd.Taught(np.zeros(2), {"output": np.ones(2)})
    found = find_arrays({"x": taught, "validation_data": (np.zeros(3), np.ones(3)), "epochs": 2})
    assert list(found) == ["x", "y", "sample_weight", "Taught.signals"] + [
        f"validation_data[{i}]" for i in (0, 1)
    ]
    assert found["x"] is taught.inputs
    assert found["Taught.signals"] is taught.signals


def test_arrays_without_an_axis_are_left_to_keras():
    check_arrays({"x": np.array(1.0)})


def test_check_inputs_goes_by_names_where_the_structures_differ():
    student = perceptron(4)
    named = {student.input.name: VECTORS}
    check_inputs(student, named)
    check_inputs(student, {"x": VECTORS[:, :2], **named})
    with pytest.raises(ValueError, match=r"takes inputs of shape \(None, 4\), and the data has \(24, 2\)"):
        check_inputs(student, {student.input.name: VECTORS[:, :2]})


class Endless(keras.utils.PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return VECTORS[:8], CLASSES[:8]


class StopAfter(keras.callbacks.Callback):
    """Ends training in the middle of an epoch."""

    def __init__(self, batches):
        super().__init__()
        self.left = batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        self.model.stop_training = self.left == 0


def endless_set():
    return tf.data.Dataset.from_tensor_slices((VECTORS, CLASSES)).batch(8).repeat()


@pytest.mark.parametrize("make", [endless_set, pytest.param(Endless, marks=pytest.mark.slow)])
def test_endless_data_trains_as_in_keras_and_is_told_of(make):
    """Past the three batches of the data, until a callback stops it."""
    plain, student = perceptron(4), perceptron(4)
    plain.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller = kd.Distiller(student, perceptron(8))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    plain.fit(make(), verbose=0, callbacks=[StopAfter(5)], shuffle=False)
    with pytest.warns(UserWarning, match="`x` is endless, and `steps_per_epoch` is not given: as in Keras"):
        distiller.fit(make(), verbose=0, callbacks=[StopAfter(5)], shuffle=False)
    assert int(plain.optimizer.iterations) == int(distiller.optimizer.iterations) == 5


def test_endless_data_with_a_number_of_steps_is_fine():
    data = endless_set()
    warn_of_endless_data({"x": data, "steps_per_epoch": 2, "validation_data": data, "validation_steps": 1})
    warn_of_endless_data({"x": data.take(3), "validation_data": (VECTORS, CLASSES)})
    warn_of_endless_data({"x": VECTORS, "validation_data": None})
    with pytest.warns(UserWarning, match="`validation_data` is endless, and `validation_steps` is not given"):
        warn_of_endless_data({"x": VECTORS, "validation_data": data})
