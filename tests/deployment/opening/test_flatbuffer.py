"""What is inside a file: operators of all subgraphs, float tensors, weights."""

from keras_kd.deployment.opening.flatbuffer import SMALLEST_QUANTIZED_WEIGHT, Contents
from tests.deployment import small


def test_operators_and_float_tensors_of_a_file(dense_file, int8_file):
    contents = Contents.read(dense_file)
    assert contents.operators == {"FULLY_CONNECTED": 1}
    assert contents.flex_operators == ()
    assert not contents.has_integer_weights
    # In a float file everything is float; only the edges of an integer file do not count.
    assert len(contents.float_tensors) >= 3
    assert Contents.read(int8_file).float_tensors == ()
    assert Contents.read(int8_file).has_integer_weights


def test_operators_of_subgraphs_are_counted(small_file):
    looped = Contents.read(small_file(small.lstm)[1].path)
    assert looped.operators["WHILE"] == 1
    assert looped.operators["LOGISTIC"] >= 3  # they are in the subgraph of the loop's body


def test_weights_of_a_file(small_file, dense_file):
    assert SMALLEST_QUANTIZED_WEIGHT <= 48 * 48
    contents = Contents.read(small_file(small.wide)[1].path)
    assert len(contents.float_weights) == 1
    assert contents.sparse_weights == contents.empty_weights == ()
    assert sorted(weight[weight.index("(") :] for weight in contents.dense_weights) == ["(3, 48)", "(48, 48)"]
    assert Contents.read(dense_file).float_weights == ()
