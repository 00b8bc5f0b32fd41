"""What is counted in the steps of an epoch, against the same counted by hand."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.distillation.answer_counts import AnswerCounts, classes_of
from tests.selection import rest_slow

CLASSES = 4
RANDOM = np.random.default_rng(0)
Y = RANDOM.integers(0, CLASSES, 48)
STUDENT, TEACHER = RANDOM.normal(size=(2, 48, CLASSES)).astype("float32")
ONE_HOT = np.eye(CLASSES, dtype="float32")[Y]
WEIGHTS = (RANDOM.random(48) * (RANDOM.random(48) < 0.5)).astype("float32")

# Labels as data has them, weights, a label that does not count, and which samples count.
FORMS = {
    "classes": (Y, None, None, Y >= 0),
    "in a column": (Y[:, None], None, None, Y >= 0),
    "as floats": (Y.astype("float32"), None, None, Y >= 0),
    "one-hot": (ONE_HOT, None, None, Y >= 0),
    "one-hot integers": (ONE_HOT.astype("int64"), None, None, Y >= 0),
    "smoothed": (0.9 * ONE_HOT + 0.1 / CLASSES, None, None, Y >= 0),
    "mixed": (0.7 * ONE_HOT + 0.3 * np.roll(ONE_HOT, 1, 0), None, None, Y >= 0),
    "several that apply": (np.maximum(ONE_HOT, np.roll(ONE_HOT, 1, 1)), None, None, Y < 0),
    "weights": (Y, WEIGHTS, None, WEIGHTS > 0),
    "weights in a column": (ONE_HOT, WEIGHTS[:, None], None, WEIGHTS > 0),
    "ignored": (Y, None, 2, Y != 2),
    "no class": (np.where(Y == 2, -1, Y), None, None, Y != 2),
    "no class, as of pixels": (np.where(Y == 2, 255, Y), None, None, Y != 2),
}


def add(counts, labels, weights, student=STUDENT, teacher=TEACHER):
    for start in range(0, 48, 8):
        rows = slice(start, start + 8)
        part = None if weights is None else weights[rows]
        counts.add(labels[rows], part, student[rows], None if teacher is None else teacher[rows])


@pytest.mark.parametrize(("labels", "weights", "ignored", "counted"), FORMS.values(), ids=FORMS)
def test_what_counts(labels, weights, ignored, counted):
    counts = AnswerCounts(tf.distribute.get_strategy(), CLASSES, ignored)
    add(counts, labels, weights)
    found = counts.read()
    np.testing.assert_array_equal(found.labels, np.bincount(Y[counted], minlength=CLASSES))
    np.testing.assert_array_equal(found.answers, np.bincount(TEACHER.argmax(-1)[counted], minlength=CLASSES))
    assert found.samples == counted.sum()
    assert found.right == (TEACHER.argmax(-1) == Y)[counted].sum()
    batches = [np.arange(48)[counted & (np.arange(48) // 8 == i)] for i in range(6)]
    mixed = [rows for rows in batches if len(set(Y[rows])) > 1]
    assert (found.steps, found.mixed) == (6, len(mixed))
    assert found.in_mixed == sum(map(len, mixed))
    assert found.alike == sum(np.bincount(Y[rows]).max() for rows in mixed)
    assert found.answered_alike == sum(np.bincount(STUDENT[rows].argmax(-1)).max() for rows in mixed)
    assert counts.read().steps == 0  # it begins anew


def test_the_share_of_the_most_frequent_label():
    counts = AnswerCounts(tf.distribute.get_strategy(), 2)
    counts.add(np.array([0, 0, 0, 1]), None, STUDENT[:4, :2], None)
    assert counts.read().frequent == 0.75


def test_a_student_that_gives_one_class_to_all_samples_of_a_batch():
    """In each batch it may be another one, as the biases of a dead student drift."""
    counts = AnswerCounts(tf.distribute.get_strategy(), CLASSES)
    drifting = np.eye(CLASSES)[np.arange(48) // 8 % CLASSES]
    alike = np.where(np.arange(48) < 8, 1, Y)  # of one batch, the labels do not differ
    add(counts, alike, None, student=drifting, teacher=None)
    found = counts.read()
    assert (found.steps, found.mixed, found.in_mixed, found.answered_alike) == (6, 5, 40, 40)
    assert (found.right, found.answers.sum()) == (0, 0)  # without a teacher


@pytest.mark.parametrize("compiled", rest_slow({"a graph": False, "XLA": True}, "a graph"))
def test_in_a_compiled_step(compiled):
    counts = AnswerCounts(tf.distribute.get_strategy(), CLASSES)
    step = tf.function(counts.add, jit_compile=compiled)
    half = tf.cast(STUDENT, "float16"), tf.cast(TEACHER, "bfloat16")
    for _ in range(2):
        step(tf.constant(Y), tf.constant(WEIGHTS), *half)
    found = counts.read()
    assert (found.steps, found.mixed, found.samples) == (2, 2, 2 * (WEIGHTS > 0).sum())
    assert found.right == 2 * (np.asarray(half[1], "float32").argmax(-1) == Y)[WEIGHTS > 0].sum()


SHAPES = {
    (None, 10): 10,
    (None, 2048): 2048,
    (None, 2049): None,
    (None, 1): None,
    (None, None): None,
    (None, 8, 8, 3): None,
    None: None,
}


@pytest.mark.parametrize(("shape", "classes"), SHAPES.items())
def test_classes_of(shape, classes):
    assert classes_of(shape) == classes
