"""A cut model computes what the original does without what reads the removed channels."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from keras_kd.compression.shrinking.channels import Role
from keras_kd.compression.shrinking.cutting import Cut
from tests.compression.shrinking.models import MODELS
from tests.compression.shrinking.oracle import (
    assert_like_the_oracle,
    compare_with_oracle,
    cut_at_random,
    with_random_weights,
)
from tests.compression.shrinking.programs import built, programs
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of

ALL = {**MODELS, **TOPOLOGIES}
# In these every channel is read by an output of the model, or by what cannot be followed.
KEPT_WHOLE = {"named_inputs_and_outputs"}
LONG = {"bidirectional", "masked", "pictures_in_time", "attention_of_operations", "cross_attention", "film"}
LONG |= {"several_tensors", "dense_block", "group_normalized", "states", "sliced", "grouped_heads"}


def names_in(model):
    """Of the layers at every depth, without inputs; operations have no names of their own."""
    own = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    inner = [name for layer in own if isinstance(layer, keras.Model) for name in names_in(layer)]
    return [layer.name for layer in own] + inner


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in ALL]
)
def test_every_model_is_cut_right(name):
    """Without half of its channels it is the oracle; with all of them the original, bit for bit."""
    model = with_random_weights(ALL[name]())
    outputs_of(model, inputs_for(model))  # what TensorFlow keeps of a Lambda shows in its configuration
    before = str(model.get_config()), [np.array(weight) for weight in model.get_weights()]
    opened, cut = cut_at_random(model)
    small = compare_with_oracle(opened, cut)
    whole, inputs = Cut(cut.channels, np.zeros(0, int)).model(opened), inputs_for(model)
    for a, b in zip(outputs_of(whole, inputs), outputs_of(model, inputs), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (model.count_params() == small.count_params()) == (name in KEPT_WHOLE)
    assert not {id(v) for v in model.variables} & {id(v) for v in [*whole.variables, *small.variables]}
    assert names_in(small) == names_in(opened)
    assert small.name == model.name
    assert [o.shape for o in small.outputs] == [o.shape for o in model.outputs]
    assert str(model.get_config()) == before[0]
    for a, b in zip(model.get_weights(), before[1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        *[("gated_linear", 1), ("sliced", 1), ("shuffled", 1), ("transformer", 2), ("bidirectional", 2)],
        *[pytest.param(name, 3, marks=pytest.mark.slow) for name in ALL],
    ],
)
def test_groups_lose_different_numbers_of_channels(name, seed):
    assert_like_the_oracle(ALL[name](), None, seed)


@settings(max_examples=10, deadline=None)
@given(programs(), st.integers(0, 1000), st.sampled_from([None, 0.5, 0.8]))
def test_random_graphs_are_cut_right(program, seed, part):
    keras.backend.clear_session(free_memory=False)
    assert_like_the_oracle(built(program), part, seed)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(programs(), st.integers(0, 1000), st.sampled_from([None, 0.1, 0.5, 0.8]))
def test_many_random_graphs_are_cut_right(program, seed, part):
    keras.backend.clear_session(free_memory=False)
    assert_like_the_oracle(built(program), part, seed)


def test_the_weights_that_stay_are_copied():
    inputs = keras.Input((4,))
    hidden = layers.Dense(6, name="hidden")
    model = with_random_weights(keras.Model(inputs, layers.Dense(2, name="head")(hidden(inputs))))
    opened, cut = cut_at_random(model)
    small = cut.model(opened, name="small")
    assert small.name == "small"
    stays = cut.stays(cut.channels.axes[id(hidden.kernel), 1].labels)
    assert stays.sum() == 3
    new, old = small.get_layer("hidden"), model.get_layer("hidden")
    np.testing.assert_array_equal(new.kernel, np.asarray(old.kernel)[:, stays])
    np.testing.assert_array_equal(new.bias, np.asarray(old.bias)[stays])
    readers = np.asarray(model.get_layer("head").kernel)
    np.testing.assert_array_equal(small.get_layer("head").kernel, readers[stays])


def test_the_oracle_tells_a_wrong_cut():
    """One channel that a reader wrongly goes on reading changes the outputs."""
    model = with_random_weights(MODELS["bottleneck"]())
    opened, cut = cut_at_random(model)
    reader = next(
        axis for axis in cut.channels.axes.values() if axis.role is Role.READS and axis.path == "head"
    )
    cut.channels.axes[id(reader.variable), reader.axis] = reader._replace(labels=reader.labels[::-1])
    wrong, inputs = cut.model(opened), inputs_for(model)
    right = assert_like_the_oracle(MODELS["bottleneck"]())
    assert np.abs(outputs_of(wrong, inputs)[0] - outputs_of(right, inputs)[0]).max() > 1e-3
