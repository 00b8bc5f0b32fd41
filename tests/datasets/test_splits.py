"""Which rows belong to which split."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_kd.datasets.splits import Split, class_numbers, labels_in_words, portions, select_rows, split_off


@pytest.mark.parametrize(("classes", "text"), [(1, "1 class"), (2, "2 classes")])
def test_classes_in_words(classes, text):
    assert labels_in_words(np.zeros(3, int), classes) == text


def test_rows_are_selected_in_proportion_or_balanced():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    assert np.bincount(y[select_rows(y, 10, seed=1)]).tolist() == [6, 3, 1]
    assert np.bincount(y[select_rows(y, 12, seed=1, balanced=True)]).tolist() == [4, 4, 4]


@pytest.mark.parametrize("y", [np.linspace(0, 1, 9), {"a": np.arange(9), "b": np.ones((9, 2))}])
def test_rows_without_class_numbers_are_any_rows(y):
    assert class_numbers(y) is None
    assert sorted(select_rows(y, 9, seed=1)) == list(range(9))
    rest, part = split_off(Split(np.arange(9), y), 3)
    assert sorted([*rest.x, *part.x]) == list(range(9))
    labels = part.y["a"] if isinstance(y, dict) else part.y
    np.testing.assert_array_equal(labels, (y["a"] if isinstance(y, dict) else y)[part.x])


def test_a_split_and_the_rest_are_all_rows():
    x, y = np.arange(100.0)[:, None], np.arange(100) % 4
    rest, part = split_off(Split(x, y, weight=x[:, 0]), 20)
    assert (len(rest.x), len(part.x)) == (80, 20)
    assert sorted(np.concatenate([rest.x, part.x])[:, 0]) == list(range(100))
    np.testing.assert_array_equal(part.weight, part.x[:, 0])


@example([1, 20], 0.2, 0.0)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.floats(0, 0.2), st.floats(0, 0.2))
def test_portions_are_a_partition_with_each_class_in_proportion(sizes, first, second):
    y = np.repeat(np.arange(len(sizes)), sizes)
    shares = [round(first * len(y)), round(second * len(y))]
    rest, *parts = portions(y, *shares)
    assert [len(part) for part in parts] == shares
    assert sorted(np.concatenate([rest, *parts])) == list(range(len(y)))
    for part, share in zip(parts, shares, strict=True):
        assert list(part) == sorted(part)
        counts = np.bincount(y[part], minlength=len(sizes))
        assert (abs(counts - np.array(sizes) * share / len(y)) <= 2).all()
    if sum(shares) * 2 < len(y):
        assert set(y[rest]) == set(y)  # a class of one row is trained on


def test_portions_are_the_same_in_every_process():
    _, *parts = portions(np.arange(20) % 3, 3, 3)
    assert [part.tolist() for part in parts] == [[2, 3, 13], [9, 10, 17]]
