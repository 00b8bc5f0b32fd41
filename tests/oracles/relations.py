"""Rows of the losses that read the batch."""

import math
from itertools import pairwise

import numpy as np

import keras_kd as kd
from tests.oracles.measurement import VECTOR, Cost, train_feature
from tests.oracles.row import Drawn, Fixed, Labels, Row, keys, log_softmax

CASES = ("vectors/same", "vectors/dims")
MAPS = ("maps/same", "maps/channels", "maps/space")
TOKENS = ((5, 4), (5, 3))


def similarity(t, s):
    def rows(x):
        x = x.reshape(len(x), -1)
        gram = x @ x.T
        return gram / np.linalg.norm(gram, axis=1, keepdims=True)

    return ((rows(t) - rows(s)) ** 2).mean(-1)


def between(x):
    """Vectors from sample to sample: `(at, to, everything else)`."""
    x = x.reshape(len(x), -1)
    return x[None, :] - x[:, None]


def huber(x):
    return np.where(np.abs(x) < 1, x**2 / 2, np.abs(x) - 0.5)


def rkd_distance(t, s):
    def relative(x):
        d = np.linalg.norm(between(x), axis=-1)
        return d / d[~np.eye(len(d), dtype=bool)].mean()

    return huber(relative(s) - relative(t)).mean(-1)


def rkd_angle(t, s):
    def cosines(x):
        e = between(x)
        e = e / np.maximum(np.linalg.norm(e, axis=-1, keepdims=True), 1e-12)
        return e @ e.transpose(0, 2, 1)

    return huber(cosines(s) - cosines(t)).mean((1, 2))


def unit(x):
    x = x.reshape(len(x), -1)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def pkt(t, s):
    def probabilities(x):
        k = (unit(x) @ unit(x).T + 1) / 2
        return k / k.sum(-1, keepdims=True)

    p, q = probabilities(t), probabilities(s)
    return (p * np.log((p + 1e-7) / (q + 1e-7))).mean(-1)


def correlation(gamma, order):
    def oracle(t, s):
        def kernel(x):
            c = unit(x) @ unit(x).T
            return sum(
                math.exp(-2 * gamma) * (2 * gamma) ** p / math.factorial(p) * c**p for p in range(order + 1)
            )

        return ((kernel(t) - kernel(s)) ** 2).mean(-1)

    return oracle


def neighbours(t, s):
    gaps = np.abs(t - s).reshape(len(t), -1)
    rows = np.zeros(len(t))
    for i in range(len(t) - 1):
        pair = gaps[i] @ gaps[i + 1] / (len(t) - 1)
        rows[i : i + 2] += pair * len(t) / 2
    return rows


def graph(vertices, edges, transformation):
    def relative_edges(x):
        d = (between(x) ** 2).sum(-1)
        return d / d.max()

    def moves(features):
        found = []
        for a, b in pairwise(features):
            if a.ndim == b.ndim:
                d = ((halved(a, b) - halved(b, a)) ** 2).reshape(len(a), -1).sum(-1)
                found.append(d / d.max())
        return found

    def oracle(t, s):
        value = vertices * ((t[-1] - s[-1]) ** 2).reshape(len(t[-1]), -1).mean(-1)
        rows = [((relative_edges(a) - relative_edges(b)) ** 2).mean(-1) for a, b in zip(t, s, strict=True)]
        value = value + edges * np.mean(rows[:-1], axis=0)
        of_teacher, of_student = moves(t[:-1]), moves(s[:-1])
        gaps = [(a - b) ** 2 for a, b in zip(of_teacher, of_student, strict=True)]
        return value + (transformation * np.mean(gaps, axis=0) if gaps else 0)

    return oracle


def halved(a, b):
    """A map twice as large and with twice the channels, brought to the other's shape."""
    if a.ndim == 4 and a.shape[1] > b.shape[1]:
        a = (a[:, 0::2, 0::2] + a[:, 1::2, 0::2] + a[:, 0::2, 1::2] + a[:, 1::2, 1::2]) / 4
    return (a[..., 0::2] + a[..., 1::2]) / 2 if a.shape[-1] > b.shape[-1] else a


def info_nce(temperature):
    def oracle(teacher, student):
        features, *others = teacher if isinstance(teacher, tuple) else (teacher,)
        bank, negative = unit(features), ~np.eye(len(student), dtype=bool)
        if len(others) == 1:
            negative = others[0][None, :] != others[0][:, None]
        elif others:
            bank, negative = unit(others[0]), others[1].astype(bool)
        rows = []
        for i, s in enumerate(unit(student)):
            cosines = np.concatenate([[s @ unit(features)[i]], bank[negative[i]] @ s])
            rows.append(-log_softmax(cosines / temperature)[0])
        return np.array(rows)

    return oracle


def negatives(random, batch):
    return random.random((batch, 9)) < 0.6


def relation(make, oracle, key, cases=CASES, **more):
    """A row of a loss that compares what each model says about the batch, in any two widths."""
    references = keys(cases, key) if key else {}
    return Row(make, oracle, (7,), (5,), mixes_samples=True, references=references, tokens=TOKENS, **more)


def contrast(teacher, **more):
    return Row(
        kd.losses.ContrastiveRepresentation,
        info_nce(0.07),
        teacher,
        (7,),
        zero_at_teacher=False,
        least_at_teacher=False,
        mixes_samples=True,
        **more,
    )


ROWS = {
    "SimilarityPreserving": relation(
        kd.losses.SimilarityPreserving,
        similarity,
        "sp",
        cases=(*MAPS, *CASES),
        training=train_feature(kd.losses.SimilarityPreserving, "pool"),
        cost=VECTOR,
    ),
    "RelationalDistance": relation(
        kd.losses.RelationalDistance,
        rkd_distance,
        "rkd_distance",
        training=train_feature(kd.losses.RelationalDistance, "pool"),
        cost=VECTOR,
    ),
    "RelationalAngle": relation(
        kd.losses.RelationalAngle,
        rkd_angle,
        "rkd_angle",
        training=train_feature(kd.losses.RelationalAngle, "pool"),
        cost=VECTOR,
    ),
    "ProbabilisticTransfer": relation(
        kd.losses.ProbabilisticTransfer,
        pkt,
        "pkt",
        training=train_feature(kd.losses.ProbabilisticTransfer, "pool"),
        cost=VECTOR,
    ),
    "CorrelationCongruence": relation(
        kd.losses.CorrelationCongruence,
        correlation(0.4, 2),
        None,
        training=train_feature(kd.losses.CorrelationCongruence, "pool", project=True),
        cost=VECTOR,
    ),
    "CorrelationCongruence, order=4": relation(
        lambda: kd.losses.CorrelationCongruence(gamma=0.8, order=4), correlation(0.8, 4), None
    ),
    "CorrelationCongruence, neighbours": Row(
        lambda: kd.losses.CorrelationCongruence(kernel="neighbours"),
        neighbours,
        (7,),
        (7,),
        mixes_samples=True,
        reads_order=True,
        references={"vectors/same": "cc_delta"},
        tokens=((5, 4), (5, 4)),
    ),
    "InstanceRelationshipGraph": Row(
        kd.losses.InstanceRelationshipGraph,
        graph(0.1, 5, 5),
        [(4, 4, 4), (2, 2, 4), (5,), (10,)],
        [(8, 8, 3), (4, 4, 6), (4,), (10,)],
        mixes_samples=True,
        as_keras_loss=False,
        tokens=([(5, 4), (5, 4), (5, 3)], [(5, 3), (5, 6), (5, 3)]),
        training=train_feature(kd.losses.InstanceRelationshipGraph, ("stage1", "stage2", "output")),
        cost=Cost(["map", "small map", "logits"], ["map", "small map", "logits"]),
    ),
    "InstanceRelationshipGraph, vectors": Row(
        lambda: kd.losses.InstanceRelationshipGraph(1.0, 2.0, 3.0),
        graph(1, 2, 3),
        [(8,), (4,), (4,), (3,)],
        [(5,), (5,), (10,), (3,)],
        mixes_samples=True,
        as_keras_loss=False,
        tokens=([(5, 4), (5, 4), (5, 3)], [(5, 3), (5, 6), (5, 3)]),
    ),
    "ContrastiveRepresentation": contrast(
        (7,),
        training=train_feature(kd.losses.ContrastiveRepresentation, "pool", project=kd.projections.Regressor),
        cost=VECTOR,
    ),
    "ContrastiveRepresentation, labels": contrast([(7,), Labels(3)], as_keras_loss=False),
    "ContrastiveRepresentation, bank": contrast(
        [(7,), Fixed((9, 7)), Drawn(negatives)], as_keras_loss=False, imitate=lambda t: t[0]
    ),
}
