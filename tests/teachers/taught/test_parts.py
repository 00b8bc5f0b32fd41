"""Parts are the whole, whatever form data has, and each is read by itself."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.teachers.taught.parts import Parts, check_order, check_part, is_parted, whole
from tests.teachers.taught.conftest import X, Y


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


class Samples:
    def __init__(self):
        self.read = []

    def __len__(self):
        return len(X)

    def __getitem__(self, index):
        self.read.append(index)
        return X[index], Y[index]


def batches_of(first, last):
    for start in range(first, last, 4):
        yield X[start : min(start + 4, last)], Y[start : min(start + 4, last)]


def dataset_of(first, last):
    return tf.data.Dataset.from_tensor_slices((X[first:last], Y[first:last])).batch(4)


def arrays_of(first, last):
    return X[first:last], Y[first:last]


def functions(make):
    return [functools.partial(make, *bounds) for bounds in ((0, 12), (12, 26), (26, 40))]


FORMS = {
    "arrays": ((X, Y), 4),
    "samples": (Samples(), 4),
    "PyDataset": (Batches(), 4),
    "tf.data": (dataset_of(0, 40), 4),
    "functions of batches": (functions(batches_of), 3),
    "functions of tf.data": (functions(dataset_of), 3),
    "functions of arrays": (functions(arrays_of), 3),
}


def joined(data):
    return [np.concatenate(each) for each in zip(*data.as_numpy_iterator(), strict=True)]


@pytest.mark.parametrize(("data", "count"), FORMS.values(), ids=FORMS)
def test_parts_are_the_whole(data, count):
    parts = Parts(data, 4, rows=11)
    assert len(parts) == count
    assert parts.description == (f"{count} functions" if is_parted(data) else "4 of 12 samples")
    one_by_one = [joined(parts[number]) for number in range(count)]
    assert [len(y) for _, y in one_by_one] == ([12, 14, 14] if is_parted(data) else [12, 12, 12, 4])
    for found in (
        [np.concatenate(each) for each in zip(*one_by_one, strict=True)],
        joined(parts.in_turn(range(count))),
        joined(whole(data, 4)),
    ):
        np.testing.assert_array_equal(found[0], X)
        np.testing.assert_array_equal(found[1], Y)
    assert len({str(parts[number].element_spec) for number in range(count)}) == 1


def test_a_part_reads_its_own_samples_only():
    samples = Samples()
    parts = Parts(samples, 4, rows=12)
    samples.read.clear()
    joined(parts[2])
    assert set(samples.read) - {0, 39} == set(range(24, 36))  # the first and the last tell the shape


def test_each_process_has_every_nth():
    parts = Parts((X, Y), 4, rows=4)
    assert parts.of(None) == list(range(10))
    assert [parts.of((index, 3)) for index in range(3)] == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]]
    assert parts.of((11, 12)) == []
    assert len(list(parts.in_turn([]))) == 0


def test_data_without_a_number_is_not_divided():
    with pytest.raises(ValueError, match=r"does not tell how many batches.*a list of functions"):
        Parts(lambda: batches_of(0, 40), 4, rows=8)


def test_data_that_is_shuffled_is_not_divided():
    with pytest.raises(ValueError, match="comes in another order"):
        check_order(dataset_of(0, 40).unbatch().shuffle(40).batch(20), 4)
    check_order(np.full((4, 2), np.nan), 4)


@pytest.mark.parametrize(
    ("part", "kind", "message"),
    [
        (3, TypeError, r"a pair \(index, count\), such as \(0, 8\). Received: 3"),
        ((0.5, 2), TypeError, "a pair"),
        ((2, 2), ValueError, r"from 0 to count - 1. Received: \(2, 2\)"),
        ((-1, 2), ValueError, "from 0"),
    ],
)
def test_a_part_that_there_is_not(part, kind, message):
    with pytest.raises(kind, match=message):
        check_part(part)
