"""AttentionTransfer and FactorTransfer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, maps, seeds, value


@common
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_attention_survives_scale_and_the_order_of_channels(seed, scale):
    random = np.random.default_rng(seed)
    teacher, student = random.normal(size=(2, 3, 4, 4, 5))
    loss = kd.losses.AttentionTransfer()
    plain = value(loss, teacher, student)
    assert value(loss, teacher, scale * student[..., ::-1]) == pytest.approx(plain, rel=1e-3)


def test_power_must_be_positive():
    with pytest.raises(ValueError, match="`p` must be at least 1"):
        kd.losses.AttentionTransfer(p=0.5)


def test_attention_needs_positions():
    with pytest.raises(ValueError, match="tap a layer before pooling"):
        kd.losses.AttentionTransfer()(np.ones((4, 3)), np.ones((4, 3)))


def test_attention_of_tokens():
    tokens = np.random.default_rng(0).normal(size=(4, 7, 3))
    assert float(kd.losses.AttentionTransfer()(tokens, 2 * tokens)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_zero_maps_have_a_finite_value(p):
    zeros = np.zeros((2, 4, 4, 3))
    assert float(kd.losses.AttentionTransfer(p)(zeros, zeros)) == 0.0


@common
@given(seeds, st.sampled_from([1, 2, 3]), st.floats(0.1, 10))
def test_factors_survive_scale_and_the_order_of_channels(seed, power, scale):
    teacher, student = maps(seed, 3, 4, 4, 5), maps(seed + 1, 3, 4, 4, 2)
    loss = kd.losses.FactorTransfer(p1=power)
    plain = value(loss, teacher, student)
    assert value(loss, scale * teacher, student) == pytest.approx(plain, rel=1e-4)
    assert value(loss, teacher, scale * student[..., ::-1]) == pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("powers", [{"p1": 0}, {"p1": 1.5}, {"p2": 0.5}, {"p2": float("nan")}])
def test_powers_of_factors(powers):
    with pytest.raises(ValueError, match="at least 1"):
        kd.losses.FactorTransfer(**powers)
