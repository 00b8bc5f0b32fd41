"""Layers need the memory that LiteRT allocates for them."""

import pytest
from keras import layers, ops

from tests.compression.costs.branches import planned_and_allocated
from tests.graphs.topologies import Block

FAST = ("norm",)
LAYERS = {
    "norm": lambda: layers.BatchNormalization(),
    "dropout": lambda: layers.Dropout(0.5),
    "identity": lambda: layers.Identity(),
    "capped": lambda: layers.ReLU(6.0),
    "leaking": lambda: layers.ReLU(negative_slope=0.1),
    "softmax": lambda: layers.Softmax(),
    "prelu": lambda: layers.PReLU(),
    "rescaling": lambda: layers.Rescaling(0.5, 1.0),
    "pool": lambda: layers.MaxPool2D(),
    "global": lambda: layers.GlobalAveragePooling2D(),
    "pad": lambda: layers.ZeroPadding2D(1),
    "crop": lambda: layers.Cropping2D(1),
    "permute": lambda: layers.Permute((2, 1, 3)),
    "nearest": lambda: layers.UpSampling2D(),
    "bilinear": lambda: layers.UpSampling2D(interpolation="bilinear"),
    "separable": lambda: layers.SeparableConv2D(4, 3),
    "transposed": lambda: layers.Conv2DTranspose(4, 3, strides=2),
    "dense": lambda: layers.Dense(4, "relu"),
    "spectral": lambda: layers.SpectralNormalization(layers.Conv2D(4, 1)),
    "of_a_user": lambda: Block(8),
    "function": lambda: layers.Lambda(lambda x: ops.relu(x * 2.0) + x),
    "doubled": lambda: lambda x: layers.Add()([x, layers.Conv2D(8, 1)(x), x]),
    "scaled": lambda: lambda x: ops.maximum(x, 0.5) * 2,
    "joined": lambda: lambda x: layers.Concatenate()([x, layers.ReLU()(x)]),
}


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[] if name in FAST else [pytest.mark.slow])
        for name, make in LAYERS.items()
    ],
)
def test_layers(make):
    planned, allocated = planned_and_allocated(make())
    assert planned == pytest.approx(allocated, rel=0.1)
