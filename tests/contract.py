"""One table of losses: each row buys every test of `tests/losses/test_contract.py`.

An exported loss without a row fails. The oracles are NumPy float64 and share no code with the losses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

import keras_kd as kd


@dataclass(frozen=True)
class Row:
    """A loss, its oracle, and inputs that it takes."""

    make: Callable[[], keras.losses.Loss]
    oracle: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (teacher, student) -> (batch,)
    teacher: tuple[int, ...]  # shape without the batch
    student: tuple[int, ...]
    zero_at_teacher: bool = True
    mixes_samples: bool = False  # the row of a sample depends on the rest of the batch
    as_keras_loss: bool = True  # one argument shape: fits compile(loss=...) and FeatureDistillation
    references: dict[str, str] = field(default_factory=dict)  # case in tests/data/losses.npz -> key


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def rest(values):
    return values.reshape(len(values), -1).mean(-1)


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


def pooled(maps, size):
    b, h, w, c = maps.shape
    return maps.reshape(b, size, h // size, size, w // size, c).mean((2, 4))


def attention(t, s, p=2):
    size = min(t.shape[1], s.shape[1])
    t, s = ((np.abs(pooled(x, size)) ** p).mean(-1).reshape(len(x), -1) for x in (t, s))
    t, s = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (t, s))
    return ((t - s) ** 2).mean(-1)


def similarity(t, s):
    def rows(x):
        x = x.reshape(len(x), -1)
        gram = x @ x.T
        return gram / np.linalg.norm(gram, axis=1, keepdims=True)

    return ((rows(t) - rows(s)) ** 2).mean(-1)


LOGITS = ("logits/plain", "logits/confident", "logits/many")
MAPS = ("maps/same", "maps/channels", "maps/space")


def keys(cases, key):
    return dict.fromkeys(cases, key)


LOSSES = {
    "SoftTargets": Row(kd.losses.SoftTargets, kl(4.0), (10,), (10,), references=keys(LOGITS, "kd_T4")),
    "SoftTargets, T=1": Row(
        lambda: kd.losses.SoftTargets(1.0), kl(1.0), (10,), (10,), references=keys(LOGITS, "kd_T1")
    ),
    "SoftTargets, T=20": Row(
        lambda: kd.losses.SoftTargets(20), kl(20.0), (4, 10), (4, 10), references=keys(LOGITS, "kd_T20")
    ),
    "SoftTargets, standardized": Row(
        lambda: kd.losses.SoftTargets(2.0, standardize=True),
        standardized,
        (10,),
        (10,),
        references=keys(LOGITS, "lskd_T2"),
    ),
    "HardTargets": Row(kd.losses.HardTargets, cross_entropy, (10,), (10,), zero_at_teacher=False),
    "LogitsMSE": Row(kd.losses.LogitsMSE, squared, (10,), (10,), references=keys(LOGITS, "logit_mse")),
    "Elementwise": Row(
        kd.losses.Elementwise,
        squared,
        (6, 6, 5),
        (6, 6, 5),
        references={"maps/same": "fitnet_mse"},
    ),
    "Elementwise, pooled": Row(
        lambda: kd.losses.Elementwise("mae"),
        lambda t, s: rest(np.abs(pooled(t, 3) - s)),
        (6, 6, 5),
        (3, 3, 5),
        zero_at_teacher=False,
        as_keras_loss=False,
    ),
    "AttentionTransfer": Row(
        kd.losses.AttentionTransfer, attention, (6, 6, 5), (6, 6, 3), references=keys(MAPS, "at_p2")
    ),
    "AttentionTransfer, p=1": Row(
        lambda: kd.losses.AttentionTransfer(p=1), lambda t, s: attention(t, s, 1), (6, 6, 5), (3, 3, 4)
    ),
    "SimilarityPreserving": Row(
        kd.losses.SimilarityPreserving,
        similarity,
        (7,),
        (5,),
        mixes_samples=True,
        references=keys((*MAPS, "vectors/same", "vectors/dims"), "sp"),
    ),
}
