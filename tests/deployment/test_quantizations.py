"""The table of quantizations: its rows agree with TensorFlow, with each other and with `export`."""

import inspect

import pytest
import tensorflow as tf

from keras_kd.deployment import quantizations
from keras_kd.deployment.quantizations import QUANTIZATIONS, get
from keras_kd.deployment.tflite import export

ROWS = pytest.mark.parametrize("row", QUANTIZATIONS, ids=lambda row: row.label)


def test_get_finds_rows_by_name():
    assert quantizations.names() == (None, "float16", "dynamic", "int8", "int16x8")
    assert [get(name) for name in quantizations.names()] == list(QUANTIZATIONS)
    assert [get(row.label) for row in QUANTIZATIONS] == list(QUANTIZATIONS)
    assert quantizations.names(sparse=True) == (None, "float16")


@pytest.mark.parametrize("name", ["int9", "INT8", ["int8"], 8])
def test_unknown_names_are_refused_with_near_misses(name):
    with pytest.raises(
        ValueError,
        match=r"Unknown quantization .*; expected one of 'float32', 'float16', .*, or None for 'fl",
    ) as caught:
        get(name)
    assert ("Did you mean 'int8'?" in str(caught.value)) == (name != 8)


@ROWS
def test_names_are_those_of_tensorflow(row):
    for names in row.operator_sets:
        assert all(tf.lite.OpsSet[name] for name in names)
    assert all(tf.lite.Optimize[name] for name in row.optimizations)
    assert all(tf.as_dtype(name) for name in (*row.weight_types, *row.io))


@ROWS
def test_rows_are_consistent(row):
    assert row.io[0] == "float32"
    assert (len(row.io) > 1) == row.integer_activations  # integers outside only where they are inside
    assert row.from_training <= row.integer_activations
    assert not (row.sparse and row.integer_activations)
    assert row.error.of_spread is None or 0 < row.error.of_spread < 1
    assert 0 < row.error.of_largest <= 1
    assert bool(row.optimizations) == (row.name is not None)
    if row.integer_activations:
        # The last set always succeeds where the first does; it adds float operators to it.
        assert set(row.operator_sets[0]) < set(row.operator_sets[-1])


def test_labels_read_well_in_sentences():
    assert [row.with_article for row in QUANTIZATIONS] == [
        "a float32",
        "a float16",
        "a dynamic",
        "an int8",
        "an int16x8",
    ]


def test_the_docstring_of_export_names_every_row():
    text = inspect.getdoc(export)
    for row in QUANTIZATIONS:
        assert f'`"{row.label}"`' in text
