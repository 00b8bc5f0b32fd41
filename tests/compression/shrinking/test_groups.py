"""`kd.channel_groups` tells a user what is tied, and what is kept."""

import json
import re

import keras
import pytest

import keras_kd as kd
from keras_kd.compression.shrinking.channels import Role
from keras_kd.compression.shrinking.groups import find_groups, groups_of
from keras_kd.graphs import open_layers
from tests.compression.shrinking.models import MODELS
from tests.graphs.composites import Deciding


def test_groups_print_as_a_table():
    titles, _, *rows = str(kd.channel_groups(MODELS["squeeze_excite"]())).splitlines()
    assert [re.split(" {2,}", row.strip()) for row in (titles, *rows)] == [
        ["channels", "made by", "along", "read by"],
        ["8", "stem, expand", "reduce, head"],
        ["4", "reduce", "expand"],
        ["kept whole: head: is an output of the model"],
    ]


def test_long_lists_of_layers_are_cut():
    printed = str(kd.channel_groups(MODELS["transformer"]()))
    assert "words, attention1, narrow1 and 2 more" in printed


def test_groups_are_results():
    found = kd.channel_groups(MODELS["bottleneck"]())
    first = json.loads(found.to_json())["groups"][0]
    assert first["made_by"] == ["stem", "wide1", "wide2"]
    assert first["channels"] == 8
    with pytest.raises(AttributeError):
        found.groups = ()


def test_a_group_knows_its_layers():
    _, groups = groups_of(open_layers(MODELS["transformer"]()))
    stream, heads = groups[0], groups[1]
    assert stream.layer == "words"
    assert not stream.whole
    assert heads.whole
    assert heads.paths(Role.READS) == ("attention1",)


def test_every_channel_is_in_one_group_at_most():
    channels, groups = groups_of(open_layers(MODELS["dense_block"]()))
    classes = [one for group in groups for one in group.classes.tolist()]
    assert len(classes) == len(set(classes)) == 20
    assert [g.makers for g in find_groups(channels)] == [g.makers for g in groups]


def test_layers_that_could_not_be_opened_are_named():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(Deciding(name="block")(inputs)))
    why = kd.channel_groups(model).kept_whole["block"]
    assert why == "its call cannot be read: it computes something else in training"


def test_what_is_no_built_model_is_refused():
    with pytest.raises(TypeError, match="model"):
        kd.channel_groups("model")
    with pytest.raises(ValueError, match="built"):
        kd.channel_groups(keras.Sequential([keras.layers.Dense(2)]))
