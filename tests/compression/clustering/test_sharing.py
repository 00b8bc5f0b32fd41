"""Which weights of a kernel share a value: all of it, or each output on its own."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_kd.compression.clustering.sharing import group_shape, groups_of, mean_values, share_values
from keras_kd.compression.kernels import kernels_of

INPUT = keras.Input((6, 6, 4))
LAYERS = {
    "dense": (lambda: layers.Dense(5), 5, (-1,)),
    "convolution": (lambda: layers.Conv2D(6, 3), 6, (-1,)),
    "transposed convolution": (lambda: layers.Conv2DTranspose(6, 3), 6, (-2,)),
    "einsum": (lambda: layers.EinsumDense("abcd,def->abcef", (6, 6, 2, 3)), 6, (-2, -1)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3), 1, ()),
}


def kernel_of(make):
    [kernel] = kernels_of(keras.Sequential([keras.Input((6, 6, 4)), make()]))
    return kernel


@pytest.mark.parametrize("per", ["layer", "channel"])
@pytest.mark.parametrize("name", LAYERS)
def test_each_group_has_clusters_of_its_own(name, per):
    make, groups, axes = LAYERS[name]
    kernel = kernel_of(make)
    value = kernel.value()
    found = share_values(kernel, 3, "kmeans++", per, with_zero=False)
    groups = groups if per == "channel" else 1
    assert groups_of(kernel, per) == groups
    at = np.arange(groups).reshape(group_shape(kernel, per))
    assert len(at.shape) == len(value.shape)
    # The indices of a group are those that its place says.
    np.testing.assert_array_equal(found.index // 3, np.broadcast_to(at, value.shape))
    assert (found.index.shape, found.centroids.shape) == (value.shape, (3 * groups,))
    shared = found.centroids[found.index]
    assert np.abs(shared - value).max() < np.ptp(value) / 2
    if groups > 1:
        outputs = np.moveaxis(shared, axes, range(-len(axes), 0)).reshape(-1, groups)
        assert {len(np.unique(column)) for column in outputs.T} <= {2, 3}
        for column in np.moveaxis(value, axes, range(-len(axes), 0)).reshape(-1, groups).T:
            assert column.size > 3


def test_means_of_equal_weights_are_exactly_their_value():
    value = np.full(100_003, 0.1, "float32")
    value[:3] = [1, 3, 9]
    index = np.ones(value.shape, "int32")
    index[:3] = 0
    counted = np.arange(value.size) != 2
    means = mean_values(value, index, 4, counted)
    assert means.tolist() == [2, np.float32(0.1), 0, 0]
