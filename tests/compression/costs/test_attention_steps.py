"""Attention needs the memory that LiteRT allocates for it."""

import keras
import pytest
from keras import layers, ops

from keras_kd.compression.costs.memory import memory_of
from keras_kd.compression.costs.shaped import shaped
from tests.compression.costs.arena import arena_of


def attended(attend, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs, attend(*inputs))


MODELS = {
    "itself": lambda: attended(lambda x: layers.MultiHeadAttention(4, 8)(x, x), (48, 32)),
    "other": lambda: attended(lambda x, y: layers.MultiHeadAttention(2, 8, 12)(x, y), (48, 16), (64, 24)),
    "grouped": lambda: attended(lambda x: layers.GroupQueryAttention(8, 4, 4)(x, x), (48, 32)),
    "plain": lambda: attended(lambda x, y: layers.Attention()([x, y]), (48, 32), (64, 32)),
    "columns": lambda: attended(lambda x, y: layers.Dot((2, 1))([x, y]), (48, 32), (32, 64)),
    "matmul": lambda: attended(ops.matmul, (48, 32), (32, 64)),
    "dot": lambda: attended(lambda x, y: layers.Dot((2, 2))([x, y]), (48, 32), (64, 32)),
}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[] if name == "itself" else [pytest.mark.slow])
        for name, make in MODELS.items()
    ],
)
def test_attention(make):
    model = make()
    assert memory_of(shaped(model)).peak == arena_of(model)
