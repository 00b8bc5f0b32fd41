"""Rows of the losses that read the labels beside the outputs, and of those that judge the teacher.

The oracles go row by row and take the right class out of the vectors.
"""

import numpy as np

import keras_kd as kd
from tests.oracles.measurement import LABELLED_LOGITS, Cost, train_labelled
from tests.oracles.row import Labels, Row, keys, log_softmax, rest, softmax

CASES = ("logits/plain", "logits/confident", "logits/many")


def by_row(compare):
    """An oracle from a function of one row of logits of each side and its label."""

    def oracle(signals, s):
        t, labels = signals
        rows = zip(t.reshape(-1, t.shape[-1]), s.reshape(-1, s.shape[-1]), labels.ravel(), strict=True)
        return rest(np.array([compare(*row) for row in rows]).reshape(labels.shape))

    return oracle


def divergence(p, q):
    return float((p * np.log(p / q)).sum())


def without(z, y):
    """The distribution over the other classes."""
    return softmax(np.delete(z, y))


def decoupled(alpha, beta, temperature):
    def compare(t, s, y):
        t, s = t / temperature, s / temperature
        two = [np.array([softmax(z)[y], np.delete(softmax(z), y).sum()]) for z in (t, s)]
        return temperature**2 * (alpha * divergence(*two) + beta * divergence(without(t, y), without(s, y)))

    return by_row(compare)


def normalized(gamma, temperature):
    def compare(t, s, y):
        others = without(t / temperature, y) @ np.log(without(s / temperature, y))
        return -softmax(t)[y] * log_softmax(s)[y] - gamma * temperature**2 * others

    return by_row(compare)


def behind(t, s, y):
    """The weight of WSLD."""
    return 1 - np.exp(-log_softmax(s)[y] / (log_softmax(t)[y] - 1e-7))


def weighted(temperature, at=None):
    """WSLD; with its weights taken at another student, `at`, since they have no gradient."""

    def soft(t, s, y):
        return -(softmax(t / temperature) @ log_softmax(s / temperature)) * temperature**2

    def oracle(signals, s):
        t, labels = signals
        weighed = s if at is None else at
        rows = zip(*(z.reshape(-1, z.shape[-1]) for z in (t, weighed, s)), labels.ravel(), strict=True)
        values = [behind(a, b, y) * soft(a, c, y) for a, b, c, y in rows]
        return rest(np.array(values).reshape(labels.shape))

    return oracle


def bounded(margin):
    def oracle(signals, s):
        t, y = signals
        of_teacher, of_student = (np.linalg.norm(v - y, axis=-1) ** 2 for v in (t, s))
        return rest(np.where(of_teacher - of_student < margin, of_student, 0.0))

    return oracle


def filtered(threshold, labelled):
    """Soft targets at T=4 of the positions kept, averaged over them."""

    def oracle(signals, s):
        t, labels = signals if labelled else (signals, None)
        kept = softmax(t).max(-1) >= threshold
        if labelled:
            kept &= t.argmax(-1) == labels
        p, log_p, log_q = softmax(t / 4), log_softmax(t / 4), log_softmax(s / 4)
        values = np.where(kept, 16 * (p * (log_p - log_q)).sum(-1), 0).reshape(len(s), -1)
        return values.sum(-1) / np.maximum(kept.reshape(len(s), -1).sum(-1), 1)

    return oracle


LABELLED = {
    "positions": "mean",
    "teacher": [(10,), Labels(10)],
    "student": (10,),
    "as_keras_loss": False,
    "tokens": ([(5, 10), Labels(10, (5,))], (5, 10)),
}
# of few classes, so that a random teacher is right now and then
JUDGED = LABELLED | {
    "positions": "kept",
    "teacher": [(2,), Labels(2)],
    "student": (2,),
    "tokens": ([(5, 2), Labels(2, (5,))], (5, 2)),
}
REGRESSION = {
    "positions": "mean",
    "teacher": [(3,), (3,)],
    "student": (3,),
    "as_keras_loss": False,
    "imitate": lambda signals: signals[0],
    "tokens": ([(5, 3), (5, 3)], (5, 3)),
}
CROSS_ENTROPY = {"zero_at_teacher": False, "least_at_teacher": False}

ROWS = {
    "DecoupledKD": Row(
        kd.losses.DecoupledKD,
        decoupled(1, 8, 4),
        **LABELLED,
        references=keys(CASES, "dkd_a1_b8_T4"),
        training=train_labelled(kd.losses.DecoupledKD),
        cost=LABELLED_LOGITS,
    ),
    "DecoupledKD, of tokens": Row(
        lambda: kd.losses.DecoupledKD(alpha=0.5, beta=2, temperature=1.5),
        decoupled(0.5, 2, 1.5),
        **LABELLED | {"teacher": [(4, 10), Labels(10, (4,))], "student": (4, 10)},
    ),
    "NormalizedKD": Row(
        kd.losses.NormalizedKD,
        normalized(1.5, 1),
        **LABELLED,
        **CROSS_ENTROPY,
        references=keys(CASES, "nkd_g1.5_T1"),
        training=train_labelled(kd.losses.NormalizedKD),
        cost=LABELLED_LOGITS,
    ),
    "NormalizedKD, T=3": Row(
        lambda: kd.losses.NormalizedKD(3.5, 3.0), normalized(3.5, 3), **LABELLED, **CROSS_ENTROPY
    ),
    "WeightedSoftLabels": Row(
        kd.losses.WeightedSoftLabels,
        weighted(2.0),
        **LABELLED,
        **CROSS_ENTROPY,
        frozen=lambda signals, s: weighted(2.0, at=s),
        training=train_labelled(kd.losses.WeightedSoftLabels),
        cost=LABELLED_LOGITS,
    ),
    "BoundedRegression": Row(
        kd.losses.BoundedRegression,
        bounded(0.0),
        **REGRESSION,
        training=train_labelled(kd.losses.BoundedRegression, task="value"),
        cost=Cost(["vector", "vector"], "vector"),
    ),
    "BoundedRegression, with a margin": Row(
        lambda: kd.losses.BoundedRegression(margin=0.5),
        bounded(0.5),
        **REGRESSION,
        zero_at_teacher=False,
        least_at_teacher=False,
    ),
    "ConfidenceFiltered": Row(
        kd.losses.ConfidenceFiltered,
        filtered(0.0, labelled=True),
        **JUDGED,
        training=train_labelled(lambda: kd.losses.ConfidenceFiltered("soft_targets", threshold=0.5)),
        cost=Cost(["logits", "labels"], "logits", lambda sizes: kd.losses.ConfidenceFiltered(threshold=0.5)),
    ),
    "ConfidenceFiltered, by threshold": Row(
        lambda: kd.losses.ConfidenceFiltered(kd.losses.SoftTargets(), threshold=0.3),
        filtered(0.3, labelled=False),
        (10,),
        (10,),
        positions="kept",
        tokens=((5, 10), (5, 10)),
    ),
    "ConfidenceFiltered, by both": Row(
        lambda: kd.losses.ConfidenceFiltered("soft_targets", threshold=0.6),
        filtered(0.6, labelled=True),
        **JUDGED,
    ),
}
