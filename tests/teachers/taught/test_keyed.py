"""Each sample has its key, and each pass over the data its number."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.teachers.taught.digests import digests
from keras_kd.teachers.taught.keyed import Passes, describe_inputs, describe_key, keyed

X = {"image": np.random.default_rng(0).random((7, 2)).astype("float32"), "id": np.arange(7) + 100}
Y = np.arange(7)


def data(x=None, batch=3):
    return tf.data.Dataset.from_tensor_slices((X if x is None else x, Y)).batch(batch)


def keys_of(data, key=None):
    return np.concatenate([batch.keys for batch in keyed(data, key)])


KEYS = {
    "content": (None, digests([X["id"], X["image"]])),
    "a part": ("id", X["id"]),
    "the index": ("index", np.arange(7)),
    "a function": (lambda x, y: 2 * y + x["id"], 2 * Y + X["id"]),
    "names": (lambda x, y: tf.strings.as_string(y), None),
}


@pytest.mark.parametrize(("key", "expected"), KEYS.values(), ids=KEYS)
def test_keys(key, expected):
    found = keys_of(data(), key)
    assert len(np.unique(found)) == 7
    if expected is not None:
        assert found.tolist() == expected.tolist()
    assert keys_of(data(batch=2), key).tolist() == found.tolist()


def test_content_is_found_in_another_order():
    order = [3, 1, 6, 0]
    some = tf.data.Dataset.from_tensor_slices({name: part[order] for name, part in X.items()}).batch(2)
    assert keys_of(some).tolist() == keys_of(data())[order].tolist()


def test_padding_of_a_batch_is_no_content():
    texts = tf.data.Dataset.from_generator(
        lambda: ([1] * (i + 1) for i in range(7)), output_signature=tf.TensorSpec([None], tf.int32)
    )
    one, other = (keys_of(texts.padded_batch(size)) for size in (2, 7))
    assert one.tolist() == other.tolist()
    assert len(set(one.tolist())) == 7


def test_passes_and_positions():
    batches = keyed(data(), None, Passes())
    for number in range(3):
        iter(batches)  # unused, as Keras makes one for each epoch
        found = [(int(batch.position), int(batch.number)) for batch in batches]
        assert found == [(0, number), (3, number), (6, number)]
    assert [int(batch.number) for batch in keyed(data(), None, Passes()).repeat(2)] == [0, 0, 0, 1, 1, 1]


def test_two_passes_at_once():
    passes = Passes()
    batches = keyed(data(), None, passes)
    one, other = iter(batches), iter(batches)
    numbers = [(int(next(one).number), int(next(other).number)) for _ in range(3)]
    assert numbers == [(0, 1)] * 3
    passes.restart()
    assert int(next(iter(batches)).number) == 0


def test_the_number_of_batches_stays_known():
    assert len(keyed(data())) == 3


ERRORS = {
    "a misspelled part": ("ids", ValueError, "names no part of `x`, whose parts are .*Did you mean 'id'"),
    "a number": (3, TypeError, "Received: int"),
    "keys with two axes": (lambda x, y: x["image"], ValueError, r"one key for each sample.*shape \(None, "),
    "floats as keys": (lambda x, y: tf.cast(y, "float32"), TypeError, "a whole number or a string.*float32"),
}


@pytest.mark.parametrize(("key", "kind", "message"), ERRORS.values(), ids=ERRORS)
def test_keys_that_are_refused(key, kind, message):
    with pytest.raises(kind, match=message):
        keyed(data(), key)


def test_what_a_manifest_says():
    assert [describe_key(key) for key in (None, "id", digests)] == ["content", "part id", "function digests"]
    assert describe_inputs(data().element_spec[0]) == ["image (2,) float32", "id () int64"]
