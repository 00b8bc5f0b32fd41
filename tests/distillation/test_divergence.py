"""One warning at the end of an epoch that says which turned NaN: the teacher, the data or the student."""

import contextlib
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.distillation.divergence import Diagnosis, add_callback, broken_weight
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, one_step, perceptron
from tests.selection import rest_slow

NAN = np.where(np.arange(24)[:, None] == 20, np.nan, VECTORS).astype("float32")  # in the third batch of eight


class In(keras.callbacks.Callback):
    """Does something in the middle of the second epoch."""

    def __init__(self, act):
        super().__init__()
        self.act, self.batches = act, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == 4:
            self.act(self.model)


def break_teacher(distiller):
    distiller.teacher.get_layer("head").bias.assign([np.nan, 0, 0])


def break_student(distiller):
    distiller.student.get_layer("head").bias.assign([np.nan, 0, 0])


def nothing(distiller):
    pass


def as_set(x, y=CLASSES):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


def from_epoch(number, x):
    """A data set that gives the values of `x` from an epoch on, and plain ones before."""
    epochs = []

    def rows():
        epochs.append(1)
        yield from zip(VECTORS if len(epochs) < number else x, CLASSES, strict=True)

    signature = tf.TensorSpec((4,), "float32"), tf.TensorSpec((), "int64")
    return tf.data.Dataset.from_generator(rows, output_signature=signature).batch(8)


class Rows(keras.utils.PyDataset):
    def __init__(self, x):
        super().__init__()
        self.x = x

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return self.x[8 * i : 8 * i + 8], CLASSES[8 * i : 8 * i + 8]


def generator(x):
    while True:
        for i in range(0, 24, 8):
            yield x[i : i + 8], CLASSES[i : i + 8]


WHEN = r"Not finite in epoch {}: loss, student_loss, soft_targets\. "
OF_TEACHER = "Not finite in epoch 2: loss, .*soft_targets.* teacher 'big': its weight '.*head/bias' holds NaN"
OF_DATA = "The cause is the data: its {} hold NaN or infinity"
OF_STUDENT = "No NaN or infinity was found in the teacher or in {} batches of the data: the student diverged"
NO_LOOK = "The data cannot be read again: it may hold NaN or infinity. If not, the student diverged"

CASES = {
    "teacher": (lambda: {"x": VECTORS, "y": CLASSES, "batch_size": 8}, break_teacher, OF_TEACHER),
    "student": (lambda: {"x": as_set(VECTORS)}, break_student, WHEN.format(2) + OF_STUDENT.format(3)),
    "arrays": (lambda: {"x": VECTORS, "y": CLASSES, "batch_size": 8}, break_student, OF_STUDENT.format(3)),
    "data set": (lambda: {"x": as_set(NAN)}, nothing, WHEN.format(1) + OF_DATA.format("inputs")),
    "in the third epoch": (lambda: {"x": from_epoch(3, NAN)}, nothing, OF_DATA.format("inputs")),
    "PyDataset": (lambda: {"x": Rows(NAN), "shuffle": False}, nothing, OF_DATA.format("inputs")),
    "steps": (
        lambda: {"x": as_set(NAN).repeat(), "steps_per_epoch": 2},
        nothing,
        WHEN.format(2) + OF_DATA.format("inputs"),
    ),
    "generator": (lambda: {"x": generator(NAN), "steps_per_epoch": 3}, nothing, NO_LOOK),
}


def diverge(distiller, data, callbacks=(), epochs=3):
    """The warning of `fit`, which warns once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distiller.fit(**data, epochs=epochs, verbose=0, callbacks=list(callbacks))
    (text,) = [str(warning.message) for warning in caught if "Not finite" in str(warning.message)]
    return text


@pytest.mark.parametrize(
    ("data", "act", "message"),
    rest_slow(CASES, "teacher", "student"),
)
def test_one_warning_names_the_cause(data, act, message):
    distiller = kd.Distiller(perceptron(4), perceptron(8, "big"))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    assert re.search(message, diverge(distiller, data(), [In(act)]))


def logarithm():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.ops.log(inputs)), name="log")


def test_a_teacher_that_makes_nan_of_good_data():
    student = perceptron(4)
    distiller = kd.Distiller(student, logarithm(), [kd.losses.LogitsMSE()])
    distiller.compile("sgd", run_eagerly=True)
    negative = np.where(np.isnan(NAN), -1, VECTORS + 0.1).astype("float32")
    text = diverge(distiller, {"x": as_set(negative)}, epochs=2)
    assert (
        "The cause is the teacher 'log': its 'output' holds NaN or infinity for inputs that hold none" in text
    )


@pytest.mark.slow
def test_signals_and_labels_of_the_data():
    logits = np.zeros((24, 3), "float32")
    logits[:, 2] = -np.inf  # an excluded class is no fault
    broken = np.where(np.isnan(NAN[:, :3]), np.nan, np.maximum(logits, -9))
    distiller = kd.Distiller(perceptron(4))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices((kd.Taught(VECTORS, {"output": broken}), CLASSES)).batch(8)
    assert "the data: its teacher signal 'output' hold NaN" in diverge(distiller, {"x": data})
    distiller = kd.Distiller(perceptron(4), perceptron(8))
    distiller.compile("sgd", loss="mse", run_eagerly=True)
    assert "its labels hold NaN" in diverge(distiller, {"x": as_set(VECTORS, NAN[:, :3])})


ROW = np.arange(24)[:, None] == 20
HIDDEN = {
    "data set": lambda: {"x": as_set(NAN)},
    "repeated": lambda: {"x": as_set(NAN).repeat(), "steps_per_epoch": 3},
    "weights of classes": lambda: {"x": as_set(NAN), "class_weight": {0: 1.0, 1: 2.0, 2: 3.0}},
    "PyDataset": lambda: {"x": Rows(NAN), "shuffle": False},
    "generator": lambda: {"x": generator(NAN), "steps_per_epoch": 3},
}


@pytest.mark.parametrize("form", rest_slow(list(HIDDEN), "data set"))
def test_nan_behind_a_relu_that_leaves_the_losses_finite(form):
    """As TensorFlow's relu does on a processor; the gradient of the kernel before it is NaN all the same."""
    student = relu_of_numbers()
    distiller = kd.Distiller(student, relu_of_numbers())
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = distiller.fit(**HIDDEN[form](), epochs=2, verbose=0).history
    (text,) = [str(warning.message) for warning in caught if "Not finite" in str(warning.message)]
    assert np.isfinite(history["loss"]).all()
    assert np.isnan(student.get_weights()[0]).any()
    kernel = student.layers[0].kernel.path
    assert text.startswith(f"Not finite in epoch 1: the weight {kernel!r}, though the losses are finite. ")
    assert ("it may hold NaN" if form == "generator" else OF_DATA.format("inputs")) in text


def relu_of_numbers():
    """A relu that makes 0 of NaN, whatever the processor and the release of TensorFlow."""

    def relu(x):
        return keras.ops.where(x > 0, x, 0.0)

    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, relu), keras.layers.Dense(3)])


def test_broken_weight_is_the_first_that_is_not_finite():
    largest = np.full(4, np.finfo("float32").max, "float32")
    fine = [tf.Variable(values) for values in (largest, [0.0, -np.inf], [1, 2], tf.ones(3, tf.bfloat16))]
    assert broken_weight([]) is broken_weight(fine) is None
    for bad in ([np.nan, 1.0], [np.inf, -np.inf], tf.constant([1, np.inf], tf.float16)):
        weight = tf.Variable(bad)
        assert broken_weight([*fine, weight, tf.Variable(np.nan)]) is weight
        own = keras.Variable(bad)
        assert broken_weight([*fine, own]) is own


def test_a_projection_that_turned_nan_is_named():
    objective = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(perceptron(4), perceptron(8), [objective])
    one_step(distiller, VECTORS, CLASSES, loss=cross_entropy())
    (kernel, *_) = objective.projection.weights
    kernel.assign(np.full(kernel.shape, np.nan))
    wiring = distiller._wiring
    diagnosis = Diagnosis(lambda: wiring, ["loss"], {"x": VECTORS})
    with pytest.warns(UserWarning, match=f"the weight '{kernel.path}', though"):
        diagnosis.end_epoch(0, {"loss": 0.0})


INFINITE = {
    "data": (lambda: perceptron(8), np.where(ROW, -np.inf, VECTORS), "data: its inputs hold NaN or infinity"),
    "all classes of a teacher": (logarithm, np.where(ROW, 0, VECTORS + 0.1), "its 'output' holds NaN or"),
}


@pytest.mark.parametrize(("teacher", "x", "cause"), rest_slow(INFINITE, "data"))
def test_minus_infinity_is_a_cause_where_it_suppresses_no_class(teacher, x, cause):
    teacher = teacher()
    if teacher.name == "log":
        teacher.layers[-1].set_weights([np.ones((4, 3)), np.zeros(3)])
    distiller = kd.Distiller(perceptron(4), teacher)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    assert cause in diverge(distiller, {"x": as_set(x.astype("float32"))}, epochs=1)


def test_a_student_with_finite_weights_has_not_diverged():
    """Where the student suppresses a class that the teacher does not, the divergence is infinite."""
    inputs = keras.Input((4,))
    suppressed = keras.layers.Dense(3)(inputs) + np.array([0, 0, -np.inf], "float32")
    distiller = kd.Distiller(keras.Model(inputs, suppressed), linear())
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    text = diverge(distiller, {"x": as_set(VECTORS, np.minimum(CLASSES, 1))}, epochs=1)
    assert "weights are finite" in text
    assert "diverged" not in text


def linear():
    """Not with a relu, which makes zero of NaN where TensorFlow fuses it with the product before it."""
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])


@pytest.mark.slow
def test_compiled_steps_of_several_batches_and_several_replicas():
    for strategy, steps in ((None, 3), (tf.distribute.MirroredStrategy(["CPU:0"]), 1)):
        with strategy.scope() if strategy else contextlib.nullcontext():
            distiller = kd.Distiller(linear(), linear())
            distiller.compile("sgd", loss=cross_entropy(), steps_per_execution=steps)
        assert "The cause is the data: its inputs hold NaN" in diverge(
            distiller, {"x": as_set(NAN)}, epochs=2
        )


@pytest.mark.slow
def test_a_distiller_of_tf_keras():
    layers = tf_keras.layers
    student = tf_keras.Sequential([layers.Input((4,)), layers.Dense(3)])
    distiller = kd.tfmot.Distiller(student, perceptron(8, "big"))
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("sgd", loss=loss, run_eagerly=True)
    assert "The cause is the data: its inputs hold NaN" in diverge(distiller, {"x": as_set(NAN)})
    break_teacher(distiller)
    assert "teacher 'big': its weight" in diverge(distiller, {"x": as_set(VECTORS)}, epochs=1)


@pytest.mark.slow
def test_each_training_warns_anew_and_finite_ones_do_not():
    distiller = kd.Distiller(perceptron(4), perceptron(8))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.fit(VECTORS, CLASSES, verbose=0)  # warnings are errors
    for _ in range(2):
        assert "the data: its inputs" in diverge(distiller, {"x": as_set(NAN)}, epochs=1)


def test_add_callback_leaves_the_users_list_alone():
    added, own = keras.callbacks.Callback(), keras.callbacks.TerminateOnNaN()
    assert add_callback(None, added) == [added]
    assert add_callback(own, added) == [own, added]
    given = keras.callbacks.CallbackList([own])
    assert add_callback(given, added).callbacks == [own, added]
    assert given.callbacks == [own]
