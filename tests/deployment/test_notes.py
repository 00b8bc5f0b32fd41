"""Notes about the weights of a file, from contents made by hand, and about outputs."""

from keras_kd.deployment.notes import about_float_weights, about_sparse_weights, name_outputs
from keras_kd.deployment.opening.flatbuffer import Contents


def contents(**fields):
    empty = Contents({}, (), (), (), False, (), (), ())
    return Contents(**vars(empty) | fields)


def test_dynamic_files_name_what_stayed_in_float():
    (note,) = about_float_weights(contents())
    assert note.startswith("nothing was quantized: the converter leaves small weights")
    assert about_float_weights(contents(has_integer_weights=True)) == []
    some = contents(has_integer_weights=True, float_weights=("a", "b"))
    assert about_float_weights(some) == ["weights left in float: a, b"]


def test_sparse_files_name_what_is_stored_sparse_and_dense():
    assert about_sparse_weights(contents(sparse_weights=("a",))) == ["1 weights stored sparse: a"]
    both = contents(sparse_weights=("a", "b"), dense_weights=("c",), empty_weights=("c",))
    assert about_sparse_weights(both) == ["2 weights stored sparse: a, b", "1 stored dense: c"]


def test_sparse_files_without_sparse_weights_say_why():
    (note,) = about_sparse_weights(contents(dense_weights=("c",)))
    assert note.startswith("nothing is sparse enough")
    (note,) = about_sparse_weights(contents(dense_weights=("c", "d"), empty_weights=("d",)))
    assert note.startswith("none is stored sparse")
    assert note.endswith(": d")


def test_notes_name_their_output_if_there_are_several():
    assert name_outputs({"a": ["one", "two"]}) == ["one", "two"]
    assert name_outputs({"a": ["one"], "b": [], "c": ["two"]}) == ["a: one", "c: two"]
