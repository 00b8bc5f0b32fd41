"""Jeffrey's rule against NumPy in float64, and what is no map of classes."""

import numpy as np
import pytest

from keras_kd.teachers.class_maps import class_matrix, completed, filled_labels, widened
from tests.oracles.row import softmax

RANDOM = np.random.default_rng(0)


def jeffrey(p, matrix, reference):
    """Of one sample: the reference, given that each of the member's classes has the probability in `p`."""
    matrix, p = matrix[matrix.any(1)], p[matrix.any(1)]
    p = p / p.sum()
    known = matrix.any(0)
    found = np.where(known, 0.0, reference)
    for row, share in zip(matrix, p, strict=True):
        within = row * reference
        found += reference[known].sum() * share * within / within.sum()
    return found


MAPS = {
    "a subset": np.eye(5)[[3, 1]],
    "coarse classes": np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1]]),
    "fine classes": np.array([[1, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]),
    "shares": np.array([[0.2, 0.8, 0, 0, 0], [0.5, 0, 0.5, 0, 0]]),
    "a class that the student has not": np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]),
}


@pytest.mark.parametrize("matrix", MAPS.values(), ids=MAPS)
def test_jeffreys_rule(matrix):
    logits = [RANDOM.normal(size=(3, n)) for n in (5, 5, len(matrix))]
    p = [softmax(z) for z in logits]
    log = [np.log(each).astype("float32") for each in p]
    reference = (p[0] + p[1]) / 2
    found = completed(log, [None, None, matrix.astype("float32")])
    expected = [jeffrey(row, matrix, r) for row, r in zip(p[2], reference, strict=True)]
    np.testing.assert_allclose(np.exp(found[2]), expected, atol=1e-6)
    np.testing.assert_array_equal(found[0], log[0])
    np.testing.assert_allclose(np.exp(found[2]).sum(-1), 1, atol=1e-6)
    alone = [jeffrey(row, matrix, np.ones(5)) * matrix.any(0) / matrix.any(0).sum() for row in p[2]]
    mixed = completed(log[2:], [matrix.astype("float32")])[0]
    np.testing.assert_allclose(np.exp(mixed), alone, atol=1e-6)


def test_large_logits_are_kept():
    log = [np.array([[0.0, -1e4, -2e4]], "float32"), np.array([[0.0, -3e4]], "float32")]
    found = completed(log, [None, np.eye(3, dtype="float32")[[2, 1]]])[1]
    np.testing.assert_array_equal(found, [[0.0, -4e4, -1e4]])  # what is known keeps its mass, e^-1e4


def test_labels_that_a_member_does_not_know_get_the_mean_of_the_others():
    logits = [RANDOM.normal(size=(2, n)).astype("float32") for n in (3, 3, 2)]
    matrix = np.eye(3, dtype="float32")[[2, 0]]
    found = filled_labels(logits, [None, None, matrix])
    p = [1 / (1 + np.exp(-z.astype("float64"))) for z in logits]
    mean = (p[0][:, 1] + p[1][:, 1]) / 2
    of_last = 1 / (1 + np.exp(-np.asarray(found[2], "float64")))
    np.testing.assert_allclose(of_last, np.stack([p[2][:, 1], mean, p[2][:, 0]], 1), atol=1e-6)


@pytest.mark.parametrize(
    ("classes", "units", "message"),
    [
        ("all", 2, r"the classes that it knows, such as \[0, 1, 2\]"),
        ([0, 1], 3, "answers with 3 classes, and `classes` says of 2"),
        ([0, 0], 2, r"different whole numbers from 0. Received: \[0, 0\]"),
        ([0, -1], 2, "different whole numbers"),
        ([0.5, 1], 2, "different whole numbers"),
        ([[1, -1], [0, 1]], 2, "finite, not negative"),
        ([[0, 0], [0, 0]], 2, "not all 0"),
    ],
)
def test_what_is_no_map(classes, units, message):
    with pytest.raises(ValueError, match=message):
        class_matrix(classes, units, "a")


@pytest.mark.parametrize(
    ("classes", "units", "message"),
    [
        ((None, None), (3, 4), "different numbers of classes: {'a': 3, 'b': 4}"),
        ((None, [0, 3]), (3, 2), "names class 3, and member 'a', which knows all of them, answers with 3"),
        (([0, 1], [3]), (2, 1), "No member knows class 2 of 4"),
    ],
)
def test_what_does_not_fit_together(classes, units, message):
    made = {n: class_matrix(c, u, n) for n, c, u in zip("ab", classes, units, strict=True)}
    with pytest.raises(ValueError, match=message):
        widened(made, dict(zip("ab", units, strict=True)))


def test_all_matrices_are_as_wide():
    first, second = widened(
        {"a": class_matrix([0, 1], 2, "a"), "b": class_matrix([2, 3], 2, "b")}, {"a": 2, "b": 2}
    )
    np.testing.assert_array_equal(first, np.eye(4)[:2])
    np.testing.assert_array_equal(second, np.eye(4)[2:])
