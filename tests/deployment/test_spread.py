"""What a file loses of the spread of Keras's outputs, against NumPy in float64."""

import numpy as np
import pytest

from keras_kd.deployment.spread import FLOAT16_STEP, Spread, by_channel, varying

RNG = np.random.default_rng(0)


def loss(wanted, received, batch=None, **options):
    spread = Spread(**options)
    for start in range(0, len(wanted), batch or len(wanted)):
        rows = slice(start, start + (batch or len(wanted)))
        spread.add(wanted[rows], received[rows])
    return spread.loss()


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("shape", [(40, 3), (40,), (40, 2, 5, 3)])
def test_the_loss_is_the_error_beside_the_spread_in_any_batches(shape, offset):
    wanted = offset + 5 * RNG.normal(size=shape)
    received = wanted + 0.5 * RNG.normal(size=shape) + 2
    errors, moved = received - wanted, wanted - wanted.mean(0)
    for batch in (None, 7):
        found = loss(wanted, received, batch)
        assert found.error == pytest.approx(np.sqrt((errors**2).mean() / (moved**2).mean()), rel=1e-6)
        noise = errors - errors.mean(0)
        assert found.noise == pytest.approx(np.sqrt((noise**2).mean() / (moved**2).mean()), rel=1e-6)
        axes = tuple(range(wanted.ndim - 1)) if wanted.ndim > 1 else 0
        np.testing.assert_allclose(found.channels, np.sqrt((noise**2).mean(axes) / (moved**2).mean(axes)))
        np.testing.assert_allclose(found.spread, np.sqrt((moved**2).mean(axes)))


def test_a_constant_answer_loses_everything_and_the_right_one_nothing():
    wanted = RNG.normal(size=(30, 2))
    assert loss(wanted, np.repeat(wanted.mean(0, keepdims=True), 30, 0)).error == pytest.approx(1)
    assert loss(wanted, np.zeros_like(wanted)).noise == pytest.approx(1)
    assert loss(wanted, wanted).error == 0


def test_what_cannot_be_judged():
    wanted = RNG.normal(size=(30, 2))
    assert Spread().loss() is None
    assert loss(wanted[:1], wanted[:1]) is None
    assert loss(wanted[:, :0], wanted[:, :0]) is None
    assert loss(np.ones((30, 2)), np.ones((30, 2))) is None
    assert loss(np.where(wanted > 1, np.nan, wanted), wanted) is None
    assert loss(1000 + wanted / 1e5, 1000 + wanted / 1e5) is None
    assert loss(100 + wanted, 100 + wanted) is not None
    assert loss(100 + wanted, 100 + wanted, step=FLOAT16_STEP) is None
    several = Spread()
    for size in (4, 5):
        several.add(RNG.normal(size=(8, size, 3)), RNG.normal(size=(8, size, 3)))
    assert several.loss() is None


def test_which_channels_vary():
    sizes = np.array([640.0, 640.0, 1.0])
    assert varying(np.array([200.0, 1e-6, 0.3]), sizes).tolist() == [True, False, True]
    # In one unit, a channel that moves by a hundredth of the others is silent.
    assert varying(np.array([0.5, 0.005]), np.ones(2)).tolist() == [True, False]
    assert by_channel(np.zeros((4, 2, 3, 5))).shape == (4, 6, 5)
    assert by_channel(np.zeros(4)).shape == (4, 1, 1)
