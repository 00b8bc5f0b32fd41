"""The losses of transformers on transformers of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.signals.addresses import resolve
from keras_kd.signals.recording import record
from tests.losses.batches import value, vectors
from tests.oracles.row import softmax
from tests.oracles.tokens import scores

ATTENTION = ("attention/query", "attention/key", "attention/value")


def transformer(heads, width, name):
    inputs = keras.Input((6,), dtype="int32")
    tokens = keras.layers.Embedding(20, 8, mask_zero=True, name="embedding")(inputs)
    attended = keras.layers.MultiHeadAttention(heads, width, name="attention")(tokens, tokens)
    pooled = keras.layers.GlobalAveragePooling1D()(attended)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(pooled), name=name)


def sentences():
    random = np.random.default_rng(0)
    tokens = random.integers(1, 20, (32, 6))
    return np.where(np.arange(6) < random.integers(2, 7, (32, 1)), tokens, 0), random.integers(0, 3, 32)


def test_the_scores_are_those_of_the_layer():
    keras.utils.set_random_seed(0)
    layer = keras.layers.MultiHeadAttention(2, 4, name="attention")
    (tokens,) = vectors(0, (3, 5, 8))
    inputs = keras.Input((5, 8))
    model = keras.Model(inputs, layer(inputs, inputs))
    assert set(ATTENTION) <= set(kd.tap_names(model))
    taps = [resolve(model, tap)[0] for tap in ATTENTION[:2]]
    with record(taps) as recording:
        _, probabilities = layer(tokens, tokens, return_attention_scores=True)
    query, key = (np.asarray(recording.of(tap)[-1].outputs) for tap in taps)
    np.testing.assert_allclose(softmax(scores((query, key))), probabilities, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "taps", "heads"),
    [
        (kd.losses.AttentionMaps(), ATTENTION[:2], 2),
        (kd.losses.AttentionMaps("kl"), ATTENTION[:2], 2),
        (kd.losses.SelfAttentionRelations(), ATTENTION, 4),
    ],
    ids=["maps", "maps_kl", "relations"],
)
def test_a_transformer_learns_from_a_transformer(loss, taps, heads):
    keras.utils.set_random_seed(0)
    x, y = sentences()
    teacher = transformer(2, 8, "teacher")
    embedding = teacher.get_layer("embedding")
    embedding.set_weights([vectors(0, (20, 8))[0]])  # as large as after training, so that it attends
    objective = kd.Objective(loss, student=taps, teacher=taps, weight=10, name="attention")
    distiller = kd.Distiller(transformer(heads, 4, "student"), teacher, [objective])
    distiller.compile(
        keras.optimizers.Adam(0.02), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    values = []
    for _ in range(60):
        distiller.reset_metrics()
        values.append(distiller.train_on_batch(x, y, return_dict=True)["attention"])
    assert values[-1] < values[0] / 2


def test_padding_does_not_reach_the_attention_losses():
    keras.utils.set_random_seed(0)
    x, _ = sentences()
    model = transformer(2, 8, "teacher")
    layers = [resolve(model, tap)[0] for tap in ATTENTION]
    with record(layers) as recording:
        model(tf.constant(x))
    signal = tuple(np.asarray(recording.of(layer)[-1].outputs) for layer in layers)
    random = np.random.default_rng(1)
    mask = x > 0
    noise = tuple(np.where(mask[:, :, None, None], v, random.normal(size=v.shape)) for v in signal)
    for loss, parts in ((kd.losses.AttentionMaps(), 2), (kd.losses.SelfAttentionRelations(), 3)):
        assert value(loss, signal[:parts], noise[:parts], mask=mask) == pytest.approx(0, abs=1e-6)
        assert value(loss, signal[:parts], noise[:parts]) > 1e-4
