"""A batch of data taken apart, and the signals that it carries."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch

X, Y, WEIGHTS = np.zeros((3, 4), "float32"), np.arange(3), np.ones(3, "float32")
CACHED = {"output": np.ones((3, 2))}


def test_unpack_finds_what_keras_packs_and_what_a_taught_carries():
    assert batches.unpack(X) == Batch(X)
    assert batches.unpack((X, Y, WEIGHTS)) == Batch(X, Y, WEIGHTS)
    taught = kd.Taught(X, CACHED)
    for data in (taught, (taught,)):
        assert batches.unpack(data) == Batch(X, cached_signals=CACHED)
    assert batches.unpack((taught, Y)) == Batch(X, Y, None, CACHED)


def test_without_teacher_signals_the_data_is_plain():
    assert batches.without_teacher_signals(kd.Taught(X, CACHED)) is X
    assert batches.without_teacher_signals((kd.Taught(X, CACHED), Y)) == (X, Y)
    assert batches.without_teacher_signals((X, Y, WEIGHTS)) == (X, Y, WEIGHTS)
    assert batches.without_teacher_signals(None) is None


def test_specs_of_a_batch_are_those_of_every_batch():
    specs = Batch({"a": X}, None, WEIGHTS, {"output": tf.zeros((3, 2), "float16")}).specs()
    assert specs.inputs == {"a": tf.TensorSpec((None, 4), "float32")}
    assert (specs.labels, specs.sample_weight) == (None, None)
    assert specs.cached_signals == {"output": tf.TensorSpec((None, 2), "float16")}
    assert specs.specs() == specs


def test_specs_of_sparse_and_ragged_tensors_stay_so():
    sparse = tf.sparse.from_dense(tf.eye(3, 4))
    ragged = tf.RaggedTensor.from_row_lengths(tf.zeros((6, 2)), tf.constant([1, 2, 3], "int32"))
    specs = Batch({"s": sparse, "r": ragged}).specs()
    assert specs.inputs["s"] == tf.SparseTensorSpec((None, 4), "float32")
    assert specs.inputs["r"] == tf.RaggedTensorSpec((None, None, 2), "float32", 1, "int32")
    assert specs.specs() == specs
    assert int(batches.count_samples({"s": sparse})) == int(batches.count_samples([ragged])) == 3


def test_specs_of_what_has_no_dtype_are_those_of_its_array():
    class Frame:
        """As pandas's, with a dtype for each column."""

        shape = X.shape

        def __array__(self, dtype=None, copy=None):
            return X

    assert Batch(Frame()).specs().inputs == tf.TensorSpec((None, 4), "float32")


def test_require_ranks_names_the_part():
    batches.require_ranks(Batch({"a": X}, Y, None, CACHED))
    with pytest.raises(ValueError, match=r"`x\['a/0'\]` of the data has an unknown number of axes"):
        batches.require_ranks(Batch({"a": [tf.TensorSpec(None)]}, Y))


def test_describe_names_shapes_and_dtypes():
    assert batches.describe(X) == "(3, 4) float32"
    assert batches.describe({"a": X, "b": None}) == "{'a': '(3, 4) float32'}"


def test_find_specs_tells_what_fit_will_make_of_its_arguments():
    floats = tf.TensorSpec((None, 4), keras.config.floatx())
    assert batches.find_specs(X.astype("float64"), None) == (floats, None)
    assert batches.find_specs({"a": X}, Y) == ({"a": floats}, tf.TensorSpec((None,), "int64"))
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(2)
    assert batches.find_specs(data, None) == data.element_spec
    for unknown in (iter([X]), data.map(lambda x, y: tf.RaggedTensor.from_tensor(x)), None):
        assert batches.find_specs(unknown, None) is None


def test_require_cached_signals_names_what_is_missing():
    assert batches.require_cached_signals(["output"], Batch(X, cached_signals=CACHED)) == CACHED
    assert batches.require_cached_signals([], Batch(X)) == {}
    with pytest.raises(ValueError, match="This Distiller has no teacher"):
        batches.require_cached_signals(["output"], Batch(X))
    with pytest.raises(ValueError, match=r"reads the teacher's 'pool', and the data carries .*\['output'\]"):
        batches.require_cached_signals(["output", "pool"], Batch(X, cached_signals=CACHED))


def test_count_samples_passes_over_parts_that_are_missing():
    assert int(batches.count_samples({"a": None, "b": X})) == 3


def test_read_tap_finds_a_part_of_the_inputs_or_labels():
    batch = Batch({"a": X, "b": {"c": Y}}, [WEIGHTS])
    assert batches.read_tap("input/a", batch) is X
    assert batches.read_tap("input/b/c", batch) is Y
    assert batches.read_tap("labels", batch) is WEIGHTS
    assert batches.comes_with_data("labels/a")
    assert not batches.comes_with_data("labelled")
    for tap, message in {
        "input/d": r"the data has \['input/a', 'input/b/c'\]",
        "labels/0": "the data's labels is one tensor. Write 'labels'",
    }.items():
        with pytest.raises(ValueError, match=message):
            batches.read_tap(tap, batch)
    with pytest.raises(ValueError, match="'labels' is read by an objective, and the data has no labels"):
        batches.read_tap("labels", Batch(X))
