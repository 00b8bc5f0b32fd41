"""Rows of the losses that read outputs."""

import numpy as np

import keras_kd as kd
from tests.oracles.measurement import LOGITS, train_output
from tests.oracles.row import Row, keys, log_softmax, rest, softmax

CASES = ("logits/plain", "logits/confident", "logits/many")


def kl(temperature):
    def oracle(t, s):
        p, log_q = softmax(t / temperature), log_softmax(s / temperature)
        return rest(temperature**2 * (p * (log_softmax(t / temperature) - log_q)).sum(-1))

    return oracle


def standardized(t, s):
    def z(x):
        return (x - x.mean(-1, keepdims=True)) / (x.std(-1, ddof=1, keepdims=True) + 1e-7)

    return kl(2.0)(z(t), z(s))


def cross_entropy(t, s):
    log_q = log_softmax(s).reshape(-1, s.shape[-1])
    chosen = t.reshape(-1, t.shape[-1]).argmax(-1)
    return rest(-log_q[np.arange(len(chosen)), chosen].reshape(s.shape[:-1]))


def squared(t, s):
    return rest((t - s) ** 2)


def binary(temperature):
    """From the probabilities of yes and of no, the latter as the sigmoid of the opposite logit."""

    def oracle(t, s):
        answers = []
        for sign in (1, -1):
            p, q = (1 / (1 + np.exp(-sign * z / temperature)) for z in (t, s))
            answers.append(p * np.log(p / q))
        return rest(temperature**2 * sum(answers).sum(-1))

    return oracle


def jensen_shannon(beta, temperature):
    def divergence(p, q):
        return (p * np.log(p / q)).sum(-1)

    def oracle(t, s):
        p, q = softmax(t / temperature), softmax(s / temperature)
        if beta in (0, 1):
            values = divergence(q, p) if beta else divergence(p, q)
        else:
            mixed = beta * p + (1 - beta) * q
            values = beta * divergence(p, mixed) + (1 - beta) * divergence(q, mixed)
        return rest(temperature**2 * values)

    return oracle


TOKENS = ((5, 10), (5, 10))

ROWS = {
    "SoftTargets": Row(
        kd.losses.SoftTargets,
        kl(4.0),
        (10,),
        (10,),
        references=keys(CASES, "kd_T4"),
        positions="mean",
        tokens=TOKENS,
        training=train_output(kd.losses.SoftTargets),
        cost=LOGITS,
    ),
    "SoftTargets, T=1": Row(
        lambda: kd.losses.SoftTargets(1.0),
        kl(1.0),
        (10,),
        (10,),
        references=keys(CASES, "kd_T1"),
        positions="mean",
        tokens=TOKENS,
    ),
    "SoftTargets, T=20": Row(
        lambda: kd.losses.SoftTargets(20),
        kl(20.0),
        (4, 10),
        (4, 10),
        references=keys(CASES, "kd_T20"),
        positions="mean",
        tokens=TOKENS,
    ),
    "SoftTargets, standardized": Row(
        lambda: kd.losses.SoftTargets(2.0, standardize=True),
        standardized,
        (10,),
        (10,),
        references=keys(CASES, "lskd_T2"),
        positions="mean",
        tokens=TOKENS,
    ),
    "HardTargets": Row(
        kd.losses.HardTargets,
        cross_entropy,
        (10,),
        (10,),
        zero_at_teacher=False,
        least_at_teacher=False,
        positions="mean",
        tokens=TOKENS,
        training=train_output(kd.losses.HardTargets),
        cost=LOGITS,
    ),
    "LogitsMSE": Row(
        kd.losses.LogitsMSE,
        squared,
        (10,),
        (10,),
        references=keys(CASES, "logit_mse"),
        positions="mean",
        tokens=TOKENS,
        training=train_output(kd.losses.LogitsMSE),
        cost=LOGITS,
    ),
    "BinarySoftTargets": Row(
        kd.losses.BinarySoftTargets,
        binary(1.0),
        (10,),
        (10,),
        positions="mean",
        tokens=TOKENS,
        training=train_output(lambda: kd.losses.BinarySoftTargets(1.0), task="attributes"),
        cost=LOGITS,
    ),
    "BinarySoftTargets, one class, T=4": Row(
        lambda: kd.losses.BinarySoftTargets(4.0),
        binary(4.0),
        (1,),
        (1,),
        positions="mean",
        tokens=((5, 1), (5, 1)),
    ),
    "JensenShannon": Row(
        kd.losses.JensenShannon,
        jensen_shannon(0.5, 1.0),
        (10,),
        (10,),
        positions="mean",
        tokens=TOKENS,
        training=train_output(kd.losses.JensenShannon),
        cost=LOGITS,
    ),
    "JensenShannon, beta=0.1, T=3": Row(
        lambda: kd.losses.JensenShannon(0.1, 3.0),
        jensen_shannon(0.1, 3.0),
        (10,),
        (10,),
        positions="mean",
        tokens=TOKENS,
    ),
    # The reduction of TRL at its ends, and ours, is that of the KL
    "JensenShannon, forward": Row(
        lambda: kd.losses.JensenShannon(0.0, 4.0),
        jensen_shannon(0, 4.0),
        (10,),
        (10,),
        references=keys(CASES, "kd_T4"),
        positions="mean",
        tokens=TOKENS,
    ),
    "JensenShannon, reverse": Row(
        lambda: kd.losses.JensenShannon(1.0),
        jensen_shannon(1, 1.0),
        (4, 10),
        (4, 10),
        positions="mean",
        tokens=TOKENS,
    ),
}
