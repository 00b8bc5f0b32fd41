"""What inputs and labels must be."""

import numpy as np
import pytest

from keras_kd.datasets import check

X, Y = np.zeros((4, 3)), np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X[:0], Y[:0], "val: there are no samples"),
        (X[:, 0], Y, r"val: inputs must have the shape \(samples, ...\), got \(4,\)"),
        (X, np.eye(3)[Y], r"got \(4, 3\); turn one-hot labels into integers with y.argmax\(-1\)"),
        (X, np.array([[0, 1, 1]] * 4), r"labels must have the shape \(samples,\), got \(4, 3\)$"),
        (X, Y[:, None, None], r"labels must have the shape \(samples,\), got \(4, 1, 1\)$"),
        (X, Y[:3], "val: 4 inputs but 3 labels"),
        (X.astype(str), Y, "val: inputs must be numbers, got <U32"),
        (X, Y.astype(float), "val: labels must be integers, got float64"),
        (np.where(np.eye(4, 3), np.nan, 0), Y, "val: 3 inputs hold NaN or infinity, the first at row 0"),
        (np.full((4, 3), np.inf), Y, "val: 4 inputs hold NaN or infinity"),
        (X, np.array([0, -1, 2, 0]), "val: labels must be from 0 to 2, found -1 at row 1"),
        (X, np.array([0, 1, 3, 0]), "val: labels must be from 0 to 2, found 3 at row 2"),
    ],
)
def test_check_says_what_is_wrong(x, y, message):
    with pytest.raises(ValueError, match=message) as caught:
        check(x, y, classes=3, what="val")
    assert "\n" not in str(caught.value)


def test_check_accepts_what_can_be_trained_on():
    check(X, Y)
    check(X.astype("uint8"), Y.astype("uint8"), classes=3)
    with pytest.raises(ValueError, match="labels must be at least 0, found -1 at row 0"):
        check(X, Y - 1)
