"""Products of tensors cost what TensorFlow's profiler counts."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.compression.costs.counting import counted
from tests.compression.costs.profiler import profiled

IMAGE = (9, 8, 4)


def of_two(function, first, second):
    inputs = keras.Input(first), keras.Input(second)
    return keras.Model(inputs, function(*inputs))


def of_one(function, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, function(inputs))


KERNEL = np.ones((3, 3, 4, 5), "float32")


def spread(x):
    return ops.conv_transpose(x, KERNEL.swapaxes(2, 3), 2, padding="same")


PRODUCTS = {
    "attention": lambda: of_two(lambda q, v: layers.Attention()([q, v]), (5, 8), (7, 8)),
    "additive": lambda: of_two(lambda q, v: layers.AdditiveAttention()([q, v]), (5, 8), (7, 8)),
    "dot_layer": lambda: of_two(lambda x, y: layers.Dot((2, 1))([x, y]), (5, 8), (8, 7)),
    "matmul": lambda: of_two(ops.matmul, (5, 8), (8, 7)),
    "einsum": lambda: of_two(lambda x, y: ops.einsum("bij,bkj->bik", x, y), (5, 8), (3, 8)),
    "tensordot": lambda: of_one(lambda x: ops.tensordot(x, np.ones((8, 3), "float32"), axes=1), (5, 8)),
    "conv": lambda: of_one(lambda x: ops.conv(x, KERNEL), IMAGE),
    "depthwise_conv": lambda: of_one(lambda x: ops.depthwise_conv(x, KERNEL), IMAGE),
    "conv_transpose": lambda: of_one(layers.Lambda(spread), IMAGE),
    "a_sum": lambda: of_two(lambda x, y: x * y + 2, (5, 8), (5, 8)),
}


@pytest.mark.parametrize("make", PRODUCTS.values(), ids=PRODUCTS)
def test_every_product_of_tensors_costs_what_the_profiler_counts(make):
    model = make()
    assert counted(model, batch=2) == profiled(model, batch=2)


def test_a_product_of_three_tensors_counts_every_combination():
    inputs = [keras.Input((5,)), keras.Input((7,)), keras.Input((3,))]
    model = keras.Model(inputs, ops.einsum("bi,bj,bk->b", *inputs))
    assert counted(model, batch=2) == 2 * 5 * 7 * 3
