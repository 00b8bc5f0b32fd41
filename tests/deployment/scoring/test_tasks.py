"""What an output answers, by what is known of it and by its labels."""

import numpy as np
import pytest

from keras_kd.deployment.scoring.evidence import Evidence
from keras_kd.deployment.scoring.tasks import possible_tasks

RNG = np.random.default_rng(0)
ROWS = 60
NUMBERS = RNG.normal(size=(ROWS, 5))
UNIT = NUMBERS / np.linalg.norm(NUMBERS, axis=1, keepdims=True)
CLASSES = RNG.integers(0, 5, ROWS)
ONE_HOT = np.eye(5)[CLASSES]
MULTI = (RNG.random((ROWS, 5)) < 0.4).astype(int)
YES = RNG.integers(0, 2, ROWS)
SINGLE = NUMBERS[:, :1]
PIXELS = RNG.normal(size=(ROWS, 4, 4, 3))
TOKENS = RNG.normal(size=(ROWS, 7, 5))
SOFTMAX, SIGMOID = Evidence("softmax"), Evidence("sigmoid")
CROSS, BINARY = Evidence(loss="sparsecategoricalcrossentropy"), Evidence(loss="binarycrossentropy")
NOTHING = Evidence()


@pytest.mark.parametrize(
    ("evidence", "labels", "scores", "kinds"),
    [
        # Classes: numbers, one-hot rows, soft rows; per pixel and per token.
        (NOTHING, CLASSES, NUMBERS, ["classes"]),
        (NOTHING, CLASSES[:, None], NUMBERS, ["classes"]),
        (NOTHING, CLASSES.astype("float32"), NUMBERS, ["classes"]),
        (NOTHING, 0.9 * ONE_HOT + 0.02, NUMBERS, ["classes"]),
        (NOTHING, ONE_HOT, NUMBERS, ["classes", "labels"]),
        (NOTHING, RNG.integers(0, 3, (ROWS, 4, 4)), PIXELS, ["classes"]),
        (NOTHING, RNG.integers(0, 5, (ROWS, 7)), TOKENS, ["classes"]),
        (SOFTMAX, None, NUMBERS, ["classes"]),
        (CROSS, None, NUMBERS, ["classes"]),
        # Several labels.
        (NOTHING, MULTI, NUMBERS, ["labels"]),
        (SIGMOID, MULTI, NUMBERS, ["labels"]),
        (BINARY, ONE_HOT, NUMBERS, ["labels"]),
        (BINARY, None, NUMBERS, ["labels"]),
        # A single yes or no, and one of -1 and 1.
        (NOTHING, YES, SINGLE, ["binary"]),
        (SIGMOID, YES[:, None], SINGLE, ["binary"]),
        (SIGMOID, np.ones(ROWS), SINGLE, ["binary"]),
        (NOTHING, 2 * YES - 1, SINGLE, ["binary"]),
        (NOTHING, YES, SINGLE[:, 0], ["binary"]),
        (NOTHING, YES.astype(bool), SINGLE, ["binary"]),
        (SIGMOID, None, SINGLE, ["binary"]),
        (BINARY, None, SINGLE, ["binary"]),
        (NOTHING, PIXELS[..., 0] > 0, PIXELS[..., :1], ["binary"]),
        # Neither: numbers, embeddings, boxes, and what nothing is known of.
        (NOTHING, SINGLE, SINGLE, [None]),
        (SIGMOID, RNG.random(ROWS), SINGLE, [None]),
        (NOTHING, np.ones(ROWS), SINGLE, [None]),
        (NOTHING, np.arange(ROWS), SINGLE, [None]),
        (NOTHING, NUMBERS, NUMBERS, [None]),
        (SIGMOID, RNG.random((ROWS, 5)), NUMBERS, [None]),
        (NOTHING, 1000 + np.arange(ROWS), NUMBERS, [None]),
        (NOTHING, CLASSES, UNIT, [None]),
        (NOTHING, CLASSES + 0.5, NUMBERS, [None]),
        (NOTHING, np.zeros((ROWS, 50, 4)), NUMBERS, [None]),
        (NOTHING, np.where(PIXELS[..., 0] > 2, 255, 1), PIXELS, [None]),
        (SIGMOID, PIXELS, PIXELS, [None]),
        (NOTHING, None, NUMBERS, [None]),
        (NOTHING, None, SINGLE, [None]),
        (SIGMOID, None, NUMBERS, [None]),
        (SIGMOID, None, PIXELS[..., :1], [None]),
        (NOTHING, CLASSES, NUMBERS.astype(int), [None]),
    ],
)
def test_the_rule(evidence, labels, scores, kinds):
    tasks = possible_tasks(evidence, labels, scores)
    assert [task.kind for task in tasks] == kinds
    if kinds == [None]:
        assert "pass metric=" in tasks[0].why or "metric='accuracy'" in tasks[0].why
    elif labels is None:
        assert tasks[0].why == "the data has no labels"
    else:
        assert tasks[0].why == ""
        assert tasks[0].truth(labels, scores).shape == tasks[0].answers(scores, 0.5).shape
    asked = possible_tasks(evidence, labels, scores, asked=True)
    assert asked[0].kind is not None or scores.dtype.kind == "i"


@pytest.mark.parametrize(
    ("evidence", "labels", "message"),
    [
        (SOFTMAX, CLASSES + 1, r"whole numbers from 0 to 4, as there are 5 outputs\. Received from 1 to 5"),
        (CROSS, CLASSES + 0.5, r"Received from 0\.5 to 4\.5\. If the outputs are no class scores"),
        (SOFTMAX, MULTI, "must be rows of probabilities"),
        (CROSS, NUMBERS[:, :2], r"Labels of shape \(60, 2\) do not fit outputs of shape \(60, 5\)"),
        (BINARY, NUMBERS, r"expected 0 or 1 for each"),
    ],
)
def test_labels_that_contradict_what_is_known(evidence, labels, message):
    (task,) = possible_tasks(evidence, labels, NUMBERS)
    with pytest.raises(ValueError, match=message):
        task.truth(labels, NUMBERS)


def test_answers_and_their_labels():
    scores = np.array([[0.1, 0.7, 0.2], [np.nan, 0.2, 0.3]])
    (classes,) = possible_tasks(SOFTMAX, None, scores)
    assert classes.answers(scores, 0.5).tolist() == [1, -1]
    assert classes.truth(np.array([[0.2, 0.7, 0.1], [0.6, 0.1, 0.3]]), scores).tolist() == [1, 0]
    (labels,) = possible_tasks(BINARY, None, scores)
    assert labels.answers(scores, 0.5).tolist() == [[0, 1, 0], [-1, 0, 0]]
    (binary,) = possible_tasks(BINARY, None, scores[:, :1])
    assert binary.answers(scores[:, :1], 0.0).tolist() == [1, -1]
    assert binary.truth(np.array([[-1], [1]]), scores[:, :1]).tolist() == [0, 1]


def test_a_label_that_the_loss_ignores_does_not_count():
    labels = np.where(CLASSES == 2, 255, CLASSES)
    (task,) = possible_tasks(Evidence(loss=CROSS.loss, ignored=255), labels, NUMBERS)
    assert ((task.truth(labels, NUMBERS) == -1) == (CLASSES == 2)).all()
