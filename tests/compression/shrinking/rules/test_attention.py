"""Heads, and the sizes of keys and values."""

import keras
import pytest
from keras import layers

import keras_kd as kd
from tests.compression.shrinking.grouping import groups_in, kept_in, sequence_model
from tests.compression.shrinking.models import MODELS, headed
from tests.compression.shrinking.oracle import assert_like_the_oracle


def test_heads_keys_and_values_of_a_transformer():
    of_one = [(heads, f"attention{i}", "", f"attention{i}") for i in (1, 2) for heads in (4, 6, 5)]
    stream = "words attention1 narrow1 attention2 narrow2"
    normed = "norm1 norm2"
    assert groups_in("transformer") == [
        (8, stream, normed, "attention1 wide1 attention2 wide2 head"),
        *of_one[:3],
        (16, "wide1", "", "narrow1"),
        *of_one[3:],
        (16, "wide2", "", "narrow2"),
    ]


def test_heads_of_the_query_go_with_those_of_key_and_value():
    """And the result is as wide as the query, with one size for all heads."""
    assert groups_in("grouped_heads") == [
        (12, "stream attention", "norm", "attention head"),
        (4, "attention", "", "attention"),
        (6, "attention", "", "attention"),
    ]
    small = assert_like_the_oracle(MODELS["grouped_heads"]()).get_layer("attention")
    assert (small.num_query_heads, small.num_key_value_heads, small.head_dim) == (4, 2, 3)


def test_query_and_key_of_attention_without_heads_are_tied():
    """With the scale of each channel; here the values are the keys."""
    assert groups_in("added_attention") == [(8, "v q q2", "attention", "q2 head")]


def test_heads_whose_scores_are_averaged_are_kept():
    assert [group[:2] for group in groups_in("cross_attention")] == [
        *[(8, "q"), (6, "v"), (4, "attention"), (4, "attention"), (8, "attention"), (4, "after of_scores")],
    ]
    assert kept_in("cross_attention")["attention"].endswith("it computes with all channels")


def dense(x, units=6, name="dense"):
    return layers.Dense(units, name=name)(x)


def masked(x):
    q = dense(x)
    return layers.MultiHeadAttention(2, 3, name="a")(q, q, attention_mask=dense(x, 5, "mask") > 0)


def masked_weightless(x):
    steps = layers.Dense(5, name="mask")(layers.Flatten()(x)) > 0
    return layers.Attention(name="a")([x, dense(x, 4)], mask=[None, steps])


def as_keywords(x):
    return layers.MultiHeadAttention(2, 3, name="a")(
        query=dense(x), key=dense(x, 7, "key"), value=dense(x, 5, "value")
    )


def with_scores(x):
    y, _ = layers.Attention(name="a")([x, dense(x, 6, "v"), dense(x, 4, "k")], return_attention_scores=True)
    return y


def several_axes(x):
    return layers.MultiHeadAttention(2, 3, output_shape=(2, 3), name="a")(dense(x), x)[..., 0]


def with_itself(x):
    q = dense(x)
    return layers.Attention(name="a")([q, q])


CASES = {
    "with_itself": (with_itself, ["dense"], set()),
    "masked": (masked, ["dense", "a", "a", "a", "a"], {"mask"}),
    "masked_weightless": (masked_weightless, [], {"mask", "dense"}),
    "as_keywords": (as_keywords, ["key", "value", "dense", "a", "a", "a", "a"], set()),
    "with_scores": (with_scores, ["v"], {"k"}),
    "several_axes": (several_axes, [], {"dense", "a"}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_tied_and_what_is_kept(name):
    body, made_by, kept = CASES[name]
    model = sequence_model(body)
    assert sorted(group[1] for group in groups_in(model)) == sorted(made_by)
    assert kept <= set(kept_in(model))


def test_sizes_of_heads_stay_multiples_and_heads_are_counted_one_by_one():
    inputs = keras.Input((5, 32))
    x = layers.MultiHeadAttention(5, 64, 32, name="attention")(inputs, inputs)
    small = kd.shrink(headed(inputs, layers.GlobalAveragePooling1D()(x)), 0.7, scope="layer")
    attention = small.get_layer("attention")
    assert attention.key_dim % 8 == 0
    assert attention.key_dim < 64
    assert attention.value_dim % 8 == 0
    assert attention.value_dim < 32
    assert attention.num_heads == 3


def test_sizes_of_heads_that_share_keys_stay_multiples():
    inputs = keras.Input((5, 32))
    x = layers.GroupQueryAttention(64, 6, 3, name="attention")(inputs, inputs)
    small = kd.shrink(headed(inputs, layers.GlobalAveragePooling1D()(x)), 0.7)
    assert small.get_layer("attention").head_dim in {32, 40, 48}
