"""Teachers that have little to teach, and good ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.datasets.data import Data, Split, make_data
from keras_kd.jobs.preflight import _Answers, _of_classes, find_doubts, find_far_targets
from keras_kd.jobs.tasks import Task

CLASSES = 5
TASKS = [Task("classes")]


def split(samples, seed, classes=CLASSES):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, samples).astype("int32")
    x = np.eye(classes, dtype="float32")[y] + 0.1 * rng.normal(size=(samples, classes)).astype("float32")
    return Split(x, y)


@pytest.fixture(scope="module")
def data():
    return make_data("made", CLASSES, split(200, 0), split(100, 1), split(50, 2), 32)


def linear(kernel, hidden=0):
    """A model that answers with the inputs times a matrix; hidden units make it larger."""
    inputs = keras.Input((CLASSES,))
    outputs = keras.layers.Dense(CLASSES, use_bias=False, name="answer")(inputs)
    if hidden:
        more = keras.layers.Dense(CLASSES, kernel_initializer="zeros")(keras.layers.Dense(hidden)(inputs))
        outputs = keras.layers.Add()([outputs, more])
    model = keras.Model(inputs, outputs)
    model.get_layer("answer").set_weights([np.asarray(kernel, "float32")])
    return model


def unknown(kernel):
    """A function of TensorFlow, of whose parameters nothing is known."""
    kernel = np.asarray(kernel, "float32")
    return kd.as_teacher(tf.function(lambda x: x @ kernel), inputs=(CLASSES,), name="unknown")


GOOD, ZERO = np.eye(CLASSES), np.zeros((CLASSES, CLASSES))
NOISY = GOOD + np.random.default_rng(0).normal(scale=0.7, size=GOOD.shape)
SHIFTED = np.roll(np.eye(CLASSES), 1, axis=1)


@pytest.mark.parametrize(
    ("teacher", "student", "said"),
    [
        (linear(GOOD, 9), linear(ZERO), []),
        (linear(ZERO, 9), linear(ZERO), ["hardly related to the labels: accuracy"]),
        (linear(SHIFTED, 9), linear(ZERO), ["would be 100.0 % if its classes had other numbers"]),
        (linear(NOISY, 9), linear(GOOD), ["the student already has 100.00 %: the teacher is the weaker one"]),
        (linear(GOOD, 9), linear(GOOD), []),
        (unknown(GOOD), linear(ZERO, 9), []),
        (linear(GOOD), linear(ZERO, 9), ["fewer than the student's", "exchanged"]),
    ],
    ids=["good", "untrained", "another order", "weaker", "equal", "no parameters", "exchanged"],
)
def test_doubts(teacher, student, said, data):
    doubts = " ".join(find_doubts(teacher, student, TASKS, data))
    assert all(text in doubts for text in said)
    assert bool(doubts) == bool(said)


def test_a_teacher_whose_batch_norms_are_far_off(data):
    norm = keras.layers.BatchNormalization(name="norm")
    stale = keras.Sequential([keras.Input((CLASSES,)), norm, linear(GOOD, 9)])
    norm.moving_mean.assign(np.full(CLASSES, 9.0))
    (doubt,) = find_doubts(stale, linear(ZERO), TASKS, data)
    assert "BatchNorm statistics of 'norm'" in doubt


def test_the_classes_of_another_order_are_listed(data):
    (order, *_) = find_doubts(linear(SHIFTED, 9), linear(ZERO), TASKS, data)
    assert "(it answers 0 for 4, 1 for 0, 2 for 1, ...)" in order


def test_a_mediocre_teacher_is_no_reason_to_warn(data):
    rng = np.random.default_rng(0)
    assert find_doubts(linear(GOOD + rng.normal(scale=0.7, size=(5, 5)), 9), linear(ZERO), TASKS, data) == []


def test_a_teacher_near_chance():
    """It is right for one in four of five classes: more than chance gives, and next to nothing."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 2000).astype("int32")
    answers = np.where(rng.random(2000) < 0.06, y, rng.integers(0, CLASSES, 2000))
    near = make_data(
        "near", CLASSES, split(200, 0), Split(np.eye(CLASSES, dtype="float32")[answers], y), split(50, 2), 32
    )
    (doubt,) = find_doubts(linear(GOOD, 9), linear(ZERO), TASKS, near)
    assert "and always answering class" in doubt


def test_too_few_samples_to_tell(data):
    few = make_data("few", CLASSES, split(50, 0), split(2, 1), split(9, 2), 32)
    assert find_doubts(linear(GOOD, 9), linear(ZERO), TASKS, few) == []


# Classes, samples, accuracy, share of class 0 (the rest is even), how often a doubt is right, at least and at
# most: chance is for 2 in 100.
TEACHERS = {
    "untrained, of 2": (2, 2000, 0.5, 0.5, 0.98, 1),
    "untrained, of 4": (4, 180, 0.25, 0.25, 0.9, 1),
    "untrained, of 10": (10, 180, 0.1, 0.1, 0.98, 1),
    "untrained, of 100": (100, 50, 0.01, 0.01, 0.98, 1),
    "a sixth of 10": (10, 2000, 0.16, 0.1, 0.98, 1),
    "70 % of 2": (2, 50, 0.7, 0.5, 0, 0.02),
    "70 % of 2, of 8 samples": (2, 8, 0.7, 0.5, 0, 0.02),
    "half of 4": (4, 20, 0.5, 0.25, 0, 0.02),
    "half of 4, of 50 samples": (4, 50, 0.5, 0.25, 0, 0.02),
    "four of five where nine of ten are of one class": (2, 2000, 0.8, 0.9, 0, 0.02),
    "four of five where 99 of 100 are of one class": (2, 2000, 0.8, 0.99, 0, 0.02),
    "half of 100": (100, 180, 0.5, 0.01, 0, 0.02),
}


@pytest.mark.parametrize(
    ("classes", "samples", "accuracy", "first", "least", "most"), TEACHERS.values(), ids=TEACHERS
)
def test_how_often_teachers_are_doubted(classes, samples, accuracy, first, least, most):
    rng = np.random.default_rng(0)
    shares = np.array([first] + [(1 - first) / (classes - 1)] * (classes - 1))
    found = []
    for _ in range(200):
        y = rng.choice(classes, samples, p=shares)
        wrong = (y + rng.integers(1, classes, samples)) % classes
        outputs = np.eye(classes)[np.where(rng.random(samples) < accuracy, y, wrong)]
        answers = _Answers(TASKS[0], outputs, y, np.zeros(samples))
        found.append(" ".join(_of_classes(answers, y)))
    doubted = sum("hardly related" in text for text in found) / len(found)
    assert least <= doubted <= most
    assert sum("in another order" in text for text in found) <= 4


def numbers(kind, samples, seed):
    """A regression or yes-no questions, of which the inputs are the answer."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, CLASSES)).astype("float32")
    return Split(x, x if kind == "numbers" else (x > 0).astype("int32"))


@pytest.mark.parametrize(
    ("kind", "kernel", "said"),
    [
        ("numbers", 2 * GOOD, "median of the training labels"),
        ("numbers", GOOD, ""),
        ("answers", -GOOD, "most frequent answers of the training labels"),
        ("answers", GOOD, ""),
    ],
)
def test_doubts_about_numbers_and_answers(kind, kernel, said):
    parts = [numbers(kind, samples, seed) for seed, samples in enumerate((200, 100, 50))]
    arrays = dict(zip(("train", "validation", "test"), parts, strict=True))
    data = Data("made", None, {**arrays, "calibration": parts[0]})
    doubts = " ".join(find_doubts(linear(kernel, 9), linear(ZERO), [Task(kind)], data))
    assert said in doubts
    assert bool(doubts) == bool(said)


@pytest.mark.parametrize(
    ("offset", "scale", "kernel", "steps", "said"),
    [
        (150, 70, ZERO, 100, "The targets have mean 1"),
        (0, 70, ZERO, 100, " and spread "),
        (0, 1, ZERO, 100, ""),
        (150, 70, ZERO, 100_000, ""),
        (0, 70, 70 * GOOD, 100, ""),
    ],
    ids=["far", "wide", "near", "long", "trained"],
)
def test_targets_that_a_training_hardly_reaches_are_told(offset, scale, kernel, steps, said):
    parts = [numbers("numbers", samples, seed) for seed, samples in enumerate((200, 100, 50))]
    parts = [Split(part.x, offset + scale * part.y) for part in parts]
    arrays = dict(zip(("train", "validation", "test"), parts, strict=True))
    data = Data("made", None, {**arrays, "calibration": parts[0]})
    text = find_far_targets(linear(kernel), [Task("numbers")], data, 2e-3, steps)
    assert said in text
    assert bool(text) == bool(said)
