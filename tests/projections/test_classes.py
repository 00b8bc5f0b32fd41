"""One unit as two classes, and some of a model's classes."""

import keras
import numpy as np
import pytest

from keras_kd.projections import ClassSubset, TwoClasses
from tests.oracles.row import softmax

LOGITS = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")


@pytest.mark.parametrize("positive", [0, 1])
def test_two_classes_have_the_probabilities_of_the_sigmoid(positive):
    one = LOGITS[..., :1]
    both = softmax(np.asarray(TwoClasses(positive)(one)))
    np.testing.assert_allclose(both[..., positive], 1 / (1 + np.exp(-one[..., 0])), rtol=1e-6)


@pytest.mark.parametrize("classes", [[3, 0], [0, 1, 2], range(5)])
def test_a_subset_has_the_conditional_distribution(classes):
    found = softmax(np.asarray(ClassSubset(classes)(LOGITS)))
    expected = softmax(LOGITS)[..., list(classes)]
    np.testing.assert_allclose(found, expected / expected.sum(-1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize(("layer", "width"), [(TwoClasses(0), 1), (ClassSubset([4, 2]), 5)])
def test_they_leave_labels_alone_and_have_a_configuration(layer, width):
    logits, labels = LOGITS[..., :width], np.array([2**24 + 1, 1, 2])
    mapped, same = layer((logits, labels))
    np.testing.assert_array_equal(same, labels)
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(logits), mapped)
    symbol = again(keras.KerasTensor((None, 4, width)))
    assert symbol.shape == (None, 4, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwoClasses(2), "0 or 1"),
        (lambda: TwoClasses(1.5), "`positive`"),
        (lambda: ClassSubset([]), "one or more different classes"),
        (lambda: ClassSubset([1, 1]), "one or more different classes"),
        (lambda: ClassSubset([-1]), "`classes` must be an integer of at least 0"),
        (lambda: TwoClasses()(LOGITS), r"TwoClasses reads one unit.*\(3, 4, 5\)"),
        (lambda: ClassSubset([5])(LOGITS), r"selects class 5 .*\(3, 4, 5\)"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
