"""A teacher whose signals come with the data teaches as one that runs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, distance, perceptron, weights_of

X = np.random.default_rng(0).random((32, 4)).astype("float32")


Y = np.random.default_rng(1).integers(0, 3, 32)


FEATURE = {"student": "hidden", "teacher": "hidden", "project": True}


def signals_of(teacher):
    both = keras.Model(teacher.input, [teacher.output, teacher.get_layer("hidden").output])
    return dict(zip(("output", "hidden"), map(np.asarray, both(X)), strict=True))


def trained(teacher, objectives, x, y=Y, eager=True, **options):
    keras.utils.set_random_seed(2)
    distiller = kd.Distiller(perceptron(4), teacher, objectives() if objectives else None)
    distiller.compile(
        keras.optimizers.SGD(0.1), loss=cross_entropy(), metrics=["accuracy"], run_eagerly=eager
    )
    history = distiller.fit(x, y, batch_size=16, shuffle=False, verbose=0, **options).history
    return weights_of(distiller), history


def as_set(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


OBJECTIVES = {
    "blend": None,
    "labels and logits": lambda: [
        kd.Objective(kd.losses.DecoupledKD(), teacher=("output", "labels")),
        kd.Objective(kd.losses.SimilarityPreserving(), **FEATURE),
    ],
}


@pytest.mark.parametrize(
    ("objectives", "activation", "eager"),
    [
        ("blend", "softmax", False),
        pytest.param("labels and logits", None, True, marks=pytest.mark.slow),
        pytest.param("labels and logits", "softmax", False, marks=pytest.mark.slow),
    ],
)
def test_as_good_as_the_teacher(objectives, activation, eager):
    teacher, objectives = perceptron(8, activation=activation), OBJECTIVES[objectives]
    expected, logs = trained(teacher, objectives, X, eager=eager)
    found, others = trained(None, objectives, kd.Taught(X, signals_of(teacher)), eager=eager)
    assert distance(expected, found) < 1e-6
    assert logs.keys() == others.keys()
    for key in logs:
        np.testing.assert_allclose(logs[key], others[key], rtol=1e-5)


@pytest.mark.slow
def test_in_a_data_set_with_weights_and_held_out_data():
    teacher = perceptron(8)
    taught = kd.Taught(X, signals_of(teacher))
    weights = np.linspace(0, 1, 32)
    expected, _ = trained(teacher, None, X, sample_weight=weights)
    found, _ = trained(None, None, taught, sample_weight=weights)
    assert distance(expected, found) < 1e-6
    sizes = {"class_weight": {0: 0.5, 1: 1.0, 2: 2.0}}
    expected, logs = trained(teacher, None, as_set(X, Y), None, validation_data=as_set(X, Y), **sizes)
    found, others = trained(None, None, as_set(taught, Y), None, validation_data=as_set(taught, Y), **sizes)
    assert distance(expected, found) < 1e-6
    assert logs["val_loss"] == pytest.approx(others["val_loss"])


def test_evaluate_and_predict_read_the_inputs_alone():
    distiller = kd.Distiller(perceptron(4))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    taught = kd.Taught(X, signals_of(perceptron(8)))
    np.testing.assert_array_equal(distiller.predict(taught, verbose=0), distiller.predict(X, verbose=0))
    unlabelled = tf.data.Dataset.from_tensor_slices(taught).batch(8)
    # Of one size of batches: the last bits of a product depend on it.
    expected = distiller.predict(X, batch_size=8, verbose=0)
    np.testing.assert_array_equal(distiller.predict(unlabelled, verbose=0), expected)
    assert distiller.evaluate(taught, Y, verbose=0) == pytest.approx(distiller.evaluate(X, Y, verbose=0))


@pytest.mark.slow
def test_without_labels():
    distiller = kd.Distiller(perceptron(4), objectives=[kd.losses.SoftTargets(2.0)])
    distiller.compile("sgd", run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices(kd.Taught(X, signals_of(perceptron(8)))).batch(8)
    assert distiller.fit(data, verbose=0).history.keys() == {"loss", "soft_targets"}


ERRORS = {
    "no signals": (None, X, "has no teacher.*kd.Taught"),
    "another signal": (
        None,
        kd.Taught(X, {"pool": X}),
        r"reads the teacher's 'output', and the data carries the signals \['pool'\]",
    ),
    "two teachers": (perceptron, kd.Taught(X, {"output": X[:, :3]}), "a teacher of its own"),
    "another width": (
        None,
        kd.Taught(X, {"output": X[:, :2]}),
        r"student 'output' \(None, 3\), teacher 'output' \(None, 2\)",
    ),
}


@pytest.mark.parametrize(("make", "x", "message"), ERRORS.values(), ids=ERRORS)
def test_errors_come_before_training(make, x, message):
    distiller = kd.Distiller(perceptron(4), make and make(8))
    distiller.compile("sgd", loss=cross_entropy())
    for data in ({"x": x, "y": Y}, {"x": as_set(x, Y)}):
        with pytest.raises(ValueError, match=message):
            distiller.fit(**data, verbose=0)


@pytest.mark.parametrize("signals", ["output", X[:, :3]], ids=["a name", "an array"])
def test_signals_without_a_name(signals):
    distiller = kd.Distiller(perceptron(4))
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(TypeError, match=r"takes the signals by tap, such as \{'output': logits\}"):
        distiller.fit(kd.Taught(X, signals), Y, verbose=0)


def test_a_single_batch_before_compile():
    with pytest.raises(ValueError, match=r"call `compile\(\)`"):
        kd.Distiller(perceptron(4), perceptron(8)).train_on_batch(X, Y)
