"""VariationalInformation and MaskedGeneration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import keras_kd as kd
from tests.losses.batches import common, maps, seeds, value


@common
@given(seeds, st.floats(0.1, 10).filter(lambda f: abs(f - 1) > 0.05))
def test_the_likeliest_variance_is_the_squared_error(seed, factor):
    teacher, mean = maps(seed, 3, 4, 4, 5), maps(seed + 1, 3, 4, 4, 5)
    error = ((teacher - mean) ** 2).mean((0, 1, 2))
    loss = kd.losses.VariationalInformation()
    best = value(loss, teacher, (mean, error))
    assert best == pytest.approx(0.5 * (1 + np.log(error).mean()), rel=1e-4, abs=1e-5)
    assert best < value(loss, teacher, (mean, factor * error))


def test_a_variance_per_element_equal_in_each_channel():
    teacher, mean, variance = maps(0, 3, 4, 4, 5), maps(1, 3, 4, 4, 5), np.exp(maps(2, 5))
    loss = kd.losses.VariationalInformation()
    expected = value(loss, teacher, (mean, variance))
    everywhere = np.broadcast_to(variance, mean.shape)
    assert value(loss, teacher, (mean, everywhere)) == pytest.approx(expected, rel=1e-5)
    larger = np.repeat(np.repeat(mean, 2, 1), 2, 2)
    spread = np.broadcast_to(variance, larger.shape)
    assert value(loss, teacher, (larger, spread)) == pytest.approx(expected, rel=1e-5)


def test_the_variational_head_of_the_package():
    head = kd.projections.VariationalHead(5)
    mean, variance = head(maps(0, 2, 4, 4, 3))
    loss, teacher = kd.losses.VariationalInformation(), maps(1, 2, 4, 4, 5)
    by_hand = 0.5 * ((np.asarray(mean) - teacher) ** 2 / np.asarray(variance) + np.log(variance))
    assert value(loss, teacher, (mean, variance)) == pytest.approx(by_hand.mean(), rel=1e-5)


def test_variational_information_names_what_it_reads():
    loss, mean = kd.losses.VariationalInformation(), maps(0, 2, 4, 4, 5)
    for student in (mean, (mean,), (mean, np.ones(5), mean)):
        with pytest.raises(ValueError, match=r"the pair \(mean, variance\).*VariationalHead"):
            loss(mean, student)
    with pytest.raises(ValueError, match=r"one variance per channel. Received: \(4,\)"):
        loss(mean, (mean, np.ones(4)))
    with pytest.raises(ValueError, match="same shape"):
        loss(maps(0, 2, 4, 4, 3), (mean, np.ones(5)))


@common
@given(seeds)
def test_generation_is_the_squared_error_of_all_elements(seed):
    teacher, student = maps(seed, 2, 3, 4, 5), maps(seed + 1, 2, 3, 4, 5)
    assert value(kd.losses.MaskedGeneration(), teacher, student) == pytest.approx(
        3 * 4 * 5 * value(kd.losses.Elementwise("mse"), teacher, student), rel=1e-5
    )
