"""Rows of the losses that read maps."""

import itertools

import numpy as np

import keras_kd as kd
from tests.oracles.measurement import MAP, Cost, train_feature
from tests.oracles.row import Fixed, Row, keys, log_softmax, pooled, softmax

CASES = ("maps/same", "maps/channels", "maps/space")


def smaller(t, s):
    """Both maps at the height of the lower one; tokens stay."""
    if t.ndim == 4:
        size = min(t.shape[1], s.shape[1])
        t, s = pooled(t, size), pooled(s, size)
    return t, s


def attention(t, s, p=2):
    t, s = smaller(t, s)
    t, s = ((np.abs(x) ** p).mean(-1).reshape(len(x), -1) for x in (t, s))
    t, s = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (t, s))
    return ((t - s) ** 2).mean(-1)


def factors(t, s, p1=2, p2=1):
    def factor(x):
        flat = (x**p1).mean(-1).reshape(len(x), -1)
        return flat / np.linalg.norm(flat, axis=-1, keepdims=True)

    t, s = smaller(t, s)
    return (np.abs(factor(t) - factor(s)) ** p2).mean(-1)


def by_channel(x):
    """`(batch, channels, positions)`."""
    return np.moveaxis(x, -1, 1).reshape(len(x), x.shape[-1], -1)


def unit(x, axis):
    return x / np.linalg.norm(x, axis=axis, keepdims=True)


def selectivity(t, s):
    """Every pair of channels, one by one."""
    t, s = (unit(by_channel(x), -1) for x in smaller(t, s))

    def kernel(a, b):
        pairs = [(a[:, i] * b[:, j]).sum(-1) ** 2 for i in range(a.shape[1]) for j in range(b.shape[1])]
        return np.mean(pairs, axis=0)

    return kernel(t, t) + kernel(s, s) - 2 * kernel(s, t)


def channel_wise(t, s, temperature=4.0):
    t, s = (by_channel(x) / temperature for x in smaller(t, s))
    divergence = (softmax(t) * (log_softmax(t) - log_softmax(s))).sum(-1)
    return temperature**2 * divergence.mean(-1)


def flow(maps):
    matrices = []
    for first, last in itertools.pairwise(maps):
        first, last = (by_channel(x) for x in smaller(first, last))
        matrices.append(np.einsum("bip,bjp->bij", first, last) / first.shape[-1])
    return matrices


def flows(t, s):
    pairs = zip(flow(t), flow(s), strict=True)
    return sum(((a - b) ** 2).mean((1, 2)) for a, b in pairs)


def adaptive(x, size):
    """Adaptive pooling of height and width, cell by cell."""

    def axis_of(x, axis):
        length = x.shape[axis]
        bounds = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
        return np.stack([x.take(range(a, b), axis).mean(axis) for a, b in bounds], axis)

    return axis_of(axis_of(x, 1), 2)


def context(t, s):
    weights, errors = [1.0], [(t - s) ** 2]
    for level in (4, 2, 1):
        if level < t.shape[1]:
            weights.append(weights[-1] / 2)
            errors.append((adaptive(t, level) - adaptive(s, level)) ** 2)
    values = [e.reshape(len(e), -1).mean(-1) for e in errors]
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def contexts(t, s):
    return sum(context(*pair) for pair in zip(t, s, strict=True))


def class_attention(t, s, size=2, normalize=True):
    def maps(signal):
        x = adaptive(signal[0] @ signal[1] if isinstance(signal, tuple) else signal, size)
        return unit(x, (1, 2)) if normalize else x

    return ((maps(t) - maps(s)) ** 2).mean((1, 2, 3))


TOKENS = ((5, 4), (5, 3))
SAME = ((5, 4), (5, 4))

ROWS = {
    "AttentionTransfer": Row(
        kd.losses.AttentionTransfer,
        attention,
        (6, 6, 5),
        (6, 6, 3),
        references=keys(CASES, "at_p2"),
        tokens=TOKENS,
        training=train_feature(kd.losses.AttentionTransfer, "stage2"),
        cost=MAP,
    ),
    "AttentionTransfer, p=1": Row(
        lambda: kd.losses.AttentionTransfer(p=1),
        lambda t, s: attention(t, s, 1),
        (6, 6, 5),
        (3, 3, 4),
        tokens=TOKENS,
    ),
    "FactorTransfer": Row(
        kd.losses.FactorTransfer,
        factors,
        (6, 6, 5),
        (6, 6, 3),
        references=keys(CASES, "ft_like_at_l1"),
        tokens=TOKENS,
        training=train_feature(kd.losses.FactorTransfer, "stage2", project=kd.projections.Regressor),
        cost=MAP,
    ),
    "FactorTransfer, p1=1 and p2=2": Row(
        lambda: kd.losses.FactorTransfer(p1=1, p2=2),
        lambda t, s: factors(t, s, 1, 2),
        (6, 6, 5),
        (3, 3, 4),
        tokens=TOKENS,
    ),
    "FactorTransfer, p1=3 and p2=1.5": Row(
        lambda: kd.losses.FactorTransfer(p1=3, p2=1.5),
        lambda t, s: factors(t, s, 3, 1.5),
        (6, 6, 5),
        (6, 6, 4),
        tokens=TOKENS,
    ),
    "NeuronSelectivity": Row(
        kd.losses.NeuronSelectivity,
        selectivity,
        (6, 6, 5),
        (6, 6, 3),
        references=keys(CASES, "nst"),
        tokens=TOKENS,
        training=train_feature(kd.losses.NeuronSelectivity, "stage2"),
        cost=MAP,
    ),
    "NeuronSelectivity, many channels": Row(
        kd.losses.NeuronSelectivity,
        selectivity,
        (4, 4, 12),
        (2, 2, 9),
        tokens=((5, 9), (5, 12)),
    ),
    "ChannelWise": Row(
        kd.losses.ChannelWise,
        channel_wise,
        (6, 6, 5),
        (6, 6, 5),
        tokens=SAME,
        training=train_feature(lambda: kd.losses.ChannelWise(1.0), "stage2", project=True),
        cost=MAP,
    ),
    "ChannelWise, T=1": Row(
        lambda: kd.losses.ChannelWise(1),
        lambda t, s: channel_wise(t, s, 1.0),
        (6, 6, 5),
        (3, 3, 5),
        tokens=SAME,
    ),
    "SolutionFlow": Row(
        kd.losses.SolutionFlow,
        flows,
        [(6, 6, 5), (3, 3, 4)],
        [(4, 4, 5), (2, 2, 4)],
        as_keras_loss=False,
        half_extreme=30.0,  # the value is of the fourth degree
        tokens=([(5, 4), (5, 3)], [(5, 4), (5, 3)]),
        training=train_feature(kd.losses.SolutionFlow, ("stage1", "stage2"), project=True),
        cost=Cost(["map", "small map"], ["map", "small map"]),
    ),
    "SolutionFlow, three maps": Row(
        kd.losses.SolutionFlow,
        flows,
        [(3, 3, 5), (6, 6, 4), (6, 6, 2)],
        [(6, 6, 5), (6, 6, 4), (3, 3, 2)],
        as_keras_loss=False,
        half_extreme=30.0,
        tokens=([(5, 4), (5, 3), (5, 2)], [(5, 4), (5, 3), (5, 2)]),
    ),
    "HierarchicalContext": Row(
        kd.losses.HierarchicalContext,
        context,
        (8, 8, 5),
        (8, 8, 5),
        references={"maps/same": "hcl"},
        training=train_feature(
            kd.losses.HierarchicalContext, ("stage1", "stage2", "stage3"), project=kd.projections.ReviewFusion
        ),
        cost=MAP,
    ),
    "HierarchicalContext, several maps": Row(
        kd.losses.HierarchicalContext,
        contexts,
        [(7, 7, 3), (4, 4, 4), (1, 1, 5)],
        [(7, 7, 3), (4, 4, 4), (1, 1, 5)],
        as_keras_loss=False,
    ),
    "ClassAttention": Row(
        kd.losses.ClassAttention,
        class_attention,
        [(6, 6, 5), Fixed((5, 10))],
        [(4, 4, 3), Fixed((3, 10))],
        imitate=lambda t: (np.concatenate([t[0], t[0][..., :1]], -1), np.concatenate([t[1], 0 * t[1][:1]])),
        as_keras_loss=False,
        training=train_feature(kd.losses.ClassAttention, ("stage3", "logits/kernel")),
        cost=Cost("class map", "class map"),
    ),
    "ClassAttention, maps": Row(
        kd.losses.ClassAttention,
        class_attention,
        (6, 6, 5),
        (5, 5, 5),
    ),
    "ClassAttention, not normalized": Row(
        lambda: kd.losses.ClassAttention(size=3, normalize=False),
        lambda t, s: class_attention(t, s, 3, False),
        (7, 7, 5),
        (6, 6, 5),
    ),
}
