"""A model in a layer: what it runs on, and that nothing of it changes."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.teachers.member import Member
from tests.teachers.conftest import X, answers, classifier


def normed():
    layers = [keras.layers.Dense(3, name="d"), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    return keras.Sequential([keras.Input((4,)), *layers], name="normed")


def test_it_runs_as_in_inference_on_inputs_of_its_own():
    model = normed()
    member = Member(model, preprocess=lambda x: x / 2, name="a")
    before = model.get_weights()
    found = member(X, training=True)
    np.testing.assert_allclose(found, model(X / 2, training=False), rtol=1e-6)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert model.trainable
    outer = keras.Model(inputs := keras.Input((4,)), member(inputs))
    assert kd.tap_names(outer)[:1] + kd.tap_names(outer)[-1:] == ["a/d", "a"]


def test_integers_stay_integers():
    seen = []
    model = classifier()
    member = Member(model, preprocess=lambda x: seen.append(x.dtype) or keras.ops.cast(x, "float32"))
    member(np.ones((2, 4), "uint8"))
    assert "uint8" in map(keras.backend.standardize_dtype, seen)


def test_saving_takes_what_can_be_loaded(tmp_path):
    inputs = keras.Input((2,))
    resized = Member(classifier(), keras.layers.Dense(4, name="wide"), name="a")
    model = keras.Model(inputs, resized(inputs))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(X[:, :2]), answers(model, X[:, :2]), rtol=1e-5)


def test_what_cannot_be_saved():
    with pytest.raises(ValueError, match=r"`preprocess` of member 'net' cannot be saved.*keras\.layers"):
        Member(classifier(), lambda x: x).get_config()
    import tf_keras

    old = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(2)], name="old")
    with pytest.raises(ValueError, match="'old' is a tf_keras model, which a file of Keras 3 cannot hold"):
        Member(old).get_config()
    np.testing.assert_allclose(Member(old)(X), old(X), rtol=1e-6)
