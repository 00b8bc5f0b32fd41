"""Which input or output of a file is which of its model, from names, numbers and shapes."""

import pytest

from keras_kd.deployment.pairing import Named, may_be_same, pair, pair_by_name
from keras_kd.deployment.tensor_details import TensorDetails


def details(names, shapes=None):
    return tuple(
        TensorDetails(name, (None, *(shapes or {}).get(name, (4,))), "float32") for name in names.split()
    )


def paired(mine, theirs, *others):
    found = pair(Named(details(mine), tuple(tuple(names.split()) for names in others)), details(theirs))
    return found and " ".join(found.values())


@pytest.mark.parametrize(
    ("mine", "others", "theirs", "found"),
    [
        # the model's own names, in any order
        ("zoom crop", "zoom crop", "crop zoom", "zoom crop"),
        ("input_0 input_1", "keras_tensor keras_tensor_1", "input_1 input_0", "input_0 input_1"),
        # those that Keras gave, in the model's order whatever their numbers
        ("input_0 input_1", "keras_tensor keras_tensor_1", "keras_tensor_1 keras_tensor", None),
        ("input_0 input_1", "input_10 input_9", "input_9 input_10", None),
        ("output_0 output_1", "dense_2 dense_1", "dense_1 dense_2", None),
        ("zoom input_1", "zoom keras_tensor_3", "keras_tensor_3 zoom", None),
        ("my_side r", "my/side r", "r my_side", "my_side r"),
        # of another session
        (
            "input_0 input_1",
            "keras_tensor keras_tensor_1",
            "keras_tensor_9 keras_tensor_8",
            "keras_tensor_8 keras_tensor_9",
        ),
        ("input_0 input_1", "input_4 input_3", "input_1 input_2", "input_2 input_1"),
        (
            "input_0 input_1",
            "input_layer input_layer_1",
            "keras_tensor_8 keras_tensor",
            "keras_tensor keras_tensor_8",
        ),
        (
            "output_0 output_1 output_2",
            "dense_9 conv dense_8",
            "dense_1 conv_5 dense",
            "dense_1 conv_5 dense",
        ),
        ("zoom input_1", "zoom keras_tensor_3", "keras_tensor_8 zoom", "zoom keras_tensor_8"),
        # numbers and no more, from any number on
        ("cls box", "cls box", "output_1 output_0", "output_0 output_1"),
        ("cls box", "cls box", "Identity_1 Identity", "Identity Identity_1"),
        ("cls box", "cls box", "args_0_1 args_0", "args_0 args_0_1"),
        ("cls box", "cls box", "head:1 head:0", "head:0 head:1"),
        ("output_0 output_1", "", "output_2 output_1", "output_1 output_2"),
        (
            " ".join("abcdefghijkl"),
            "",
            " ".join(f"o_{i}" for i in (1, 10, 11, 0, *range(2, 10))),
            " ".join(f"o_{i}" for i in range(12)),
        ),
        # one is one
        ("x", "x", "serving_default_x:0", "serving_default_x:0"),
    ],
)
def test_names_decide_and_then_numbers(mine, others, theirs, found):
    assert paired(mine, theirs, others) == (found or others)


def test_what_nothing_tells():
    assert paired("cls box", "p q", "cls box") is None
    assert paired("cls box", "cls box more", "cls box") is None
    assert paired("a b c", "x_1 x_2 y", "a b c") is None


def test_shapes_tell_where_names_do_not():
    mine = Named(details("cls box", {"cls": (3,), "box": (1,)}))
    assert pair(mine, details("p q", {"p": (1,), "q": (3,)})) == {"cls": "q", "box": "p"}
    # They contradict the numbers, which are a guess.
    assert pair(mine, details("o_0 o_1", {"o_0": (1,), "o_1": (3,)})) == {"cls": "o_1", "box": "o_0"}
    # A name is none: what has another shape under the same name is another model.
    assert pair(mine, details("box cls", {"box": (3,), "cls": (1,)})) == {"cls": "cls", "box": "box"}


def test_names_alone():
    mine = Named(details("input_0 input_1"), (("left", "right"),))
    assert pair_by_name(mine, details("right left")) == {"input_0": "left", "input_1": "right"}
    assert pair_by_name(mine, details("input_1 input_2")) is None


@pytest.mark.parametrize(
    ("shape", "dtype", "same"),
    [
        ((None, 4), "bfloat16", True),
        ((1, 4), "float16", True),
        ((None, None), "float32", True),
        ((None, 5), "float32", False),
        ((None, 4, 1), "float32", False),
        ((None, 4), "int8", False),
    ],
)
def test_what_may_be_the_same(shape, dtype, same):
    assert may_be_same(TensorDetails("a", (None, 4), "float32"), TensorDetails("b", shape, dtype)) is same
