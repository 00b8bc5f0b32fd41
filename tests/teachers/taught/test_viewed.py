"""All views of all samples of one pass, with keys and digests."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.teachers.taught.digests import digests, seeds
from keras_kd.teachers.taught.viewed import Views, require_count

X = np.random.default_rng(0).random((5, 3)).astype("float32")


def data():
    return tf.data.Dataset.from_tensor_slices((X, np.arange(5))).batch(2)


def shift(sample, seed):
    return sample + tf.cast(seed[0] % 7, tf.float32)


def test_one_view_is_the_data():
    views = Views(data(), None, None, 1, seed=0)
    assert views.number_of_batches == 3
    assert views.inputs == ["(3,) float32"]
    first, *_, last = views.batches()
    np.testing.assert_array_equal(first.views[0], X[:2])
    np.testing.assert_array_equal(views.first().views[0], X[:2])
    assert first.keys.tolist() == first.digests[:, 0].tolist() == digests([X[:2]]).tolist()
    assert (last.position, len(last.keys)) == (4, 1)


def test_each_view_has_its_seeds_and_digests():
    views = Views(data(), "index", shift, 3, seed=9)
    first = next(views.batches())
    assert first.keys.tolist() == [0, 1]
    for view, x in enumerate(first.views):
        moved = X[:2] + seeds(9, first.keys, view)[:, :1] % 7
        np.testing.assert_array_equal(x, moved.astype("float32"))
        assert first.digests[:, view].tolist() == digests([x]).tolist()
    taken = first.take([1])
    assert (taken.keys.tolist(), len(taken.views), taken.views[2].shape) == ([1], 3, (1, 3))
    assert first.take([0, 1]) is first


ERRORS = {
    "without an end": (lambda: Views(data().repeat(), None, None, 1, 0), "goes on forever"),
    "no difference": (lambda: Views(data(), None, None, 2, 0), "2 views of a sample are the same without"),
    "no view": (lambda: Views(data(), None, shift, 0, 0), "`views` must be a whole number of 1 or more"),
    "no data": (lambda: Views(data().take(0), None, None, 1, 0).first(), "The data is empty"),
    "a text as seed": (lambda: Views(data(), None, shift, 2, "7"), "`seed` must be a whole number.*'7'"),
    "a large seed": (
        lambda: Views(data(), None, shift, 2, 2**63),
        "`seed` must be a whole number of at most 64",
    ),
    "a truth": (lambda: require_count("views", True), "Received: True"),
}


@pytest.mark.parametrize(("make", "message"), ERRORS.values(), ids=ERRORS)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
