"""Data for tools that run a model: every form is read alike, and what does not fit is refused at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.compression.data import batches_of, inputs_of, rereadable
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of

X = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")
Y = np.arange(10) % 2


def dense():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="dense")


FORMS = {
    "arrays": lambda: (X, Y),
    "inputs_alone": lambda: X,
    "dataset": lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(4),
    "weighted": lambda: tf.data.Dataset.from_tensor_slices((X, Y, np.ones(10))).batch(4),
    "generator": lambda: ((X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 8)),
    "function": lambda: lambda: ((X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 8)),
    "samples": lambda: list(zip(X, Y, strict=True)),
    "doubles": lambda: (X.astype("float64"), Y),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_in_batches(form):
    found = list(batches_of(dense(), FORMS[form](), batch_size=4))
    assert [len(x) for x, _ in found] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), X)
    assert {x.dtype.name for x, _ in found} == {"float32"}
    labels = [y for _, y in found]
    if form == "inputs_alone":
        assert labels == [None] * 3
    else:
        np.testing.assert_array_equal(np.concatenate(labels), Y)


@pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)
def test_inputs_come_in_the_structure_that_the_model_takes(make):
    model = make()
    inputs = inputs_for(model)
    ((x, y),) = batches_of(model, inputs if not isinstance(inputs, tuple) else list(inputs))
    assert y is None
    for a, b in zip(outputs_of(model, x), outputs_of(model, inputs), strict=True):
        np.testing.assert_array_equal(a, b)


def test_inputs_by_name_come_in_the_order_of_the_model():
    entries = [keras.Input((4,), name="b"), keras.Input((4,), name="a")]
    model = keras.Model(entries, keras.layers.Subtract()(entries))
    ((x, _),) = batches_of(model, {"a": X, "b": 2 * X})
    np.testing.assert_array_equal(model(x), X)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (lambda: np.zeros((3, 5)), ValueError, r"does not fit 'dense'.*received shape \(3, 5\)"),
        (lambda: X[:0], ValueError, "The data for 'dense' is empty"),
        (lambda: iter([]), ValueError, "used up"),
        (lambda: tf.data.Dataset.from_tensors(X).repeat(), ValueError, "goes on forever"),
        (lambda: tf.data.Dataset.from_tensor_slices(X), ValueError, r"add \.batch\(32\)"),
        (lambda: {"other": X}, ValueError, "Unknown name 'other'"),
        (lambda: np.array([["a"] * 4]), TypeError, "does not fit 'dense'.*needs numbers"),
        (lambda: 3, TypeError, "Expected data as arrays"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_batch_is_asked_for(data, error, message):
    with pytest.raises(error, match=message):
        batches_of(dense(), data())


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_a_batch_size_is_a_whole_number(size):
    with pytest.raises(ValueError, match="batch_size must be"):
        batches_of(dense(), X, size)


def test_some_rows_of_arrays_are_spread_over_them():
    found = list(batches_of(dense(), (X, Y), 2, most=3))
    rows = [0, len(X) // 3, 2 * len(X) // 3]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in found]), X[rows])
    assert [len(x) for x, _ in found] == [2, 1]


def test_a_later_batch_that_does_not_fit_is_told_when_it_comes():
    later = batches_of(dense(), iter([X, X[:, :3]]))
    next(later)
    with pytest.raises(ValueError, match="does not fit 'dense'"):
        next(later)


def test_batches_are_of_the_size_that_the_model_fixes():
    model = keras.Sequential([keras.Input(batch_shape=(5, 4)), keras.layers.Dense(2)])
    assert [len(x) for x, _ in batches_of(model, X)] == [5, 5]
    assert [len(x) for x in inputs_of(model, X)] == [5, 5]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ([8] * 8, [32, 32]),
        ([32] * 3, [32, 32, 32]),
        ([32, 32, 3], [32, 35]),
        ([32, 32, 20], [32, 32, 20]),
        ([3], [3]),
        ([100, 5], [105]),
        ([20, 20, 20], [40, 20]),
    ],
)
def test_small_batches_are_put_together(given, read):
    rows = np.arange(4 * sum(given)).reshape(-1, 4)
    parts = np.split(rows, np.cumsum(given)[:-1])
    found = list(inputs_of(dense(), iter(parts), batch_size=32))
    assert [len(x) for x in found] == read
    np.testing.assert_array_equal(np.concatenate(found), rows)


def test_batches_of_several_shapes_are_not_put_together():
    model = keras.Sequential([keras.Input((None, 4)), keras.layers.Dense(2)])
    given = [np.zeros((rows, length, 4)) for rows, length in ((3, 2), (4, 2), (3, 5))]
    assert [x.shape for x in inputs_of(model, iter(given))] == [(7, 2, 4), (3, 5, 4)]


def test_structures_are_put_together_part_by_part():
    entries = [keras.Input((4,), name="b"), keras.Input((4,), name="a")]
    model = keras.Model(entries, keras.layers.Subtract()(entries))
    (x,) = inputs_of(model, iter([{"a": X, "b": 2 * X}] * 2))
    np.testing.assert_array_equal(model(x), np.concatenate([X, X]))


@pytest.mark.parametrize("form", FORMS)
def test_data_can_be_read_again(form):
    """A generator as well, with its labels."""
    given = FORMS[form]()
    held = rereadable(given)
    assert (held is given) == (form != "generator")
    first, again = ([x for x, _ in batches_of(dense(), held, batch_size=4)] for _ in range(2))
    np.testing.assert_array_equal(np.concatenate(first), X)
    np.testing.assert_array_equal(np.concatenate(again), X)


def test_a_model_of_strings_is_told_what_to_leave_out():
    words = keras.Input((1,), dtype="string", name="words")
    lookup = keras.layers.StringLookup(vocabulary=["a", "b"])
    model = keras.Model(words, keras.layers.Embedding(3, 2)(lookup(words)), name="net")
    for read in (batches_of, inputs_of):
        with pytest.raises(ValueError, match=r"Input 'words' of 'net' takes strings.* leave the lookup"):
            next(iter(read(model, [["a"], ["b"]])))
