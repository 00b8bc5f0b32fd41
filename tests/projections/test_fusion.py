"""ReviewFusion against the published modules, derived again in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd import projections
from keras_kd.projections.fusion import resize_nearest


def norm(x, gamma, beta):
    """BatchNorm of a batch in training."""
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5) * gamma + beta


def convolve3(x, kernel):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    windows = (padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3))
    return sum(windows)


def enlarged(x, size):
    rows = [i * x.shape[1] // size for i in range(size)]
    return x[:, rows][:, :, rows]


def fused(layer, stages, sizes):
    """The attention based fusion of each stage, deepest first, as the paper and mdistiller have it."""
    results, deeper = [], None
    for part in reversed(range(len(stages))):
        get = lambda weight: np.asarray(weight, "float64")  # noqa: E731
        x = stages[part].astype("float64")
        x = x if x.ndim == 4 else x[:, None, None]
        inner, outer = layer.norms[2 * part], layer.norms[2 * part + 1]
        x = norm(x @ get(layer.inner[part].kernel), get(inner.gamma), get(inner.beta))
        if deeper is not None:
            y = enlarged(deeper, x.shape[1])
            both = np.concatenate([x, y], -1)
            attention = layer.attention[part]
            share = 1 / (1 + np.exp(-(both @ get(attention.kernel) + get(attention.bias))))
            x = x * share[..., :1] + y * share[..., 1:]
        deeper = enlarged(x, sizes[part])
        out = norm(convolve3(deeper, get(layer.outer[part].kernel)), get(outer.gamma), get(outer.beta))
        results.insert(0, out)
    return results


@pytest.mark.parametrize(
    ("students", "teachers"),
    [
        ([(8, 4), (4, 6), (2, 10)], [(8, 5), (4, 7), (2, 9)]),
        ([(8, 4), (4, 6), (2, 10)], [(16, 5), (8, 7), (2, 9)]),  # the teacher's maps are larger
        ([(9, 4), (3, 6), (2, 10)], [(4, 5), (3, 7), (1, 9)]),  # sizes that do not divide, smaller maps
    ],
)
def test_value_equals_the_published_modules(students, teachers):
    random = np.random.default_rng(0)
    stages = tuple(random.normal(size=(3, size, size, c)).astype("float32") for size, c in students)
    layer = projections.ReviewFusion()
    layer.size_for(tuple((None, size, size, c) for size, c in teachers))
    layer(stages)
    for weight in layer.trainable_weights:  # so that scales and shifts count
        weight.assign(weight + 0.1 * random.normal(size=weight.shape))
    results = layer(stages, training=True)
    for result, wanted in zip(results, fused(layer, stages, [size for size, _ in teachers]), strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-3, atol=1e-4)


def test_a_pooled_vector_is_a_map_of_one_position():
    random = np.random.default_rng(0)
    maps, vector = random.normal(size=(3, 4, 4, 6)), random.normal(size=(3, 8))
    stages = (maps.astype("float32"), vector.astype("float32"))
    layer = projections.ReviewFusion()
    layer.size_for(((None, 4, 4, 5), (None, 7)))
    results = layer(stages, training=True)
    wanted = fused(layer, stages, [4, 1])
    np.testing.assert_allclose(results[0], wanted[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(results[1], wanted[1][:, 0, 0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("width", "channels", "wanted"), [(None, 24, 24), (None, 600, 512), (16, 24, 16)])
def test_the_default_width_is_that_of_the_deepest_stage(width, channels, wanted):
    layer = projections.ReviewFusion(width)
    layer.size_for(((None, 2, 2, 3), (None, 1, 1, 4)))
    layer((tf.ones((1, 2, 2, 6)), tf.ones((1, 1, 1, channels))))
    assert layer.inner[0].units == wanted


@pytest.mark.parametrize(("length", "size"), [(2, 8), (3, 8), (8, 3), (4, 4), (1, 5)])
def test_nearest_takes_the_row_at_the_floor(length, size):
    maps = np.arange(length * length, dtype="float32").reshape(1, length, length, 1)
    np.testing.assert_array_equal(resize_nearest(tf.constant(maps), (size, size)), enlarged(maps, size))
