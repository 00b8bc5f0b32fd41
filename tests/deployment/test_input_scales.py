"""What a model does to its inputs first, read from its trace."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_kd.deployment.input_scales import NOTHING, Scale, input_scales
from keras_kd.deployment.source.serving import make_serving

layers, ops = keras.layers, keras.ops


def convolved(*first):
    image = x = keras.Input((8, 8, 3), name="image")
    for layer in first:
        x = layer(x)
    return keras.Model(image, layers.Conv2D(2, 3)(x))


def scales_of(model):
    (scales,) = input_scales(make_serving(model)).values()
    return scales


def is_byte(scale):
    return scale.factor == pytest.approx(1 / 255) and scale.offset == 0


BEFORE = {
    "nothing": lambda x: x,
    "padding": layers.ZeroPadding2D(),
    "a crop": layers.CenterCrop(6, 6),
    "cropping": layers.Cropping2D(1),
    "a transposition": lambda x: ops.transpose(x, (0, 2, 1, 3)),
    "permuted axes": layers.Permute((2, 1, 3)),
    "another size": layers.Resizing(4, 4),
    "augmentation": layers.RandomFlip(),
    "channels reversed": lambda x: x[..., ::-1],
    "a nested model": keras.Sequential([keras.Input((8, 8, 3)), layers.UpSampling2D()]),
    "a function": layers.Lambda(lambda x: tf.roll(x, 1, 1)),
}
SCALING = {
    "Rescaling": lambda: layers.Rescaling(1 / 255),
    "division": lambda: lambda x: x / 255.0,
    "multiplication": lambda: lambda x: (1 / 255) * x,
    "Lambda": lambda: layers.Lambda(lambda x: x / 255.0),
}


@pytest.mark.parametrize("before", BEFORE)
def test_what_moves_values_does_not_hide_the_scale(before):
    for make in SCALING.values():
        (scale,) = scales_of(convolved(BEFORE[before], make()))
        assert is_byte(scale)
        assert not scale.is_part


def test_several_branches_each_tell():
    image = keras.Input((8, 8, 3))
    halves = [
        layers.Conv2D(2, 3)(scaled(image)) for scaled in (layers.Rescaling(1 / 255), lambda x: x / 127.5)
    ]
    found = scales_of(keras.Model(image, layers.Add()(halves)))
    assert sorted(scale.factor for scale in found) == pytest.approx([1 / 255, 1 / 127.5])


def test_arithmetic_in_several_operations_is_one_scale():
    (scale,) = scales_of(convolved(layers.Rescaling(1 / 255, name="first"), lambda x: 1.0 - (x - 0.5) * 2.0))
    assert (scale.factor, scale.offset) == pytest.approx((-2 / 255, 2.0))
    assert scale.layer.name == "first"
    (scale,) = scales_of(convolved(lambda x: x + 1.0))
    assert (scale.factor, scale.offset, scale.layer) == (1.0, 1.0, None)


@pytest.mark.parametrize(
    "first",
    [
        lambda x: x,
        layers.BatchNormalization(),
        lambda x: x * ops.sigmoid(x),
        lambda x: 1.0 / (x + 1.0),
        "relu",
    ],
)
def test_what_is_no_scale(first):
    first = layers.Activation(first) if first == "relu" else first
    assert [scale for scale in scales_of(convolved(first)) if scale.factor != 1] == []


def test_a_normalization_is_found_by_its_mean_and_knows_what_it_reads():
    normal = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])
    (scale,) = scales_of(convolved(layers.ZeroPadding2D(), normal))
    assert scale == Scale(layer=normal, shape=(None, 10, 10, 3))
    assert scale.is_normalization
    assert not NOTHING.is_normalization
    (scale,) = scales_of(convolved(layers.Rescaling(1 / 255), normal))
    assert is_byte(scale)  # what comes first


def test_some_of_the_channels_are_a_part():
    (scale,) = scales_of(convolved(lambda x: x[..., :1], lambda x: x / 255.0))
    assert scale.is_part
    normal = layers.Normalization(mean=2.0, variance=1.0)
    assert scales_of(convolved(lambda x: x[..., :1], normal)) == []


def test_an_input_that_is_joined_with_others_is_not_judged_alone():
    image, other = keras.Input((8, 8, 1), name="image"), keras.Input((8, 8, 1), name="other")
    joined = layers.Concatenate()([image, other])
    model = keras.Model([image, other], layers.Rescaling(1 / 255)(joined))
    assert input_scales(make_serving(model)) == {"image": [], "other": []}
    same = layers.Concatenate()([image, image, image])
    (scale,) = scales_of(keras.Model(image, layers.Conv2D(2, 3)(layers.Rescaling(1 / 255)(same))))
    assert is_byte(scale)


def test_models_of_tf_keras():
    image = tf_keras.layers.Input((8, 8, 3))
    padded = tf_keras.layers.ZeroPadding2D()(image)
    for layer in (tf_keras.layers.Rescaling(1 / 255), lambda x: x / 255.0):
        (scale,) = scales_of(tf_keras.Model(image, tf_keras.layers.Conv2D(2, 3)(layer(padded))))
        assert is_byte(scale)


class Eager(keras.Model):
    """Reads values, which a trace does not have."""

    def call(self, x):
        return x / 255.0 if float(ops.sum(x)) >= 0 else x


def test_what_cannot_be_traced_tells_nothing():
    model = Eager()
    model(np.ones((1, 4), "float32"))
    assert input_scales(make_serving(model)) == {}
