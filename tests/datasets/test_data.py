"""A data set that is split: its order, and the labels that are taken away."""

import keras
import numpy as np
import pytest

from keras_kd import datasets
from keras_kd.datasets.data import select_rows, split_off
from tests.datasets.conftest import contents


def order(dataset):
    return np.concatenate([batch[0].numpy().reshape(len(batch[0]), -1) for batch in dataset])


def test_train_is_shuffled_every_epoch_and_again_the_same_way(digits):
    train = digits.train
    first, second = order(train), order(train)
    again = digits.train
    np.testing.assert_array_equal(first, order(again))
    np.testing.assert_array_equal(second, order(again))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, digits.arrays["train"].x.reshape(1257, -1))
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(second, axis=0))


def test_order_of_train_follows_the_seed(digits):
    first = order(digits.train)
    keras.utils.set_random_seed(1)
    assert not np.array_equal(first, order(digits.train))
    keras.utils.set_random_seed(0)
    np.testing.assert_array_equal(first, order(digits.train))


@pytest.mark.parametrize("name", ["validation", "test", "calibration"])
def test_the_others_keep_their_order(digits, name):
    split = digits.arrays[name]
    batches = list(getattr(digits, name))
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), split.y)
    assert len(batches[0][0]) == digits.batch_size


@pytest.mark.parametrize("labels", [10, 100, 105, 1257])
def test_labels_are_balanced(digits, labels):
    counts = np.bincount(digits.labelled_only(labels).arrays["train"].y, minlength=10)
    assert counts.sum() == labels
    full = np.bincount(digits.arrays["train"].y)
    assert ((counts >= labels // 10) | (counts == full)).all()


def test_both_few_label_settings_choose_the_same_rows(digits):
    only, partly = (
        digits.labelled_only(50, seed=3).arrays["train"],
        digits.partly_labelled(50, seed=3).arrays["train"],
    )
    kept = partly.weight > 0
    assert set(contents(partly.x[kept])) == set(contents(only.x))
    other = digits.labelled_only(50, seed=4).arrays["train"]
    assert set(contents(other.x)) != set(contents(only.x))


def test_taken_labels_do_not_leak(digits):
    full, partly = digits.arrays["train"], digits.partly_labelled(50).arrays["train"]
    kept = partly.weight > 0
    np.testing.assert_array_equal(partly.x, full.x)
    np.testing.assert_array_equal(partly.y[kept], full.y[kept])
    assert (kept.sum(), partly.y[~kept].max()) == (50, 0)
    assert partly.weight.mean() == pytest.approx(1)
    assert set(partly.weight[kept]) == {np.float32(1257 / 50)}
    assert [part.shape for part in next(iter(digits.partly_labelled(50).train))] == [
        (32, 8, 8, 1),
        (32,),
        (32,),
    ]


def test_few_labels_leave_the_other_splits_alone(digits):
    for few in (digits.labelled_only(50), digits.partly_labelled(50)):
        assert all(few.arrays[key] is digits.arrays[key] for key in ("validation", "test", "calibration"))


def test_few_rows_fill_as_many_steps(digits):
    few = digits.labelled_only(50)
    train = few.train
    batches = [y for _, y in train]
    assert len(batches) == len(list(digits.train)) == 40
    assert {len(y) for y in batches} == {32}
    assert not np.array_equal(order(train), order(train))


@pytest.mark.parametrize("labels", [9, 1258])
@pytest.mark.parametrize("way", ["labelled_only", "partly_labelled"])
def test_too_few_or_too_many_labels(digits, way, labels):
    with pytest.raises(ValueError, match=rf"from 10 \(one per class\) to 1257 .* got {labels}"):
        getattr(digits, way)(labels)


def test_batch_size_must_be_positive():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        datasets.digits(batch_size=0)


def test_rows_are_selected_in_proportion_or_balanced():
    y = np.repeat([0, 1, 2], [60, 30, 10])
    assert np.bincount(y[select_rows(y, 10, seed=1)]).tolist() == [6, 3, 1]
    assert np.bincount(y[select_rows(y, 12, seed=1, balanced=True)]).tolist() == [4, 4, 4]


def test_a_split_and_the_rest_are_all_rows():
    x, y = np.arange(100.0)[:, None], np.arange(100) % 4
    rest, part = split_off(datasets.Split(x, y), 20)
    assert (len(rest.x), len(part.x)) == (80, 20)
    assert sorted(np.concatenate([rest.x, part.x])[:, 0]) == list(range(100))
