"""Rows of the losses that read transformers."""

import numpy as np

import keras_kd as kd
from tests.oracles.measurement import Cost, train_attention, train_feature
from tests.oracles.row import Factor, Row, log_softmax, rest, softmax

ATTENTION = [(5, 2, 4)] * 2
STUDENT = [(5, 2, 3)] * 2
RELATIONS = [(5, 2, 4)] * 3
OTHER_HEADS = [(5, 3, 4)] * 3


def cosine(t, s):
    products = (t * s).sum(-1)
    return rest(1 - products / np.linalg.norm(t, axis=-1) / np.linalg.norm(s, axis=-1))


def scores(signal):
    if not isinstance(signal, tuple):
        return np.where(signal <= -100, 0, signal)
    query, key = (x.transpose(0, 2, 1, 3) for x in signal)
    return query @ key.transpose(0, 1, 3, 2) / np.sqrt(query.shape[-1])


def attention(t, s):
    return rest((scores(t) - scores(s)) ** 2)


def divergence(t, s):
    return rest((softmax(t) * (log_softmax(t) - log_softmax(s))).sum(-1))


def relations(heads):
    def scaled(x):
        x = x.reshape(*x.shape[:2], -1)
        parts = np.stack(np.split(x, heads, axis=-1), axis=1)
        return parts @ parts.transpose(0, 1, 3, 2) / np.sqrt(parts.shape[-1])

    return lambda t, s: sum(divergence(scaled(a), scaled(b)) for a, b in zip(t, s, strict=True))


ROWS = {
    "CosineHidden": Row(
        kd.losses.CosineHidden,
        cosine,
        (7,),
        (7,),
        positions="mean",
        tokens=((5, 4), (5, 4)),
        training=train_feature(kd.losses.CosineHidden, "hidden", project=True, task="tokens"),
        cost=Cost("tokens", "tokens"),
    ),
    "CosineHidden, tokens": Row(
        kd.losses.CosineHidden, cosine, (5, 4), (5, 4), positions="mean", tokens=((5, 4), (5, 4))
    ),
    "AttentionMaps": Row(
        kd.losses.AttentionMaps,
        attention,
        (2, 5, 5),
        (2, 5, 5),
        tokens=(ATTENTION, STUDENT),
        training=train_attention(kd.losses.AttentionMaps, "query", "key"),
        cost=Cost(["heads"] * 2, ["heads"] * 2),
    ),
    "AttentionMaps, query and key": Row(
        kd.losses.AttentionMaps,
        attention,
        # The score is what is squared, and float16 does not hold the gradient of the square of 1e8.
        [Factor((5, 2, 4))] * 2,
        [Factor((5, 2, 3))] * 2,
        as_keras_loss=False,
        tokens=(ATTENTION, STUDENT),
    ),
    "AttentionMaps, kl": Row(
        lambda: kd.losses.AttentionMaps(distance="kl"),
        lambda t, s: divergence(scores(t), scores(s)),
        ATTENTION,
        STUDENT,
        as_keras_loss=False,
        tokens=(ATTENTION, STUDENT),
    ),
    "SelfAttentionRelations": Row(
        kd.losses.SelfAttentionRelations,
        relations(2),
        RELATIONS,
        OTHER_HEADS,
        as_keras_loss=False,
        tokens=(RELATIONS, OTHER_HEADS),
        training=train_attention(kd.losses.SelfAttentionRelations, "query", "key", "value"),
        cost=Cost(["heads"] * 3, ["heads"] * 3),
    ),
    "SelfAttentionRelations, heads=4": Row(
        lambda: kd.losses.SelfAttentionRelations(heads=4),
        relations(4),
        [(5, 16), (5, 2, 4)],
        [(5, 8), (5, 4, 3)],
        as_keras_loss=False,
        tokens=([(5, 16), (5, 2, 4)], [(5, 8), (5, 4, 3)]),
    ),
}
