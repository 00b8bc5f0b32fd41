"""Sums over channels that two tensors have in common, and channels that pass."""

import numpy as np
import pytest
from keras import layers, ops

from tests.compression.shrinking.grouping import groups_in, kept_in, sequence_model
from tests.compression.shrinking.oracle import assert_like_the_oracle

GROUPS = {
    # Of each head, the sizes are tied by the reshape.
    "attention_of_operations": [
        (4, "key query", "", ""),
        (4, "value", "", "of_query of_value of_key"),
        (6, "of_query of_key", "", ""),
        (4, "of_value", "", "head"),
    ],
    "towers": [(8, "each", "", "of_words"), (8, "of_picture of_words", "", "")],
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_is_summed_over_is_tied(name):
    assert groups_in(name) == GROUPS[name]


def test_rows_and_columns_of_a_product_cannot_both_lose_channels():
    def body(x):
        rows = ops.transpose(layers.Dense(6, name="rows")(x), (0, 2, 1))
        return layers.Dense(3, name="after")(ops.matmul(rows, layers.Dense(4, name="columns")(x)))

    model = sequence_model(body)
    assert [group[1] for group in groups_in(model)] == ["columns", "after"]
    assert kept_in(model)["rows"].endswith("it crosses the channels of two tensors")


def dense(x, name, units=6):
    return layers.Dense(units, name=name)(x)


MADE_BY = {
    "dot": (lambda x: layers.Dot(-1)([dense(x, "a"), dense(x, "b")]), {"a b"}),
    "dot_over_steps": (lambda x: layers.Dot(1)([dense(x, "a"), x]), set()),
    "dot_with_itself": (lambda x: layers.Dot(-1)([dense(x, "a")] * 2), {"a"}),
    "gram": (lambda x: ops.einsum("bsc,btc->bst", dense(x, "a"), dense(x, "b")), {"a b"}),
    "with_itself": (lambda x: ops.einsum("bsc,btc->bst", *[dense(x, "a")] * 2), {"a"}),
    "along": (lambda x: ops.einsum("b...c,bc->b...", dense(x, "a"), dense(x[:, 0], "b")), {"a b"}),
    "along_nothing": (lambda x: ops.einsum("...bsc,btc->bst", dense(x, "a"), dense(x, "b")), {"a b"}),
    "one_for_all": (lambda x: ops.matmul(dense(x, "a", 1), dense(x[:, :1], "b")), {"b"}),
    "diagonal": (lambda x: ops.einsum("bcc->bc", dense(x, "a", 5)), set()),
    "unclear": (lambda x: ops.einsum("bsc,btc", dense(x, "a"), dense(x, "b")), set()),
    "array": (lambda x: ops.matmul(dense(x, "a"), np.ones((6, 2), "float32")), set()),
}


@pytest.mark.parametrize("name", MADE_BY)
def test_which_channels_can_be_removed(name):
    body, made_by = MADE_BY[name]
    model = sequence_model(lambda x: dense(ops.reshape(body(x), (-1, 5, body(x).shape[-1])), "after", 3))
    assert {group[1] for group in groups_in(model)} - {"after"} == made_by


def test_an_array_that_is_as_large_as_the_channels_stays():
    """Its rows and columns are steps, of which there are as many by chance."""
    turned = np.random.default_rng(0).normal(size=(8, 8)).astype("float32")
    model = sequence_model(lambda x: ops.matmul(turned, dense(x, "dense", 8)), (8, 3))
    assert groups_in(model) == [(8, "dense", "", "head")]
    assert assert_like_the_oracle(model).get_layer("dense").units == 4
