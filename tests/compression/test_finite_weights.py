"""Models whose training has diverged are refused before anything is computed."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.compression.finite_weights import check_finite_weights


def diverged(value=np.nan) -> keras.Model:
    """A model with NaN in a layer of a nested model."""
    body = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv")], name="body")
    parts = [body, layers.Flatten(), layers.Dense(8, name="hidden"), layers.Dense(2, name="head")]
    model = keras.Sequential([keras.Input((8, 8, 3)), *parts], name="net")
    kernel = np.ones((3, 3, 3, 4))
    kernel[0, 0, 0, 0] = value
    body.layers[0].kernel.assign(kernel)
    return model


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_layer_is_named(value):
    message = "The kernel of 'body/conv' in 'net' holds NaN or infinity: 1 of 108 numbers."
    with pytest.raises(ValueError, match=message):
        check_finite_weights(diverged(value))


def test_a_mask_may_be_minus_infinity():
    model = diverged(1.0)
    model.layers[-1].bias.assign([0, -np.inf])
    check_finite_weights(model)


TOOLS = {
    "shrink": kd.shrink,
    "factorize": kd.factorize,
    "compact": kd.compact,
    "sensitivity": lambda model: kd.sensitivity(model, np.ones((2, 8, 8, 3))),
}


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_every_tool_that_looks_at_weights_refuses_them(tool):
    with pytest.raises(ValueError, match="The kernel of 'body/conv' in 'net' holds NaN"):
        tool(diverged())
