"""A data set that is split: its order, and the labels that are taken away."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_kd import datasets
from keras_kd.datasets.data import make_data, scale_pixels
from keras_kd.datasets.splits import Split
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


ROWS = np.arange(40.0, dtype="float32")
LABELS = {
    "classes": (ROWS.astype(int) % 4, 4, "4 classes"),
    "numbers": (ROWS, None, "regression targets (1)"),
    "rows of numbers": (np.outer(ROWS, np.ones(3)), None, "regression targets (3)"),
    "yes or no": ((np.arange(200).reshape(40, 5) % 3 > 0).astype("int32"), None, "5 labels"),
    "one-hot": (np.eye(4, dtype="int32")[np.arange(40) % 4], None, "one-hot rows (4)"),
    "maps": (np.zeros((40, 3, 2), "int32"), None, "label maps 3x2"),
    "outputs": ({"age": ROWS, "kind": ROWS.astype(int) % 2}, None, "outputs: age, kind"),
}


def labelled(y, classes=None):
    split = Split(ROWS[:, None], y)
    return make_data("made", classes, split, split, split, 16)


@pytest.mark.parametrize(("y", "classes", "words"), LABELS.values(), ids=LABELS)
def test_labels_of_any_kind(y, classes, words):
    data = labelled(y, classes)
    assert str(data) == f"made: inputs 1, {words}, 40 train, 40 validation, 40 test"
    only, partly = data.labelled_only(8).arrays["train"], data.partly_labelled(8).arrays["train"]
    kept = partly.weight > 0
    assert kept.sum() == 8
    arrays = (
        {name: (y[name], only.y[name], partly.y[name]) for name in y}
        if classes is None and isinstance(y, dict)
        else {"": (y, only.y, partly.y)}
    )
    for full, few, some in arrays.values():
        rows = only.x[:, 0].astype(int)
        np.testing.assert_array_equal(few, full[rows])
        np.testing.assert_array_equal(some[kept], full[kept])
        assert not some[~kept].any()
        assert (some.dtype, some.shape) == (full.dtype, full.shape)
    _, labels, weight = next(iter(data.partly_labelled(8).train))
    assert isinstance(labels, dict) == isinstance(y, dict)
    assert weight.shape == (16,)
    least, why = (4, r"4 \(one per class\)") if classes else (1, "1")
    with pytest.raises(ValueError, match=rf"from {why} to 40 \(every row\), got {least - 1}"):
        data.labelled_only(least - 1)


@pytest.mark.parametrize(
    ("pixels", "low", "high"), [("0..255", 0, 255), ("0..1", 0, 1), ("-1..1", -1, 1), (None, 0, 255)]
)
def test_bytes_become_floats_batch_by_batch(pixels, low, high):
    split = Split(np.array([[0], [255], [51]], "uint8"), np.zeros(3, int))
    data = dataclasses.replace(make_data("made", 1, split, split, split, 2), pixels=pixels)
    assert data.arrays["test"].x.dtype == "uint8"
    for batches in (data.train, data.validation, data.test, data.calibration, data.labelled_only(2).train):
        x = np.concatenate([x for x, *_ in batches])
        assert x.dtype == ("float32" if pixels else "uint8")
        assert low <= x.min() <= x.max() <= high
    x = np.concatenate([x for x, _ in data.test])
    np.testing.assert_allclose(x[:, 0], [low, high, low + (high - low) / 5], atol=1e-6)
    if pixels:
        np.testing.assert_allclose(scale_pixels(split.x, pixels), x, atol=1e-6)
