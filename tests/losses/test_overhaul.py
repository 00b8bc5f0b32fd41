"""OverhaulFeature: the margins of a BatchNormalization, and the margin ReLU."""

import keras
import numpy as np
import pytest
from hypothesis import given

import keras_kd as kd
from tests.losses.batches import common, maps, seeds, value


def normalization(beta, gamma):
    layer = keras.layers.BatchNormalization(center=beta is not None, scale=gamma is not None)
    layer.build((None, 4, 4, len(beta or gamma or [0.0, 0.0])))
    for weight, numbers in ((layer.beta, beta), (layer.gamma, gamma)):
        if weight is not None:
            weight.assign(numbers)
    return layer


def mean_below_zero(mean, deviation):
    """By adding up a fine grid."""
    x = np.linspace(mean - 12 * deviation, 0, 400_001)
    density = np.exp(-(((x - mean) / deviation) ** 2) / 2)
    return (x * density).sum() / density.sum()


@common
@given(seeds)
def test_overhaul_leaves_alone_what_both_suppress(seed):
    random = np.random.default_rng(seed)
    margin = -random.uniform(0.1, 1, 4)
    teacher, student = (margin - random.exponential(size=(2, 3, 3, 4)) for _ in range(2))
    loss = kd.losses.OverhaulFeature(margin)
    assert value(loss, teacher, student) == pytest.approx(0, abs=1e-10)
    active = np.abs(teacher)
    expected = ((student - active) ** 2).sum((1, 2, 3)).mean()
    assert value(loss, active, student) == pytest.approx(expected, rel=1e-5)


def test_margins_of_a_batch_normalization():
    beta, gamma = [0.0, 0.5, -2.0, 0.3, 1.0], [1.0, -0.8, 0.5, 2.0, 0.4]
    expected = [mean_below_zero(b, abs(g)) for b, g in zip(beta, gamma, strict=True)]
    loss = kd.losses.OverhaulFeature(normalization(beta, gamma))
    np.testing.assert_allclose(loss.margin, expected, rtol=1e-4)


def test_margins_where_hardly_anything_is_negative():
    loss = kd.losses.OverhaulFeature(normalization([4.0, 3.0, 1.0, -1.0, 0.0], [1.0, 1.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(loss.margin[0], -3.0)
    assert -0.4 < loss.margin[1] < -0.2  # 0.13 % is below zero
    assert loss.margin[2:] == [0.0, -1.0, 0.0]


def test_margins_without_scale_or_centre():
    expected = -np.sqrt(2 / np.pi)
    for beta, gamma in ((None, None), (None, [1.0, 1.0]), ([0.0, 0.0], None)):
        margin = kd.losses.OverhaulFeature(normalization(beta, gamma)).margin
        np.testing.assert_allclose(margin, [expected, expected], rtol=1e-6)


def test_the_configuration_keeps_the_margins():
    loss = kd.losses.OverhaulFeature(normalization([0.0, 0.5], [1.0, 2.0]))
    config = loss.get_config()
    assert isinstance(config["margin"], list)
    assert kd.losses.OverhaulFeature.from_config(config).margin == loss.margin


def test_margins_of_a_layer_that_is_not_built():
    with pytest.raises(ValueError, match="not built"):
        kd.losses.OverhaulFeature(keras.layers.BatchNormalization())


@pytest.mark.parametrize("margin", [[0.1, -1.0], [[-1.0]], [], "bn", -1.0, None, [float("nan")]])
def test_margins_are_a_number_per_channel(margin):
    with pytest.raises(ValueError, match="one number per channel"):
        kd.losses.OverhaulFeature(margin)


def test_margins_of_another_layer():
    with pytest.raises(ValueError, match=r"margins for 2 channels.*\(2, 4, 4, 3\)"):
        kd.losses.OverhaulFeature([-1.0, -1.0])(maps(0, 2, 4, 4, 3), maps(0, 2, 4, 4, 3))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["beta", "gamma"])
def test_margins_are_not_made_of_weights_that_are_not_finite(name, wrong):
    layer = keras.layers.BatchNormalization(name="broken")
    layer.build((None, 2))
    getattr(layer, name).assign([1.0, wrong])
    with pytest.raises(ValueError, match="'broken' has a `beta` or `gamma` that is NaN or infinite"):
        kd.losses.OverhaulFeature(layer)
