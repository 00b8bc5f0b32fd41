"""Rows of the losses that read activations position by position."""

from pathlib import Path

import numpy as np

import keras_kd as kd
from tests.oracles.measurement import MAP, Cost, Training, train_feature
from tests.oracles.row import Drawn, Row, pooled, rest

REFERENCE = np.load(Path(__file__).parent.parent / "data" / "losses.npz")
MARGIN = np.array([-0.2, -0.5, -1.0, -0.01, 0.0])
CASE = {"maps/same": "fitnet_mse"}


def total(values):
    """Sum over every axis but the first."""
    return values.reshape(len(values), -1).sum(-1)


def boundary(t, s, margin=1.0):
    """Cases of the paper, one by one."""
    pull_down = ((s > -margin) & (t <= 0)) * (s + margin) ** 2
    pull_up = ((s <= margin) & (t > 0)) * (s - margin) ** 2
    return total(pull_down + pull_up)


def overhaul(margin):
    def oracle(t, s):
        on = (t > 0) * (s - t) ** 2
        between = ((t <= 0) & (t > margin) & (s > t)) * (s - t) ** 2
        below = ((t <= margin) & (s > margin)) * (s - margin) ** 2
        return total(on + between + below)

    return oracle


def likelihood(t, s):
    mean, variance = s
    return rest(((mean - t) ** 2 / variance + np.log(variance)) / 2)


def variances(shape, moves):
    """Positive numbers, large enough that errors of 1e4 over them leave a gradient that float16 holds."""

    def draw(random, batch):
        return random.uniform(30, 90, (batch, *shape) if moves else shape)

    return Drawn(draw, moves)


TOKENS = ((5, 4), (5, 4))
ROWS = {
    "Elementwise": Row(
        kd.losses.Elementwise,
        lambda t, s: rest((t - s) ** 2),
        (6, 6, 5),
        (6, 6, 5),
        references=CASE,
        positions="mean",
        tokens=TOKENS,
        training=train_feature(kd.losses.Elementwise, "stage3", project=True),
        cost=MAP,
    ),
    "Elementwise, pooled": Row(
        lambda: kd.losses.Elementwise("mae"),
        lambda t, s: rest(np.abs(pooled(t, 3) - s)),
        (6, 6, 5),
        (3, 3, 5),
        positions="mean",
        tokens=TOKENS,
    ),
    "ActivationBoundary": Row(
        kd.losses.ActivationBoundary,
        boundary,
        (6, 6, 5),
        (6, 6, 5),
        references={"maps/same": "ab_margin1"},
        zero_at_teacher=False,
        imitate=lambda t: 3 * np.sign(t),
        positions="sum",
        tokens=TOKENS,
        training=Training(
            lambda teacher: kd.Objective(
                kd.losses.ActivationBoundary(),
                student="norm3",
                teacher="sum3",
                project=kd.projections.ConvNorm(),
            )
        ),
        cost=MAP,
    ),
    "ActivationBoundary, pooled": Row(
        lambda: kd.losses.ActivationBoundary(margin=0.5),
        lambda t, s: boundary(pooled(t, 3), s, 0.5),
        (6, 6, 5),
        (3, 3, 5),
        zero_at_teacher=False,
        least_at_teacher=False,
        positions="sum",
        tokens=TOKENS,
    ),
    "OverhaulFeature": Row(
        lambda: kd.losses.OverhaulFeature(MARGIN),
        overhaul(MARGIN),
        (6, 6, 5),
        (6, 6, 5),
        positions="sum",
        tokens=((5, 5), (5, 5)),
        training=Training(
            lambda teacher: kd.Objective(
                kd.losses.OverhaulFeature(teacher.get_layer("norm3")),
                student="norm3",
                teacher="norm3",
                project=kd.projections.ConvNorm(),
            )
        ),
        cost=Cost("map", "map", lambda sizes: kd.losses.OverhaulFeature([-0.5] * sizes["map"][-1])),
    ),
    "OverhaulFeature, published margins": Row(
        lambda: kd.losses.OverhaulFeature(REFERENCE["maps/same/ofd_margin"]),
        overhaul(REFERENCE["maps/same/ofd_margin"]),
        (4, 4, 16),
        (4, 4, 16),
        references={"maps/same": "ofd"},
        positions="sum",
        tokens=((5, 16), (5, 16)),
    ),
    "VariationalInformation": Row(
        kd.losses.VariationalInformation,
        likelihood,
        (6, 6, 5),
        [(6, 6, 5), variances((5,), moves=False)],
        zero_at_teacher=False,
        least_at_teacher=False,
        imitate=lambda t: (t, np.ones(5)),
        as_keras_loss=False,
        # a variance per element, because a gradient per channel has no padded tokens to look at
        positions="mean",
        tokens=((5, 4), [(5, 4), variances((5, 4), moves=True)]),
        training=train_feature(
            kd.losses.VariationalInformation, "stage3", project=kd.projections.VariationalHead, rate=4e-2
        ),
        cost=Cost("map", ["map", "channel"]),
    ),
    "MaskedGeneration": Row(
        kd.losses.MaskedGeneration,
        lambda t, s: total((s - t) ** 2),
        (6, 6, 5),
        (6, 6, 5),
        positions="sum",
        tokens=TOKENS,
        training=train_feature(kd.losses.MaskedGeneration, "stage3", project=kd.projections.MaskedGenerator),
        cost=MAP,
    ),
}
