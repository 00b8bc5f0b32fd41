"""The layers that replace a convolution compute what its separable kernel does."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.separable.approximation import separated
from keras_kd.compression.separable.replacement import Convolution, why_not
from tests.graphs.topologies import scrambled

IMAGE, LINE = (9, 9, 6), (9, 6)
KINDS = {
    "conv2d": (layers.Conv2D(8, 3), IMAGE),
    "same": (layers.Conv2D(8, (3, 2), padding="same", activation="relu"), IMAGE),
    "strides": (layers.Conv2D(8, 3, strides=2, padding="same"), IMAGE),
    "dilated": (layers.Conv2D(8, 3, dilation_rate=2, use_bias=False), IMAGE),
    "conv1d": (layers.Conv1D(8, 4, strides=2), LINE),
}


def built(layer, shape):
    return Convolution("conv", scrambled(keras.Sequential([keras.Input(shape), layer])).layers[0])


def run(steps, x):
    for step in steps:
        x = step(x)
    return x


@pytest.mark.parametrize("kind", KINDS)
def test_with_enough_filters_it_is_the_original(kind):
    layer, shape = KINDS[kind]
    convolution = built(layer, shape)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    many = min(convolution.window, 8)
    steps = convolution.steps(separated(convolution.kernel(), many), many, 1, set())
    assert [step.name for step in steps] == [f"{layer.name}_depthwise", layer.name]
    np.testing.assert_allclose(run(steps, x), layer(x), rtol=1e-4, atol=1e-5)
    assert sum(step.count_params() for step in steps) == convolution.size_with(many, 1)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_groups_lose_only_what_leads_from_one_to_another(kernel_size):
    convolution = built(layers.Conv2D(8, kernel_size, name="conv"), IMAGE)
    layer = convolution.operation
    kernel = layer.kernel.numpy()
    kernel[..., :3, 4:] = kernel[..., 3:, :4] = 0
    layer.kernel.assign(kernel)
    x = np.random.default_rng(0).normal(size=(2, *IMAGE)).astype("float32")
    many = min(convolution.window, 4)
    steps = convolution.steps(separated(convolution.kernel(), many, 2), many, 2, set())
    assert [step.name for step in steps][-1] == "conv"
    assert len(steps) == 1 + (kernel_size > 1)
    np.testing.assert_allclose(run(steps, x), layer(x), rtol=1e-4, atol=1e-5)
    assert sum(step.count_params() for step in steps) == convolution.size_with(many, 2)


def test_flags_policies_and_regularizers_stay_and_names_are_free():
    layer = layers.Conv2D(8, 3, kernel_regularizer="l2", kernel_constraint="non_neg", name="conv")
    layer.dtype_policy = "mixed_float16"
    layer.trainable = False
    convolution = built(layer, IMAGE)
    steps = convolution.steps(separated(convolution.kernel()), 1, 1, {"conv_depthwise"})
    assert [step.name for step in steps] == ["conv_depthwise_1", "conv"]
    for step in steps:
        assert not step.trainable
        assert step.dtype_policy.name == "mixed_float16"
    assert isinstance(steps[0].depthwise_regularizer, keras.regularizers.L2)
    assert isinstance(steps[1].kernel_regularizer, keras.regularizers.L2)
    assert steps[1].kernel_constraint is None


@pytest.mark.parametrize(
    ("layer", "shape", "groups", "reason"),
    [
        (layers.Conv2D(8, 3), IMAGE, None, ""),
        (layers.Conv2D(8, 3), IMAGE, 2, ""),
        (layers.Conv2D(8, 1), IMAGE, 2, ""),
        (layers.Conv2D(8, 1), IMAGE, None, "single place"),
        (layers.Conv2D(8, 3, groups=2), IMAGE, None, "grouped already"),
        (layers.Conv2D(8, 3, strides=(1, 2)), IMAGE, None, "strides differ"),
        (layers.Conv1D(8, 3, padding="causal"), LINE, None, "no causal padding"),
        (layers.Conv2D(1, 3), IMAGE, None, "nothing is saved"),
    ],
)
def test_reasons(layer, shape, groups, reason):
    found = why_not(built(layer, shape), 1, groups)
    assert reason in found
    assert bool(reason) == bool(found)


def test_more_filters_save_less_and_in_the_end_nothing():
    convolution = built(layers.Conv2D(8, 3), IMAGE)
    sizes = [convolution.size_with(multiplier, 1) for multiplier in (1, 2, 3, 4, 5)]
    assert sizes == [110, 212, 314, 416, 518]
    assert convolution.size == 440
    assert [bool(why_not(convolution, multiplier, None)) for multiplier in (4, 5)] == [False, True]


def doubled(x):
    return x * 2


def test_what_fits_the_original_alone_is_left_out():
    """An initializer that returns the trained kernel, an activation that is not registered."""
    kernel = keras.initializers.Constant(np.ones((3, 3, 6, 8)))
    convolution = built(layers.Conv2D(8, 3, kernel_initializer=kernel, activation=doubled), IMAGE)
    x = np.random.default_rng(0).normal(size=(2, *IMAGE)).astype("float32")
    steps = convolution.steps(separated(convolution.kernel(), 8), 8, 1, set())
    np.testing.assert_allclose(run(steps, x), convolution.operation(x), rtol=1e-4, atol=1e-5)


def test_an_activation_with_weights_is_not_made_anew():
    convolution = built(layers.Conv2D(8, 3, activation=layers.PReLU()), IMAGE)
    convolution.operation(np.ones((1, *IMAGE)))
    assert why_not(convolution, 1, None) == "its activation has weights"
