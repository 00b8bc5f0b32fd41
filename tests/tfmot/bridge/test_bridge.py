"""Whole models over the bridge and back: what they compute, what they are called, what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from tests.tfmot.bridge.models import Scale, Subclassed, TfScale, assert_same, both_ways, normal, randomized

L = keras.layers


def test_names_flags_and_penalties_survive():
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, L.Dense(3, name="inside")(inner_input), name="backbone")
    model = keras.Sequential(
        [
            keras.Input((4,), name="photo", batch_size=2),
            inner,
            L.Dense(3, name="frozen", kernel_constraint=keras.constraints.MaxNorm(2.0, axis=0)),
            L.Dense(3, name="free", kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2)),
        ],
        name="student",
    )
    model.get_layer("frozen").trainable = False
    inner.get_layer("inside").trainable = False
    over, back = both_ways(randomized(model), normal(4))
    for each, library in ((over, tf_keras), (back, keras)):
        assert isinstance(each, library.Sequential)
        assert each.name == "student"
        assert each.inputs[0].shape == (2, 4)
        assert [layer.name for layer in each.layers] == ["backbone", "frozen", "free"]
        assert [layer.trainable for layer in each.layers] == [True, False, True]
        assert not each.get_layer("backbone").get_layer("inside").trainable
        assert each.get_layer("backbone").trainable
        regularizer = each.get_layer("free").kernel_regularizer.get_config()
        np.testing.assert_allclose([regularizer["l1"], regularizer["l2"]], [0.1, 0.2], rtol=1e-6)
        assert each.get_layer("frozen").kernel_constraint.get_config() == {"max_value": 2.0, "axis": 0}
    assert over.get_layer("backbone").input_names == [inner.layers[0].name]
    assert over.input_names == ["photo"]
    np.testing.assert_allclose(float(sum(over.losses)), float(sum(model.losses)), rtol=1e-6)


def test_models_built_by_their_first_data_are_bridged():
    late = keras.Sequential([L.Dense(3, name="one"), keras.Sequential([L.Dense(2)], name="two")])
    late(normal(4))
    both_ways(randomized(late), normal(4))
    other = tf_keras.Sequential([tf_keras.layers.Dense(3), tf_keras.layers.Dense(2)])
    other(normal(4))
    assert_same(other, kd.tfmot.from_tf_keras(other), normal(4))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_what_a_stateful_layer_remembers_goes_along(kind):
    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 4)), getattr(L, kind)(3, stateful=True)])
    data = normal(3, 4)
    model(data)
    before = [np.array(state) for state in model.layers[0].states]
    over = kd.tfmot.to_tf_keras(model)
    for state, kept in zip(model.layers[0].states, before, strict=True):
        np.testing.assert_array_equal(np.array(state), kept)  # checking used the model and put it back
    back = kd.tfmot.from_tf_keras(over)
    expected = model(data)
    np.testing.assert_allclose(over(data), expected, atol=1e-6)
    np.testing.assert_allclose(back(data), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("convert", "make", "error", "message"),
    [
        ("to_tf_keras", lambda: tf_keras.Sequential(), TypeError, "from_tf_keras"),
        ("to_tf_keras", lambda: "student.keras", TypeError, "takes a Keras 3 model"),
        ("from_tf_keras", lambda: keras.Sequential(), TypeError, "to_tf_keras"),
        ("from_tf_keras", lambda: 3, TypeError, "takes a tf_keras model"),
        ("to_tf_keras", lambda: keras.Sequential([L.Dense(2)]), ValueError, "not built"),
        ("from_tf_keras", lambda: tf_keras.Sequential([tf_keras.layers.Dense(2)]), ValueError, "not built"),
        ("to_tf_keras", lambda: Subclassed(name="s"), ValueError, "a subclassed model"),
    ],
)
def test_a_model_of_the_wrong_library_is_refused(convert, make, error, message):
    with pytest.raises(error, match=message):
        getattr(kd.tfmot, convert)(make())


@pytest.mark.parametrize("mapping", [{"Scale": TfScale}, {Scale: "TfScale"}], ids=["key", "value"])
def test_custom_layers_that_map_other_things_are_refused(mapping):
    model = keras.Sequential([keras.Input((4,)), Scale()])
    with pytest.raises(TypeError, match="custom_layers maps layer classes"):
        kd.tfmot.to_tf_keras(model, custom_layers=mapping)
    with pytest.raises(TypeError, match=r"custom_layers is a dict .* received \[<class .*Scale"):
        kd.tfmot.to_tf_keras(model, custom_layers=[Scale])


def small():
    inputs = keras.Input((6, 6, 3))
    x = L.Conv2D(4, 3, activation="hard_silu", name="conv")(inputs)
    x = L.BatchNormalization(name="norm")(2.0 * x)
    return randomized(keras.Model(inputs, L.Dense(3, name="logits")(keras.ops.mean(x, axis=(1, 2)))))


@pytest.mark.slow
def test_a_model_with_called_operations_is_pruned_whole_and_comes_back():
    pruning = kd.tfmot.import_tfmot().sparsity.keras
    model = small()
    wrapped = pruning.prune_low_magnitude(
        kd.tfmot.to_tf_keras(model), pruning.ConstantSparsity(0.5, begin_step=0, frequency=1)
    )
    with pytest.raises(ValueError) as error:
        kd.tfmot.from_tf_keras(wrapped)
    assert str(error.value).count("PruneLowMagnitude") == 5
    assert "call strip_pruning on the model first" in str(error.value)
    wrapped.compile("sgd", "mse")
    data = normal(6, 6, 3)
    wrapped.fit(data, tf.zeros((2, 3)), callbacks=[pruning.UpdatePruningStep()], verbose=0)
    stripped = pruning.strip_pruning(wrapped)
    back = kd.tfmot.from_tf_keras(stripped)
    assert_same(stripped, back, data)
    for name in ("conv", "logits"):
        assert np.mean(back.get_layer(name).kernel.numpy() == 0) == 0.5
    assert [layer.name for layer in back.operations] == [layer.name for layer in model.operations]


@pytest.mark.slow
def test_a_quantize_aware_model_cannot_come_back():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="relu", name="head")])
    quantized = kd.tfmot.import_tfmot().quantization.keras.quantize_model(kd.tfmot.to_tf_keras(model))
    with pytest.raises(ValueError, match="quantization-aware models cannot return to Keras 3: export them"):
        kd.tfmot.from_tf_keras(quantized)
