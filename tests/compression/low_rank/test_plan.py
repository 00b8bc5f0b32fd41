"""What becomes of each layer."""

import re

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.low_rank.arguments import resolve
from keras_kd.compression.low_rank.plan import plan_factorization
from tests.graphs.topologies import chain, scrambled, several_tensors


@pytest.fixture
def model():
    parts = [layers.Conv2D(8, 3, name="conv1"), layers.Conv2D(8, 3, name="conv2"), layers.Flatten()]
    return keras.Sequential([keras.Input((8, 8, 3)), *parts, layers.Dense(9, name="head")], name="net")


def planned(model, rank=None, data=None, **arguments):
    return plan_factorization(model, resolve(rank, **arguments), data).result


def test_layers_skip_and_ranks_by_layer(model):
    found = planned(model, rank=2, method="tucker", skip="head")
    assert [(row.layer, row.ranks, row.reason) for row in found.layers] == [
        ("conv1", (2, 2), ""),
        ("conv2", (2, 2), ""),
        ("head", (), "it is skipped"),
    ]
    found = planned(model, layers={"conv*": 0.5, "conv2": 1}, method="tucker")
    assert [row.ranks for row in found.layers] == [(2, 4), (1, 1), ()]
    assert found.left[0].reason == "it is not among the layers"
    found = planned(model, 3, layers={"conv2": 1}, method="tucker")
    assert [row.ranks for row in found.layers] == [(3, 3), (1, 1), (3,)]


def test_what_saves_nothing_is_left_alone(model):
    found = planned(model, layers={"head": 1.0, "conv2": 2})
    assert found.left[1].reason == "it saves nothing at rank 9"
    assert found.left[1].parameters == (1161, 1161)
    sizes = [sum(row.parameters[i] for row in found.layers) for i in (0, 1)]
    assert found.parameters == tuple(sizes)


def test_only_windows_of_rows_and_columns_are_separated(model):
    parts = [layers.Conv1D(8, 3, name="steps"), layers.Conv1D(8, 1, name="point")]
    steps = keras.Sequential([keras.Input((8, 8)), *parts])
    found = planned(steps, 2, method="spatial")
    assert [row.method for row in found.layers] == ["", "svd"]
    assert "several rows and columns" in found.left[0].reason
    assert {row.method for row in planned(model, 2, method="spatial").layers} == {"spatial", "svd"}


def test_data_weighs_the_errors(model):
    x = np.random.default_rng(0).normal(size=(40, 8, 8, 3)) * [3, 1, 0.1]
    plain, weighted = planned(model, 2), planned(model, 2, x)
    assert (plain.weighted, weighted.weighted) == (False, True)
    assert [row.error for row in plain.layers] != [row.error for row in weighted.layers]


def test_nothing_is_changed(model):
    before = [weight.numpy() for weight in model.weights]
    planned(model, 2)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


class Subclassed(keras.Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("make", "arguments", "error", "message"),
    [
        (lambda: keras.Sequential([layers.Dense(2)]), {}, ValueError, "has no graph to read"),
        (Subclassed, {}, ValueError, "has no graph to read"),
        (lambda: layers.Dense(2), {}, TypeError, "must be a keras.Model"),
        (chain, {"layers": ["haed"]}, ValueError, "Did you mean 'head'?"),
        (chain, {"layers": ["flat"]}, ValueError, "'flat' has no kernel that can be factorized"),
        (chain, {"rank": 1.0}, ValueError, "Nothing in 'chain' can be factorized. 'conv': it saves nothing"),
        (several_tensors, {}, ValueError, "'lstm': recurrent layers hold their kernels inside"),
        (lambda: keras.Sequential([keras.Input((2,)), layers.ReLU()]), {}, ValueError, "It has no kernels."),
    ],
)
def test_what_cannot_be_done_is_told(make, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        planned(make(), **arguments)


def test_data_that_does_not_fit_is_refused(model):
    with pytest.raises(ValueError, match="net"):
        planned(model, data=np.zeros((4, 8, 8, 1)))


def test_tf_keras_models_are_told_what_to_do(tfmot):
    import tf_keras

    model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"kd\.tfmot\.from_tf_keras"):
        planned(model)


def test_a_model_with_gated_attention(model):
    inputs = keras.Input((4, 8))
    layer = layers.MultiHeadAttention(2, 4, use_gate=True, name="gated")
    hidden = layers.Dense(8, name="dense")(layer(inputs, inputs))
    found = planned(scrambled(keras.Model(inputs, hidden)), 2)
    assert [row.reason for row in found.layers] == ["its gate acts on the values of its heads", ""]


def test_an_einsum_that_is_no_matrix():
    inputs = keras.Input((4, 8))
    x = layers.EinsumDense("abc,bcd->abd", (4, 8), name="each")(inputs)
    found = planned(keras.Model(inputs, layers.Dense(8, name="dense")(x)), 2)
    assert [row.reason for row in found.layers] == ["the kernel of 'abc,bcd->abd' is not one matrix", ""]
