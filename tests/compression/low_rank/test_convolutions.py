"""Convolutions: several thin ones, with the outputs of one."""

import numpy as np
import pytest
from keras import layers

from keras_kd.compression.low_rank.convolutions import ConvolutionKernel, grouped_kernel
from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.sites import opened_for_one_sample, sites_in
from keras_kd.compression.low_rank.thin_layers import value_of
from tests.compression.low_rank.forced import batch_for, factors_in, forced, largest_difference, model_of

IMAGE = (9, 8, 6)
LAYERS = {
    "same": (lambda: layers.Conv2D(8, 3, padding="same", activation="relu", name="it"), IMAGE),
    "strided": (lambda: layers.Conv2D(8, (3, 5), strides=(2, 3), padding="same", name="it"), IMAGE),
    "valid": (lambda: layers.Conv2D(8, (4, 2), strides=2, use_bias=False, name="it"), IMAGE),
    "dilated": (lambda: layers.Conv2D(8, 3, dilation_rate=(2, 1), padding="same", name="it"), IMAGE),
    "grouped": (lambda: layers.Conv2D(8, 3, groups=2, padding="same", name="it"), IMAGE),
    "row": (lambda: layers.Conv2D(8, (1, 3), name="it"), IMAGE),
    "pointwise": (lambda: layers.Conv2D(8, 1, strides=2, name="it"), IMAGE),
    "grouped pointwise": (lambda: layers.Conv2D(8, 1, groups=2, name="it"), IMAGE),
    "causal": (lambda: layers.Conv1D(8, 3, padding="causal", dilation_rate=2, name="it"), (9, 6)),
    "free": (lambda: layers.Conv1D(8, 3, strides=2, name="it"), (None, 6)),
    "volume": (lambda: layers.Conv3D(8, (2, 3, 1), strides=(1, 2, 1), name="it"), (5, 6, 3, 6)),
    "distributed": (
        lambda: layers.TimeDistributed(layers.Conv2D(8, 3, padding="same", name="x"), name="it"),
        (2, 5, 5, 6),
    ),
}
IMAGES = ("same", "strided", "valid", "dilated", "grouped")  # with windows of rows and columns
CASES = [(name, "tucker") for name in LAYERS] + [(name, "spatial") for name in IMAGES]


def thinned(model, rank):
    """The model with a kernel whose inputs, outputs, and halves of the window have no higher rank."""
    for layer in model.layers[1:]:
        inner = getattr(layer, "layer", layer)
        shape, random = inner.kernel.shape, np.random.default_rng(2)
        separable = [random.normal(size=(size, rank)) for size in shape[:-2]]
        groups, filters = inner.groups, shape[-1] // inner.groups
        parts = []
        for _ in range(groups):
            ends = random.normal(size=(shape[-2], rank)), random.normal(size=(filters, rank))
            letters = "abcdefg"[: len(shape)]
            equation = ",".join(f"{x}z" for x in letters) + f"->{letters}"
            parts.append(np.einsum(equation, *separable, *ends))
        inner.kernel.assign(np.concatenate(parts, axis=-1))
    return model


@pytest.mark.parametrize(("name", "method"), CASES)
def test_a_kernel_of_low_rank_is_reproduced(name, method):
    """Strides, padding, dilation and groups are shared out so that nothing changes but the cost."""
    make, shape = LAYERS[name]
    model = thinned(model_of(make(), shape), 2)
    made, (factors,) = forced(model, Amount(2), method)
    names = [layer.name for layer in made.layers[1:]]
    assert names[-1] == "it"
    assert set(names[:-1]) <= {"it_in", "it_core"}
    assert len(names) == len(factors.steps) > 1
    assert factors.error < 1e-6
    assert largest_difference(model, made, batch_for(model)) < 1e-5
    assert made.count_params() == factors.parameters


@pytest.mark.parametrize("method", ["tucker", "spatial"])
def test_at_full_rank_the_outputs_are_the_same(method):
    model = model_of(layers.Conv2D(8, 3, strides=2, padding="same", name="it"), IMAGE)
    made, (factors,) = forced(model, Amount(1.0), method)
    assert factors.error == 0
    assert largest_difference(model, made, batch_for(model)) < 1e-5


def test_the_multiply_adds_are_those_of_the_thin_layers():
    model = model_of(layers.Conv2D(8, (3, 5), strides=(2, 3), padding="same", name="it"), (12, 9, 6))
    (tucker,) = factors_in(model, Amount(2), "tucker").values()
    assert tucker.multiply_adds == 12 * 9 * 6 * 2 + 6 * 3 * (15 * 2 * 2) + 6 * 3 * 2 * 8
    (spatial,) = factors_in(model, Amount(2), "spatial").values()
    assert spatial.multiply_adds == 6 * 9 * 3 * 6 * 2 + 6 * 3 * 5 * 2 * 8
    model = model_of(layers.Conv2D(8, 1, strides=2, name="it"), (12, 8, 6))
    (pointwise,) = factors_in(model, Amount(2)).values()
    assert pointwise.multiply_adds == 6 * 4 * (6 * 2 + 2 * 8)
    model = model_of(layers.Conv1D(8, 3, strides=2, name="it"), (None, 6))
    (free,) = factors_in(model, Amount(2), "tucker").values()
    assert free.multiply_adds == 2 * 6 * 2 + 3 * 2 * 2 + 2 * 8


def test_channels_first_are_kept_and_read():
    layer = layers.Conv2D(8, 3, data_format="channels_first", name="it")
    layer.build((None, 6, 9, 8))
    assert grouped_kernel(layer).shape == (1, 3, 3, 6, 8)
    model = model_of(layer, (6, 9, 8))
    (site,) = sites_in(opened_for_one_sample(model))
    (factors,) = factors_in(model, Amount(2), "tucker").values()
    assert {step.layer.data_format for step in factors.steps} == {"channels_first"}
    assert factors.multiply_adds == 72 * 12 + 42 * (9 * 4 + 16)
    readings = ConvolutionKernel(site).readings()
    assert readings["inputs"].axes == (-3,)
    assert [readings[name].axis for name in ("rows", "columns")] == [-2, -1]


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("dilated", {"rows": (-3, 3, 2), "columns": (-2, 3, 1)}),
        ("causal", {"columns": (-2, 3, 2)}),
        ("volume", {}),
    ],
)
def test_neighbors_are_as_far_apart_as_the_window_has_them(name, axes):
    make, shape = LAYERS[name]
    (site,) = sites_in(opened_for_one_sample(model_of(make(), shape)))
    readings = ConvolutionKernel(site).readings()
    assert readings.pop("inputs").axes == (-1,)
    assert {name: tuple(reading)[1:] for name, reading in readings.items()} == axes


def test_a_grouped_kernel_is_taken_apart_by_group():
    model = model_of(layers.Conv2D(8, 3, groups=2, name="it"), IMAGE)
    kernel = value_of(model.get_layer("it").kernel)
    found = grouped_kernel(model.get_layer("it"))
    np.testing.assert_array_equal(found[0], kernel[..., :4])
    np.testing.assert_array_equal(found[1], kernel[..., 4:])
