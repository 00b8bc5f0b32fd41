"""Tensors by path, and what is taken of them by key."""

import collections

import pytest

from keras_kd.parts import parts, parts_by_key, take, with_parts

X = {"heads": {"a": 1}, "rest": [2, 3]}


def test_parts_are_named_by_their_paths():
    assert parts(X) == {"heads/a": 1, "rest/0": 2, "rest/1": 3}
    assert parts(4) == {"": 4}


def test_other_tensors_take_their_places_in_their_order():
    pair = collections.namedtuple("Pair", "x y")
    for structure in (4, X, {"b": 1, "a": {"d": 2, "c": (3, [4])}}, pair(1, {"z": 2, "a": 3})):
        values = [f"new {i}" for i in range(len(parts(structure)))]
        changed = with_parts(structure, values)
        assert parts(changed) == dict(zip(parts(structure), values, strict=True))
        assert type(changed) is (str if structure == 4 else type(structure))


def test_a_key_names_a_tensor_or_what_is_held_directly():
    assert parts_by_key(X) == {"heads/a": 1, "rest/0": 2, "rest/1": 3, "heads": {"a": 1}, "rest": [2, 3]}
    assert parts_by_key((5, 6)) == {"0": 5, "1": 6}
    assert parts_by_key(4) == {}


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ("heads/a", 1),
        ("heads", {"a": 1}),
        (["rest/1", "rest/0"], [3, 2]),
        ({"pixels": "rest/0"}, {"pixels": 2}),
    ],
)
def test_parts_are_taken_in_the_structure_of_the_keys(keys, taken):
    assert take(X, keys) == taken
    assert take((5, 6), (1, 0)) == (6, 5)


@pytest.mark.parametrize("structure", [X, 4])
def test_a_key_that_names_nothing(structure):
    with pytest.raises(KeyError, match="tail"):
        take(structure, ["tail"])
