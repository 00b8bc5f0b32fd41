import keras
import pytest
from keras import layers

from keras_kd.signals.pairing.endings import Ending, ending_of


class Pooling(layers.Layer):
    """Of a user, and not of Keras's family of that name."""


Pooling.__module__ = "project.pooling"


@pytest.mark.parametrize(
    ("layer", "ending"),
    [
        (layers.Add(), Ending.BLOCK),
        (layers.Concatenate(), Ending.BLOCK),
        (layers.ReLU(), Ending.ACTIVATION),
        (layers.Activation("relu"), Ending.ACTIVATION),
        (layers.Dense(2, "relu"), Ending.ACTIVATION),
        (layers.GRU(2), Ending.ACTIVATION),
        (layers.BatchNormalization(), Ending.NORMALIZATION),
        (layers.Dense(2), Ending.OTHER),
        (layers.Dense(2, "softmax"), Ending.OTHER),
        (layers.Softmax(), Ending.OTHER),
        (layers.Activation("sigmoid"), Ending.OTHER),
        (Pooling(), Ending.OTHER),
        (layers.MaxPooling2D(), Ending.POOLING),
        (layers.Dropout(0.1), None),
        (layers.Flatten(), None),
        (layers.Rescaling(0.5), None),
        (layers.Identity(), None),
        (layers.InputLayer((2,)), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else str(value),
)
def test_what_the_output_of_a_layer_ends(layer, ending):
    assert ending_of(layer) is ending


def test_a_block_is_more_likely_to_end_in_a_merge_than_in_an_activation():
    assert sorted(Ending, reverse=True) == [
        Ending.BLOCK,
        Ending.ACTIVATION,
        Ending.NORMALIZATION,
        Ending.OTHER,
        Ending.POOLING,
    ]
