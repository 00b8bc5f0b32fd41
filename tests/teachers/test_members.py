"""What `kd.ensemble` is given, by member."""

import keras
import numpy as np
import pytest

from keras_kd.teachers import members
from tests.teachers.conftest import classifier


def image(size, name="image_net", channels=1):
    return keras.Sequential([keras.Input((size, size, channels)), keras.layers.Flatten()], name=name)


def of_two(name="two"):
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    return keras.Model([a, b], keras.layers.Concatenate()([a, b]), name=name)


def named(*models):
    return members.models_by_name(models, None)


class Subclassed(keras.Model):
    def call(self, x):
        return x


def test_models_of_the_same_name_are_numbered():
    one, two = classifier("net"), classifier("net")
    assert list(named(one, two, classifier("other"))) == ["net", "net_1", "other"]
    assert members.models_by_name({"x": one}, None) == {"x": one}
    assert members.models_by_name([one, two], ["x", "y"]) == {"x": one, "y": two}


@pytest.mark.parametrize(
    ("models", "names", "error", "message"),
    [
        (lambda: classifier(), None, TypeError, "a list or a dictionary of models. Received: Functional"),
        (lambda: [], None, ValueError, "at least one member"),
        (lambda: ["a.keras"], None, TypeError, r"Received: str. kd\.as_teacher"),
        (lambda: [classifier()] * 2, ["a"], ValueError, r"different ones for 2 models. Received: \['a'\]"),
        (lambda: [classifier()] * 2, ["a", "a"], ValueError, "different ones"),
        (lambda: {"a": classifier()}, ["b"], ValueError, "names already"),
        (lambda: {"a/b": classifier()}, None, ValueError, "without '/' and ':'. Received: 'a/b'"),
        (lambda: [Subclassed(name="x")], None, ValueError, "Member 'x' has no weights yet"),
    ],
)
def test_what_is_no_member(models, names, error, message):
    with pytest.raises(error, match=message):
        members.models_by_name(models(), names)


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        (None, [0.5, 0.5]),
        ([3, 1], [0.75, 0.25]),
        ({"b": 2}, [0, 1]),
        ("entropy", "entropy"),
        ([[1], [1]], TypeError("a number for each member")),
        (["1", "2"], TypeError("a number for each member")),
        (3, TypeError("`weights` are a list, or a dictionary by name. Received: 3")),
        ([1, -1], "finite numbers from 0"),
        ([0, 0], "not all of them 0"),
        ([1, float("nan")], "finite numbers"),
        ([1], r"`weights` has 1 entries, and there are 2 members: \['a', 'b'\]"),
        ({"c": 1}, "`weights` names 'c'"),
        ("entropie", "one of 'confidence', 'entropy', 'learned'.*Did you mean 'entropy'"),
    ],
)
def test_weights(weights, found):
    if isinstance(found, list) or found == weights:
        assert members.check_weights(weights, ["a", "b"]) == pytest.approx(found) or found == weights
    else:
        with pytest.raises(type(found) if isinstance(found, TypeError) else ValueError, match=str(found)):
            members.check_weights(weights, ["a", "b"])


def test_preprocessing_is_for_all_or_for_each():
    assert members.preprocess_by_member(abs, ["a", "b"]) == {"a": abs, "b": abs}
    assert members.preprocess_by_member({"b": abs}, ["a", "b"]) == {"a": None, "b": abs}
    assert members.preprocess_by_member([abs, None], ["a", "b"]) == {"a": abs, "b": None}
    with pytest.raises(TypeError, match=r"`preprocess` of 'a' is a function or a layer\. Received: 3"):
        members.preprocess_by_member({"a": 3}, ["a"])


def shapes(structure):
    return keras.tree.map_structure(lambda symbol: tuple(symbol.shape[1:]), structure)


@pytest.mark.parametrize(
    ("models", "preprocess", "given", "expected"),
    [
        ([image(8), image(8)], {}, None, (8, 8, 1)),
        ([image(None), image(8)], {}, None, (8, 8, 1)),
        ([image(8), image(4)], {"image_net_1": abs}, None, (8, 8, 1)),
        ([image(4)], {"image_net": abs}, (8, 8, 1), (8, 8, 1)),
        ([of_two(), of_two()], {}, None, [(2,), (3,)]),
        ([of_two(), classifier()], {}, {"a": (2,), "b": (3,), "c": (4,)}, {"a": (2,), "b": (3,), "c": (4,)}),
    ],
)
def test_shared_inputs(models, preprocess, given, expected):
    models = named(*models)
    found = members.find_inputs(models, dict.fromkeys(models) | preprocess, given)
    assert shapes(found) == expected


def test_members_of_several_inputs_take_theirs_by_name():
    a, c = keras.Input((2,), name="a"), keras.Input((4,), name="c")
    other = keras.Model({"a": a, "c": c}, keras.layers.Concatenate()([a, c]), name="other")
    models = named(of_two(), other)
    shared = members.find_inputs(models, dict.fromkeys(models))
    assert shapes(shared) == {"a": (2,), "b": (3,), "c": (4,)}
    first = members.part_for("two", models["two"], shared)
    assert [part is shared[key] for part, key in zip(first, "ab", strict=True)] == [True, True]
    second = members.part_for("other", other, shared)
    assert second == {"a": shared["a"], "c": shared["c"]}
    model = Subclassed()
    assert members.part_for("x", model, shared) is shared


@pytest.mark.parametrize(
    ("models", "given", "message"),
    [
        ([image(8), image(4, "small")], None, r"'image_net' \(8, 8, 1\) and 'small' \(4, 4, 1\).*Resizing"),
        ([image(8), classifier()], None, "Members take different inputs"),
        ([image(8)], "8x8", "`inputs` is the shape of a sample"),
    ],
)
def test_inputs_that_do_not_fit(models, given, message):
    models = named(*models)
    with pytest.raises(ValueError, match=message):
        members.find_inputs(models, dict.fromkeys(models), given)


def test_unknown_inputs():
    model = Subclassed(name="x")
    model(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"not known: .*inputs=keras\.Input"):
        members.find_inputs({"x": model}, {"x": None})
    with pytest.raises(ValueError, match=r"'two' takes \['a', 'b'\], and the inputs .* are \[''\]"):
        members.part_for("two", of_two(), keras.Input((3,)))
