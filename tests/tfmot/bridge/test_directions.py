"""The two directions of the bridge, and a missing installation of tf_keras."""

import sys

import keras
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.bridge.directions import direction_from_tf_keras, direction_to_tf_keras, to_plain

L = keras.layers


def test_a_missing_installation_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ImportError, match=r"pip install .tf-keras"):
        kd.tfmot.to_tf_keras(keras.Sequential([keras.Input((4,)), L.Dense(2)]))


def test_directions_lead_from_one_library_to_the_other():
    over, back = direction_to_tf_keras(), direction_from_tf_keras()
    assert (over.source, over.target, over.name, over.forward) == (keras, tf_keras, "tf_keras", True)
    assert (back.source, back.target, back.name, back.forward) == (tf_keras, keras, "Keras 3", False)
    inner = keras.Sequential([keras.Input((2,))])
    assert over.is_model(inner)
    assert not back.is_model(inner)


def test_to_plain_unwraps_what_tf_keras_tracks():
    layer = tf_keras.layers.Layer()
    layer.tracked = {"b": [1, (2, 3)], "a": {"c": 4}}
    found = to_plain(layer.tracked)
    assert type(layer.tracked) is not dict
    assert (type(found), type(found["b"]), type(found["a"])) == (dict, list, dict)
    assert found == {"b": [1, (2, 3)], "a": {"c": 4}}
    assert direction_to_tf_keras().flatten(layer.tracked) == [4, 1, 2, 3]
