"""Rows of the losses that read how outputs vary together."""

import numpy as np

import keras_kd as kd
from tests.oracles.logits import kl
from tests.oracles.measurement import LOGITS, train_output
from tests.oracles.row import Row, keys, rest, softmax

CASES = ("logits/plain", "logits/confident", "logits/many")


def pearson(a, b):
    """Of two vectors, as the reference damps it."""
    a, b = a - a.mean(), b - b.mean()
    return (a @ b) / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-8)


def dist(beta, gamma, temperature):
    def oracle(t, s):
        p, q = softmax(t / temperature), softmax(s / temperature)
        rows, columns = ([z.reshape(-1, z.shape[-1]) for z in (p, q)] for _ in range(2))
        within = rest(
            np.array([1 - pearson(*pair) for pair in zip(*rows, strict=True)]).reshape(t.shape[:-1])
        )
        across = np.mean([1 - pearson(*pair) for pair in zip(*(z.T for z in columns), strict=True)])
        return temperature**2 * (beta * within + gamma * across)

    return oracle


def together(p):
    """Which classes go together: the mean over positions, summed over samples."""
    p = p.reshape(len(p), -1, p.shape[-1])
    return sum(sample.T @ sample / len(sample) for sample in p)


def alike(p):
    """Which samples look alike: the mean over positions of the product of their rows."""
    p = p.reshape(len(p), -1, p.shape[-1])
    return np.array([[(a * b).sum(-1).mean() for b in p] for a in p])


def class_correlation(temperature):
    def oracle(t, s):
        apart = together(softmax(t / temperature)) - together(softmax(s / temperature))
        return np.full(len(t), (apart**2).sum() / t.shape[-1])

    return oracle


def batch_correlation(temperature):
    def oracle(t, s):
        return ((alike(softmax(t / temperature)) - alike(softmax(s / temperature))) ** 2).sum(-1)

    return oracle


def multi_level(temperatures):
    terms = [make(t) for t in temperatures for make in (kl, class_correlation, batch_correlation)]
    return lambda t, s: sum(term(t, s) for term in terms)


MIXING = {"teacher": (10,), "student": (10,), "mixes_samples": True, "tokens": ((5, 10), (5, 10))}

ROWS = {
    "DIST": Row(
        kd.losses.DIST,
        dist(1, 1, 1),
        **MIXING,
        references=keys(CASES, "dist_b1_g1_T1"),
        training=train_output(kd.losses.DIST),
        cost=LOGITS,
    ),
    "DIST, T=4": Row(
        lambda: kd.losses.DIST(2.0, 2.0, 4.0),
        dist(2, 2, 4),
        **MIXING,
        # the reference's 1e-8 in the denominator leaves T^2 1e-8 / variance, here 3e-4
        zero_at_teacher=False,
        references=keys(CASES, "dist_b2_g2_T4"),
    ),
    "DIST, of tokens": Row(
        kd.losses.DIST, dist(1, 1, 1), **MIXING | {"teacher": (4, 10), "student": (4, 10)}
    ),
    "ClassCorrelation": Row(
        kd.losses.ClassCorrelation,
        class_correlation(4),
        **MIXING,
        references=keys(CASES, "class_corr_T4"),
        training=train_output(kd.losses.ClassCorrelation, rate=2e-2),
        cost=LOGITS,
    ),
    "ClassCorrelation, of maps": Row(
        lambda: kd.losses.ClassCorrelation(1.0),
        class_correlation(1),
        **MIXING | {"teacher": (2, 3, 4), "student": (2, 3, 4)},
    ),
    "BatchCorrelation": Row(
        kd.losses.BatchCorrelation,
        batch_correlation(4),
        **MIXING,
        references=keys(CASES, "batch_corr_T4"),
        training=train_output(kd.losses.BatchCorrelation, rate=2e-2),
        cost=LOGITS,
    ),
    "BatchCorrelation, of maps": Row(
        lambda: kd.losses.BatchCorrelation(1.0),
        batch_correlation(1),
        **MIXING | {"teacher": (2, 3, 4), "student": (2, 3, 4)},
    ),
    "MultiLevelLogits": Row(
        kd.losses.MultiLevelLogits,
        multi_level((2, 3, 4, 5, 6)),
        **MIXING,
        training=train_output(kd.losses.MultiLevelLogits),
        cost=LOGITS,
    ),
    "MultiLevelLogits, of tokens": Row(
        lambda: kd.losses.MultiLevelLogits([1, 2.5]),
        multi_level((1, 2.5)),
        **MIXING | {"teacher": (4, 10), "student": (4, 10)},
    ),
}
