"""Digests tell samples apart by their content alone, in any order and batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from keras_kd.teachers.taught.digests import as_keys, digests, seeds

DTYPES = st.sampled_from(["bool", "uint8", "int16", "int64", "float16", "float32", "float64", "complex64"])
ARRAYS = DTYPES.flatmap(
    lambda dtype: nps.arrays(dtype, nps.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
)


@settings(deadline=None)
@given(ARRAYS, st.randoms(use_true_random=False))
def test_order_and_batch_do_not_matter(array, random):
    whole = digests([array])
    order = random.sample(range(len(array)), len(array))
    assert (digests([array[order]]) == whole[order]).all()
    one_by_one = [digests([array[i : i + 1]])[0] for i in range(len(array))]
    assert one_by_one == whole.tolist()


@settings(deadline=None)
@given(nps.arrays("uint8", (2, 3, 5)))
def test_different_samples_have_different_digests(array):
    one, other = digests([array])
    assert (one == other) == (array[0] == array[1]).all()


CHANGED = {
    "a bit": lambda x: np.nextafter(x, 2),
    "the dtype": lambda x: x.astype("float64"),
    "the shape": lambda x: x.reshape(4, 3, 2),
    "the sign of zero": lambda x: np.where(x == 0, -0.0, x).astype(x.dtype),
    "two values swapped": lambda x: x[:, ::-1],
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_changes_a_digest(change):
    x = np.arange(24, dtype="float32").reshape(4, 2, 3) % 6
    assert not (digests([x]) == digests([change(x)])).any()


def test_parts_do_not_run_into_each_other():
    one, other = np.array([[1, 2]]), np.array([[3]])
    assert digests([one, other]) != digests([np.array([[1]]), np.array([[2, 3]])])
    texts = [np.array([[b"ab", b"c"]], object)], [np.array([[b"a", b"bc"]], object)]
    assert digests(texts[0]) != digests(texts[1])
    assert digests(texts[0]) == digests([np.array([["ab", "c"]])])


def test_zeros_at_the_end_of_a_free_axis_are_padding():
    short, padded = np.array([[5, 7], [0, 3]]), np.array([[5, 7, 0, 0], [0, 3, 0, 0]])
    assert (digests([short], [True]) == digests([padded], [True])).all()
    assert (digests([short]) != digests([padded])).all()
    several = np.array([[5, 0], [5, 0]])
    both = digests([several, several + 1], [True, False]), digests([several + 1, several], [False, True])
    assert (both[0] != both[1]).all()


def test_keys_of_a_user():
    assert as_keys(np.array([3, -1])).tolist() == [3, 2**64 - 1]
    names = np.array([b"a", b"b", b"a"], object)
    first, second, third = as_keys(names)
    assert first == third != second
    with pytest.raises(TypeError, match=r"whole number or a string. Received: float32"):
        as_keys(np.zeros(2, "float32"))
    with pytest.raises(ValueError, match=r"an array \(samples,\). Received the shape \(2, 1\)"):
        as_keys(np.zeros((2, 1), int))


def test_seeds_differ_by_root_key_and_view():
    keys = np.arange(1000, dtype=np.uint64)
    found = [seeds(root, keys, view) for root in (0, 1) for view in range(3)]
    every = np.concatenate(found).copy().view(np.int64)
    assert len(np.unique(every)) == 6000
    assert abs(np.concatenate(found) > 0).mean() == pytest.approx(0.5, abs=0.05)
