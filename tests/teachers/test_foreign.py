"""Functions of TensorFlow."""

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.teachers import foreign
from tests.teachers.conftest import X


def run(function, x=X):
    inputs = keras.tree.map_structure(lambda s: keras.Input(s.shape[1:], dtype=s.dtype), function.inputs)
    return keras.Model(inputs, foreign.Foreign(function)(inputs))(x)


def test_a_saved_model(files):
    folder, expected = files
    function = foreign.open_saved_model(folder / "net")
    np.testing.assert_allclose(run(function), expected, atol=1e-5)
    for endpoint in ("serve", "serving_default"):
        layer = keras.layers.TFSMLayer(folder / "net", call_endpoint=endpoint)
        np.testing.assert_allclose(run(foreign.of_layer(layer)), expected, atol=1e-5)


def test_signatures(tmp_path):
    class Twice(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 4), name="x"), tf.TensorSpec((None, 4), name="y")])
        def both(self, x, y):
            return {"sum": x + y, "difference": x - y}

        @tf.function(input_signature=[tf.TensorSpec(None, name="x")])
        def any_rank(self, x):
            return {"x": x}

    module = Twice()
    tf.saved_model.save(module, tmp_path / "one", signatures={"both": module.both})
    found = foreign.open_saved_model(tmp_path / "one")
    assert {key: tuple(spec.shape) for key, spec in found.inputs.items()} == {"x": (None, 4), "y": (None, 4)}
    np.testing.assert_allclose(found.run({"x": X, "y": X})["sum"], 2 * X)
    signatures = {"both": module.both, "also": module.both}
    tf.saved_model.save(module, tmp_path / "two", signatures=signatures)
    with pytest.raises(
        ValueError, match=r"no signature 'serving_default'.*(also, both|both, also).*TFSMLayer"
    ):
        foreign.open_saved_model(tmp_path / "two")
    layer = keras.layers.TFSMLayer(tmp_path / "two", call_endpoint="also")  # as the error says
    np.testing.assert_allclose(foreign.of_layer(layer).run({"x": X, "y": X})["sum"], 2 * X)
    with pytest.raises(ValueError, match="says nothing of the shape of an input"):
        foreign.of_tf_function(module.any_rank)


def test_a_signature_without_its_saved_model(files):
    folder, _ = files
    loaded = tf.saved_model.load(folder / "net")
    assert foreign.of_signature(loaded.signatures["serving_default"]).inputs.shape[1:] == X.shape[1:]
    alone = loaded.signatures["serving_default"]
    del loaded
    gc.collect()
    with pytest.raises(ValueError, match=r"they are gone. Keep what tf.saved_model.load returned, or pass"):
        foreign.of_signature(alone)


def test_a_layer_without_weights():
    layer = keras.layers.Dense(3, name="head")
    with pytest.raises(ValueError, match=r"The layer 'head' has no weights yet.*call it once on data"):
        foreign.of_layer(layer)
    layer(X)
    assert foreign.of_layer(layer).owner is layer


def test_a_damaged_saved_model(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"not one")
    with pytest.raises(ValueError, match="does not load as a SavedModel"):
        foreign.open_saved_model(tmp_path)


def test_functions():
    stated = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None, 4))])
    found = foreign.of_tf_function(stated)
    np.testing.assert_allclose(run(found), 2 * X)
    assert foreign.of_tf_function(tf.function(lambda x: x)).inputs is None
    concrete = stated.get_concrete_function()
    assert not foreign.is_signature(concrete)
    np.testing.assert_allclose(run(foreign.of_tf_function(concrete)), 2 * X)
    with pytest.raises(ValueError, match="'f' is a function of TensorFlow, which no file of Keras can hold"):
        foreign.Foreign(found, name="f").get_config()
