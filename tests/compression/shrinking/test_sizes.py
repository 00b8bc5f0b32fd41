"""Sizes without making a model are those of the model that is made."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.compression.shrinking.groups import groups_of
from keras_kd.compression.shrinking.sizes import Sizes
from keras_kd.graphs import open_layers
from tests.compression.costs.counting import counted
from tests.compression.shrinking.models import MODELS
from tests.compression.shrinking.programs import built, programs

NAMES = [
    *("depthwise_as_groups", "grouped", "separable", "dense_block", "u_net", "group_normalized", "flattened"),
    *(
        "sliced",
        "one_dimension",
        "einsums",
        "transformer",
        "recurrent",
        "bidirectional",
        "sequential_in_models",
    ),
]


def check(model, seed, part=None):
    """Compare what is counted for random numbers of channels with a model that has so many."""
    opened = open_layers(model)
    channels, groups = groups_of(opened)
    random, sizes = np.random.default_rng(seed), Sizes(channels, groups)
    counts = [int(random.integers(1, len(group.classes) + 1)) for group in groups]
    removed = [
        random.choice(g.classes, len(g.classes) - n, replace=False)
        for g, n in zip(groups, counts, strict=True)
    ]
    made = Cut(channels, np.concatenate([np.zeros(0, int), *removed])).model(opened.model)
    assert sizes.full("parameters") == model.count_params()
    assert sizes.measure("parameters", counts) == made.count_params()
    assert sizes.measure("channels", counts) == sum(counts)
    assert sizes.full("macs") == counted(model)
    return sizes, counts, made


@pytest.mark.parametrize("name", NAMES)
def test_every_size_is_that_of_the_model_made(name):
    sizes, counts, made = check(MODELS[name](), seed=1)
    assert sizes.measure("macs", counts) == counted(made)
    assert sizes.measure("bytes", counts) == 4 * made.count_params()


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(programs(), st.integers(0, 1000))
def test_sizes_of_random_graphs(program, seed):
    keras.backend.clear_session(free_memory=False)
    sizes, counts, made = check(built(program), seed)
    assert sizes.measure("macs", counts) == counted(made)


def test_products_without_weights_are_counted_in_full():
    """They may fall as channels are lost: the model made is at most as large."""
    sizes, counts, made = check(MODELS["attention_of_operations"](), seed=1)
    assert sizes.products > 0
    assert counted(made) <= sizes.measure("macs", counts) < sizes.full("macs")


def test_bytes_go_by_the_type_of_each_weight():
    model = MODELS["in_half_precision"]()
    sizes, _, _ = check(model, seed=2)
    assert sizes.full("bytes") == 4 * model.count_params()  # mixed precision keeps its weights in full
    keras.config.set_dtype_policy("bfloat16")
    try:
        small = MODELS["grouped"]()
    finally:
        keras.config.set_dtype_policy("float32")
    channels, groups = groups_of(open_layers(small))
    assert Sizes(channels, groups).full("bytes") == 2 * small.count_params()


def test_seeds_are_no_parameters():
    inputs = keras.Input((4,))
    x = keras.layers.Dropout(0.5, seed=1)(keras.layers.Dense(6)(inputs))
    channels, groups = groups_of(open_layers(keras.Model(inputs, keras.layers.Dense(2)(x))))
    assert Sizes(channels, groups).full("parameters") == 4 * 6 + 6 + 6 * 2 + 2
