"""Attention layers with smaller heads."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.thin_layers import value_of
from tests.compression.low_rank.forced import factors_in, forced, largest_difference

CONFIGS = {
    "plain": {},
    "value_dim": {"value_dim": 3},
    "no bias": {"use_bias": False},
    "output shape": {"output_shape": (2, 5)},
    "dropout": {"dropout": 0.5},
}


def attention(self_attention=False, scale=0.5, **config):
    queries, values, keys = (keras.Input(shape) for shape in ((4, 7), (5, 6), (5, 8)))
    layer = layers.MultiHeadAttention(2, 4, name="it", **config)
    if self_attention:
        model = keras.Model(queries, layer(queries, queries, use_causal_mask=True))
    else:
        model = keras.Model([queries, values, keys], layer(queries, values, key=keys))
    random = np.random.default_rng(0)
    for weight in layer.weights:
        weight.assign(scale * random.normal(size=weight.shape))
    return model


def batches():
    random = np.random.default_rng(1)
    return [random.normal(size=(3, *shape)).astype("float32") for shape in ((4, 7), (5, 6), (5, 8))]


def of_rank(model, rank):
    """The model with the sizes of its heads used up to a rank only, biases too."""
    layer = model.get_layer("it")
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))[0][:, :rank]
    turned = basis @ basis.T
    for part in (layer.query_dense, layer.key_dense):
        part.kernel.assign(value_of(part.kernel) @ turned)
        if part.bias is not None:
            part.bias.assign(value_of(part.bias) @ turned)
    return model


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_at_full_rank_the_outputs_are_the_same(config):
    model = attention(**config)
    made, (factors,) = forced(model, Amount(1.0))
    assert factors.ranks == (4, config.get("value_dim", 4))
    assert factors.error == 0
    assert type(made.get_layer("it")) is layers.MultiHeadAttention
    assert largest_difference(model, made, batches()) < 1e-5


def test_heads_that_use_less_than_their_size_lose_nothing():
    model = of_rank(attention(self_attention=True), 2)
    made, (factors,) = forced(model, Amount(energy=1.0))
    assert factors.ranks == (2, 4)
    assert made.get_layer("it").key_dim == 2
    assert largest_difference(model, made, batches()[0]) < 1e-5
    assert made.count_params() == factors.parameters


def test_the_error_falls_with_the_rank():
    model = attention()
    errors, differences = [], []
    for rank in (1, 2, 3, 4):
        made, (factors,) = forced(model, Amount(rank))
        errors.append(factors.error)
        differences.append(largest_difference(model, made, batches()))
    assert errors == sorted(errors, reverse=True)
    assert differences[0] > 10 * differences[-1]


def test_the_multiply_adds_are_those_of_projections_and_scores():
    (factors,) = factors_in(attention(), Amount(2)).values()
    projections = 4 * 7 * 2 * 2 + 5 * 8 * 2 * 2 + 5 * 6 * 2 * 2 + 4 * 2 * 2 * 7
    assert factors.multiply_adds == projections + 2 * (4 * 5 * 2 * 2)


def test_moments_of_inputs_weigh_the_scores():
    """The best scores for inputs that lie along a few directions are not those for all inputs."""
    model = attention(self_attention=True, scale=1.0)
    random = np.random.default_rng(0)
    x = (random.normal(size=(300, 4, 7)) * 4.0 ** -np.arange(7)).astype("float32")
    rows = np.concatenate([x.reshape(-1, 7), np.ones((1200, 1))], axis=1)
    moments = {"it": dict.fromkeys(("query", "key", "value"), rows.T @ rows / len(rows))}

    def products(factors):
        layer, weights = model.get_layer("it"), factors.steps[0].weights
        before = [value_of(layer.query_dense.kernel), value_of(layer.query_dense.bias)]
        before += [value_of(layer.key_dense.kernel), value_of(layer.key_dense.bias)]
        found = []
        for kernel, bias, key, key_bias in (before, weights[:4]):
            q, k = (np.concatenate([w, b[None]]) for w, b in ((kernel, bias), (key, key_bias)))
            q, k = np.einsum("nd,dhk->nhk", rows, q), np.einsum("nd,dhk->nhk", rows, k)
            found.append(np.einsum("nhk,mhk->hnm", q, k) / np.sqrt(q.shape[-1]))
        return np.linalg.norm(found[1] - found[0]) / np.linalg.norm(found[0])

    errors = [
        products(next(iter(factors_in(model, Amount(1), moments=given).values())))
        for given in (None, moments)
    ]
    assert errors[1] < 0.7 * errors[0]
