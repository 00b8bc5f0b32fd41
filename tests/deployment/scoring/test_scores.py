"""Accuracy, agreement and other metrics of one output for several models, against Keras's own metrics."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.scoring.scores import Scores

RNG = np.random.default_rng(0)
ROWS = 60
LOGITS, OTHER = RNG.normal(size=(2, ROWS, 4)).astype("float32")
CLASSES = RNG.integers(0, 4, ROWS)
MULTI = (RNG.random((ROWS, 4)) < 0.4).astype(int)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def scored(labels, one, other, /, metric=None, size=None, **evidence):
    scores = Scores(metric, evidence)
    for start in range(0, len(one), size or len(one)):
        rows = slice(start, start + (size or len(one)))
        part = None if labels is None else labels[rows]
        scores.add(part, {"one": one[rows], "other": other[rows]}, "one")
    return scores


def keras_value(metric, labels, outputs):
    metric.update_state(labels, outputs)
    return float(metric.result())


@pytest.mark.parametrize("size", [None, 8])
@pytest.mark.parametrize(
    ("labels", "one", "other", "metric"),
    [
        (CLASSES, LOGITS, OTHER, keras.metrics.SparseCategoricalAccuracy),
        (np.eye(4)[CLASSES], LOGITS, OTHER, keras.metrics.CategoricalAccuracy),
        (MULTI, sigmoid(LOGITS), sigmoid(OTHER), keras.metrics.BinaryAccuracy),
        (MULTI, LOGITS, OTHER, lambda: keras.metrics.BinaryAccuracy(threshold=0.0)),
        (MULTI[:, :1], sigmoid(LOGITS[:, :1]), sigmoid(OTHER[:, :1]), keras.metrics.BinaryAccuracy),
        (MULTI[:, 0], LOGITS[:, :1], OTHER[:, :1], lambda: keras.metrics.BinaryAccuracy(threshold=0.0)),
        (
            np.tile(CLASSES[:, None], 3),
            np.stack([LOGITS] * 3, 1),
            np.stack([OTHER] * 3, 1),
            keras.metrics.SparseCategoricalAccuracy,
        ),
    ],
)
def test_the_accuracy_is_that_of_keras(labels, one, other, metric, size):
    scores = scored(labels, one, other, size=size)
    assert scores.metric_name == "accuracy"
    for name, outputs in (("one", one), ("other", other)):
        assert scores.value(name) == pytest.approx(keras_value(metric(), labels, outputs))
        assert scores.accuracy(name).accuracy == scores.value(name)
    assert scores.accuracy("one").agreement == 1.0
    assert 0 < scores.accuracy("other").agreement < 1


def test_a_model_of_logits_and_one_of_probabilities_agree():
    known = {"one": Evidence(loss="binarycrossentropy", from_logits=True), "other": Evidence("sigmoid")}
    scores = scored(MULTI, LOGITS, sigmoid(LOGITS), **known)
    assert scores.accuracy("other").agreement == 1.0


@pytest.mark.parametrize("loss", ["meansquarederror", "binarycrossentropy"])
def test_a_file_has_the_threshold_of_the_model_that_it_was_made_from(loss):
    numbers = LOGITS[:, :1]
    evidence = Evidence(loss=loss, from_logits=False if loss == "binarycrossentropy" else None)
    scores = scored(MULTI[:, 0], numbers, numbers + 1e-6, one=evidence, other=Evidence())
    assert scores.accuracy("other").agreement == 1.0
    wanted = keras_value(keras.metrics.BinaryAccuracy(threshold=0.5), MULTI[:, :1], numbers)
    assert scores.value("one") == scores.value("other") == pytest.approx(wanted)
    shifted = sigmoid(numbers)
    scores = scored(MULTI[:, 0], numbers, shifted, one=evidence, other=Evidence("sigmoid"))
    assert scores.accuracy("other").right == ((shifted > 0.5)[:, 0] == MULTI[:, 0]).sum()


@pytest.mark.parametrize("size", [1, 7, ROWS])
def test_the_size_of_batches_decides_nothing(size):
    logits = np.sort(LOGITS[:, :1], 0)[::-1].copy()
    logits[:5] = 0.4  # looks like a probability
    labels = np.sort(MULTI[:, 0])[::-1].astype("float32")  # of one class, at first
    scores = scored(labels, logits, logits * 2, size=size)
    assert scores.task.kind == "binary"
    wanted = keras_value(keras.metrics.BinaryAccuracy(threshold=0.0), labels[:, None], logits)
    assert scores.value("one") == scores.value("other") == pytest.approx(wanted)
    assert scores.accuracy("other").agreement == 1.0


def test_batches_of_several_shapes_are_counted_one_by_one():
    scores = Scores()
    for width in (3, 5):
        truth = RNG.integers(0, 4, (8, width))
        scores.add(truth, {"one": np.eye(4, dtype="float32")[truth] * 2}, "one")
    assert (scores.value("one"), scores.accuracy("one").labelled) == (1.0, 64)


def test_labels_that_are_words():
    words = np.array(["a", "b", "c", "d"])[CLASSES]
    for known in ({}, {"one": Evidence("softmax")}):
        with pytest.raises(
            ValueError, match=r"Labels must be numbers, such as class numbers .* received <U1"
        ):
            scored(words, LOGITS, OTHER, **known)
    same = scored(
        words, LOGITS, OTHER, lambda y, p: float((y == np.array(list("abcd"))[p.argmax(-1)]).mean())
    )
    assert same.value("one") == pytest.approx((LOGITS.argmax(-1) == CLASSES).mean())


def test_rows_that_look_like_one_class_until_one_has_two():
    labels = np.eye(4, dtype=int)[CLASSES]
    labels[-1] = 1
    scores = scored(labels, sigmoid(LOGITS), sigmoid(OTHER), size=10)
    assert scores.task.kind == "labels"
    wanted = keras_value(keras.metrics.BinaryAccuracy(), labels, sigmoid(LOGITS))
    assert scores.value("one") == pytest.approx(wanted)


def test_labels_that_turn_out_to_be_none():
    labels = np.append(CLASSES[:-1], 4000)
    scores = scored(labels, LOGITS, OTHER, size=10)
    assert (scores.task.kind, scores.metric_name, scores.value("one")) == (None, None, None)
    assert "to 4000 are not classes" in scores.why
    with pytest.raises(ValueError, match="from 0 to 3, as there are 4 outputs"):
        _ = scored(labels, LOGITS, OTHER, size=10, one=Evidence("softmax")).task


def test_another_metric_takes_the_place_of_the_accuracy():
    scores = scored(OTHER, LOGITS, OTHER, metric="mae", size=7)
    assert (scores.metric_name, scores.why) == ("mean_absolute_error", "")
    assert scores.value("other") == 0
    assert scores.value("one") == pytest.approx(np.abs(LOGITS - OTHER).mean(), rel=1e-5)
    assert scores.accuracy("one").agreement is None
    # Classes still agree, and still are right or wrong.
    top2 = keras.metrics.SparseTopKCategoricalAccuracy(k=2)
    classified = scored(CLASSES, LOGITS, OTHER, metric=top2)
    ranks = (-LOGITS).argsort(-1)[:, :2]
    assert classified.value("one") == pytest.approx((ranks == CLASSES[:, None]).any(1).mean())
    assert classified.accuracy("one").accuracy == pytest.approx((LOGITS.argmax(1) == CLASSES).mean())
    with pytest.raises(ValueError, match="metric='mean_absolute_error' needs labels"):
        scored(None, LOGITS, OTHER, metric="mae")
    with pytest.raises(ValueError, match="metric='mean_absolute_error' needs labels, and they are elsewhere"):
        Scores("mae").add(None, {"one": LOGITS}, None, missing="they are elsewhere")
    # A metric may read labels of which the accuracy knows nothing.
    counts = scored(
        np.zeros((ROWS, 9)), LOGITS, OTHER, metric=lambda y, p: y.shape[1], one=Evidence("softmax")
    )
    assert (counts.value("one"), counts.accuracy("other").agreement) == (
        9.0,
        (LOGITS.argmax(1) == OTHER.argmax(1)).mean(),
    )


def test_nothing_yet():
    scores = Scores()
    assert (scores.metric_name, scores.why, scores.value("one"), scores.task.kind) == (None, "", None, None)
