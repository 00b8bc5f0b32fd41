"""Choosing layers by name, path, glob and mapping, as every compression tool does."""

import re
from typing import NamedTuple

import keras
import pytest
from keras import layers

from keras_kd.compression.selection import LayerPath, Selection, matches, names_of, parse_names


class Weight(NamedTuple):
    layer: str
    path: str


CANDIDATES = [
    LayerPath(path) for path in ("stem", "backbone/fc1", "backbone/fc2", "backbone/inner/fc1", "head")
]


def included(selection):
    return [candidate.path for candidate in CANDIDATES if selection.includes(candidate)]


SELECTIONS = {
    "everything": (None, (), ["stem", "backbone/fc1", "backbone/fc2", "backbone/inner/fc1", "head"]),
    "nothing": ([], (), []),
    "a name, wherever it is": (["fc1"], (), ["backbone/fc1", "backbone/inner/fc1"]),
    "a path": (["backbone/fc1"], (), ["backbone/fc1"]),
    "a container": (["inner", "head"], (), ["backbone/inner/fc1", "head"]),
    "the path of a container": (["backbone/inner"], (), ["backbone/inner/fc1"]),
    "a glob of names": (["fc?"], (), ["backbone/fc1", "backbone/fc2", "backbone/inner/fc1"]),
    "a glob of paths": (["backbone/i*"], (), ["backbone/inner/fc1"]),
    "a set of letters": (["[hs]*"], (), ["stem", "head"]),
    "all but some": (None, ["backbone"], ["stem", "head"]),
    "some of those": (["backbone"], ["*/inner/*"], ["backbone/fc1", "backbone/fc2"]),
}


@pytest.mark.parametrize("how", SELECTIONS)
def test_layers_are_chosen_by_name_path_and_glob(how):
    names, skip, expected = SELECTIONS[how]
    assert included(Selection(names, skip)) == expected
    assert {Selection(names, skip).value_for(candidate) for candidate in CANDIDATES} == {None}


def test_a_mapping_gives_values_of_which_the_last_match_counts():
    selection = Selection({"backbone": 4, "fc1": 8, "head": 2}, skip=["inner"])
    values = {path: selection.value_for(LayerPath(path)) for path in included(selection)}
    assert values == {"backbone/fc1": 8, "backbone/fc2": 4, "head": 2}


def test_a_default_includes_what_no_key_of_a_mapping_names():
    selection = Selection({"head": 2}, skip=["backbone"], default=16)
    assert {path: selection.value_for(LayerPath(path)) for path in included(selection)} == {
        "stem": 16,
        "head": 2,
    }


def test_a_weight_is_matched_by_its_own_path_and_by_the_names_of_its_layer():
    weight = Weight("backbone/lstm", "backbone/lstm/recurrent_kernel")
    matching = ["backbone", "lstm", "backbone/lstm", "backbone/lstm/recurrent_kernel", "*kernel", "l*"]
    assert [matches(pattern, weight) for pattern in matching] == [True] * 6
    assert not any(matches(pattern, weight) for pattern in ("recurrent_kernel", "rec*", "LSTM", "lstm/*"))


def test_names_of_a_path_are_its_prefixes_and_parts():
    assert set(names_of("a/b/c")) == {"a", "a/b", "a/b/c", "b", "c"}


@pytest.mark.parametrize(
    ("value", "names"),
    [("fc1", ["fc1"]), (("a", "b"), ["a", "b"]), ({"a": 1}, {"a": 1}), ([], []), (frozenset({"a"}), ["a"])],
)
def test_names_are_given_alone_in_a_collection_or_as_keys(value, names):
    assert parse_names(value) == names


@pytest.mark.parametrize("value", [5, None, [3], [("a",)], {3: "a"}, b"a"], ids=str)
def test_other_things_than_names_are_refused(value):
    with pytest.raises(
        TypeError, match=re.escape(f"name, path or glob, or as a list of these. Received: {value!r}")
    ):
        parse_names(value)


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((4,))
    shared = layers.Dense(4, name="shared")
    left = keras.Sequential([inputs, shared], name="left")
    right = keras.Sequential([inputs, shared], name="right")
    x = layers.Activation("relu", name="act")(layers.add([left(inputs), right(inputs)]))
    return keras.Model(inputs, layers.Dense(2, name="head")(x), name="net")


DENSE = [LayerPath("left/shared"), LayerPath("head")]


@pytest.mark.parametrize(
    ("names", "skip", "message"),
    [
        (["haed"], (), "'net' has no layer 'haed'. Did you mean 'shared', 'head', 'left/shared'?"),
        ({"left/shard": 8}, (), "'net' has no layer 'left/shard'. Did you mean 'left/shared'"),
        (None, ["shred"], "Did you mean 'shared'"),
        (["zzz*"], (), "'net' has no layer 'zzz*'. Layers to choose from: 'left/shared', 'head'."),
        (["act"], (), "'act' has no layer that can be factorized. Leave it out."),
        (["right"], (), "'right' is shared and goes by its first name: 'left/shared'."),
    ],
)
def test_names_that_match_nothing_are_refused_with_near_misses(model, names, skip, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Selection(names, skip).check_names(model, DENSE, "layer that can be factorized")


def test_a_glob_to_skip_may_match_nothing(model):
    Selection(["head"], ["conv*", "left"]).check_names(model, DENSE, "layer that can be factorized")


class Changed(NamedTuple):
    path: str
    reason: str = ""

    @property
    def layer(self):
        return self.path


MODEL = keras.Sequential([keras.Input((3,)), layers.Dense(2)], name="model")


@pytest.mark.parametrize(
    ("chosen", "outcomes", "message"),
    [
        (["a"], [Changed("a", "no"), Changed("b")], "'a' cannot be cut: no. Leave it out."),
        (None, [Changed("a", "no"), Changed("b", "never")], "can be cut. 'a': no; 'b': never."),
        (None, [Changed(name, "no") for name in "abcde"], "'c': no; and 2 more."),
        (None, [], "Nothing in 'model' can be cut. The model has no rope."),
    ],
)
def test_what_could_not_be_done_is_told_with_its_reason(chosen, outcomes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Selection(chosen).check_outcomes(MODEL, outcomes, "rope", "cut")


def test_what_may_have_been_skipped_is_told():
    with pytest.raises(ValueError, match="has no rope, or `skip` leaves none"):
        Selection(None, ["*"]).check_outcomes(MODEL, [], "rope", "cut")


@pytest.mark.parametrize("chosen", [None, ["a"], ["*"]])
def test_one_that_was_changed_is_enough_for_a_name(chosen):
    Selection(chosen).check_outcomes(MODEL, [Changed("a"), Changed("b", "no")], "rope", "cut")


def test_a_name_with_brackets_is_found_as_it_is():
    assert matches("conv[1]", LayerPath("conv[1]"))
    assert matches("conv[1]", LayerPath("body/conv[1]"))
    assert not matches("conv[1]", LayerPath("conv[2]"))
