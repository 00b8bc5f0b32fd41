"""Labels that the compiled loss would misread."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.distillation.label_checks import check_held_out_labels, check_labels
from tests.distillation.conftest import (
    CLASSES,
    VECTORS,
    as_generator,
    as_set,
    check_refused,
    convnet,
    cross_entropy,
    perceptron,
)


def test_labels_that_the_loss_ignores_are_allowed(batch):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(8, "t"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    distiller.compile("sgd", loss=loss, run_eagerly=True)
    assert np.isfinite(distiller.fit(x, np.where(y < 5, -1, y), verbose=0).history["loss"][0])
    with pytest.raises(ValueError, match="holds the label"):
        distiller.fit(x, y - 3, verbose=0)


one_hot = np.eye(3, dtype="float32")[CLASSES]


LOSSES = {
    "one-hot, sparse": (cross_entropy(), one_hot, r"reads labels \(None,\).*CategoricalCrossentropy"),
    "sparse, one-hot": ("categorical_crossentropy", CLASSES, "For integer labels use Sparse"),
    "broadcast": ("mse", CLASSES.astype("float32"), r"reads labels \(None, 3\), and the data has \(None,\)"),
    "a class": (keras.losses.BinaryCrossentropy, CLASSES[:, None], "binary_crossentropy.*does not match"),
    "no labels": (cross_entropy(), None, "needs labels, and the data has none"),
}


@pytest.fixture(scope="module")
def distiller():
    """Refuses what it is given in each test, once it is compiled."""
    return kd.Distiller(perceptron(4, "small"), perceptron(8))


@pytest.mark.parametrize(("loss", "labels", "message"), LOSSES.values(), ids=LOSSES)
def test_a_compiled_loss_that_does_not_match_the_outputs(distiller, loss, labels, message):
    distiller.compile("sgd", loss=loss)
    check_refused(distiller, message, x=VECTORS, y=labels)


def two_heads():
    inputs = keras.Input((4,))
    outputs = {"kind": keras.layers.Dense(3, name="kind")(inputs), "size": keras.layers.Dense(1)(inputs)}
    return keras.Model(inputs, outputs)


@pytest.mark.slow
def test_one_of_several_losses_does_not_match():
    distiller = kd.Distiller(
        two_heads(), two_heads(), [kd.Objective("mse", student="output/size", teacher="output/size")]
    )
    distiller.compile("sgd", loss={"kind": cross_entropy(), "size": "mse"})
    check_refused(
        distiller,
        r"mean_squared_error.*\(None, 1\), and the data has \(None, 3\)",
        x=VECTORS,
        y={"kind": CLASSES, "size": one_hot},
    )


def test_losses_that_keras_names_by_the_shape_of_the_output():
    distiller = kd.Distiller(perceptron(4, activation="softmax"), perceptron(8))
    distiller.compile("sgd", loss="crossentropy", run_eagerly=True)
    distiller.fit(VECTORS, one_hot, verbose=0)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        ("mse", np.ones((24, 3))),
        pytest.param(
            lambda y, p: keras.ops.mean((p - keras.ops.cast(y, p.dtype)) ** 2, -1),
            np.ones((24, 1)),
            id="the user's own",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *(keras.losses.CategoricalCrossentropy(from_logits=True), one_hot), marks=pytest.mark.slow
        ),
        (cross_entropy(), CLASSES[:, None]),
    ],
)
def test_what_matches_or_cannot_be_known_is_trained(loss, labels):
    distiller = kd.Distiller(perceptron(4), perceptron(8))
    distiller.compile("sgd", loss=loss, run_eagerly=True)
    assert np.isfinite(distiller.fit(VECTORS, labels, verbose=0).history["loss"]).all()


def test_the_ignored_class_is_read_from_the_configuration_of_a_loss(monkeypatch):
    """Keras 3.16 keeps it nowhere else; the one of 3.15 has it as an attribute too."""
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=7)
    vars(loss).pop("ignore_class", None)
    monkeypatch.setattr(type(loss), "get_config", lambda self: {"ignore_class": 7})
    student = perceptron(4)
    check_labels(np.array([0, 7, 2]), student, loss)
    with pytest.raises(ValueError, match="`y` holds the label 6, and the student has 3 classes"):
        check_labels(np.array([0, 7, 6]), student, loss)


@pytest.mark.parametrize(
    "loss",
    [
        "sparse_categorical_crossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy,
        tf_keras.losses.SparseCategoricalCrossentropy(),
        tf_keras.losses.sparse_categorical_crossentropy,
    ],
)
def test_a_loss_of_either_keras_is_known_however_it_is_given(loss):
    with pytest.raises(ValueError, match="holds the label 3"):
        check_labels(np.array([3]), perceptron(4), loss)


def test_a_loss_derived_from_one_of_keras_may_read_what_it_likes():
    class Own(keras.losses.SparseCategoricalCrossentropy):
        pass

    check_labels(np.array([3]), perceptron(4), Own())


HALF = CLASSES + 0.5
FRACTIONAL = {
    "array": {"x": VECTORS, "y": HALF},
    "float32 column": {"x": VECTORS, "y": HALF[:, None].astype("float32")},
    "tensor": {"x": tf.constant(VECTORS), "y": tf.constant(HALF)},
    "data set": {"x": as_set(VECTORS, HALF)},
    "generator": {"x": as_generator(VECTORS, HALF), "steps_per_epoch": 1},
    "held out": {"x": VECTORS, "y": CLASSES, "validation_data": (VECTORS, HALF)},
    "held-out data set": {"x": VECTORS, "y": CLASSES, "validation_data": as_set(VECTORS, HALF)},
}


@pytest.mark.parametrize("data", FRACTIONAL.values(), ids=FRACTIONAL)
def test_fractional_labels_are_refused_where_classes_are_meant(distiller, data):
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    name = r"validation_data(\[1\])?" if "validation_data" in data else "y"
    check_refused(distiller, f"`{name}` holds the label [0-2].5, and sparse_.* reads classes", **data)


def test_a_held_out_data_set_is_read_only_if_its_labels_may_be_fractional():
    read = []

    def labels(dtype):
        def rows():
            read.append(dtype)
            yield np.zeros(4), 1

        signature = tf.TensorSpec((4,)), tf.TensorSpec((), dtype)
        return tf.data.Dataset.from_generator(rows, output_signature=signature).batch(1)

    for loss, dtype in ((cross_entropy(), "int32"), ("mse", "float32"), (cross_entropy(), "float32")):
        check_held_out_labels(labels(dtype), perceptron(4), loss)
    assert read == ["float32"]
    check_held_out_labels(None, perceptron(4), cross_entropy())


@pytest.mark.slow
def test_fractional_labels_of_any_single_batch_are_refused(distiller):
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"`y` holds the label \d.5"):
            distiller.train_on_batch(VECTORS, HALF)
        distiller.train_on_batch(VECTORS, CLASSES.astype("float32"))  # whole numbers in floats are classes


@pytest.mark.parametrize(
    "objective",
    [
        pytest.param(
            kd.Objective(kd.losses.DecoupledKD(), teacher=("output", "labels"), name="decoupled"),
            marks=pytest.mark.slow,
        ),
        kd.Objective(cross_entropy(), teacher="labels", name="hard"),
    ],
    ids=lambda objective: objective.name,
)
def test_fractional_labels_that_an_objective_reads_as_classes(objective):
    distiller = kd.Distiller(perceptron(4), perceptron(8), [objective])
    distiller.compile("sgd", run_eagerly=True)
    check_refused(
        distiller, f"`labels` holds .* objective '{objective.name}' reads classes", x=VECTORS, y=HALF
    )
    with pytest.raises(ValueError, match=f"objective '{objective.name}' reads classes"):
        distiller.compute_objectives(VECTORS, HALF)
    distiller.fit(VECTORS, CLASSES, verbose=0)


def test_labels_of_a_student_that_tells_nothing_of_itself():
    class Silent(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(ValueError, match=r"holds the label 0.5"):
        check_labels(np.array([0.5]), Silent(), cross_entropy())
    check_labels(np.array([7]), Silent(), cross_entropy())  # whether there are so many classes is unknown


def test_fractional_labels_are_fine_where_no_classes_are_meant():
    soft = np.full((24, 3), 1 / 3, "float32")
    for loss, labels in (("categorical_crossentropy", soft), ("mse", soft), (lambda y, p: p[:, 0], HALF)):
        check_labels(labels, perceptron(4), loss)
    ignoring = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    check_labels(np.array([-1.0, 2.0]), perceptron(4), ignoring)
