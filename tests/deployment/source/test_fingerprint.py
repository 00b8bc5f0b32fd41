"""A fingerprint is that of the model: the same after saving, another with other weights or layers."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.source.fingerprint import Fingerprint

layers = keras.layers


def branches(activation="relu", name=None, order=(0, 1)):
    image = keras.Input((6, 6, 1))
    x = layers.BatchNormalization()(layers.Conv2D(3, 3, activation=activation, name=name)(image))
    x = layers.GlobalAveragePooling2D()(x)
    inner = keras.Sequential([layers.Dense(3, name=f"{name}s"), layers.Dropout(0.2)])(x)
    both = [inner, x + 1]
    return keras.Model(image, layers.Dense(2)(layers.Subtract()([both[i] for i in order])))


def deferred(activation="relu"):
    model = keras.Sequential([layers.Bidirectional(layers.LSTM(3)), layers.Dense(2, activation=activation)])
    model(np.zeros((2, 4, 3), "float32"))
    return model


@keras.saving.register_keras_serializable("tests")
class Unconfigured(layers.Layer):
    def get_config(self):
        raise RuntimeError("nothing is known of it")

    def call(self, x):
        return 2 * x


def filled(model, seed=0):
    """The model with weights that depend on nothing but the seed."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.random(weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("make", [branches, deferred])
@pytest.mark.parametrize("suffix", [".keras", pytest.param(".weights.h5", id="rebuilt")])
def test_saving_and_loading_keep_it(make, suffix, tmp_path):
    model = filled(make())
    if suffix == ".keras":
        model.save(tmp_path / "m.keras")
        loaded = keras.saving.load_model(tmp_path / "m.keras")
    else:  # by the same code, whose layers get other names now
        model.save_weights(tmp_path / f"m{suffix}")
        loaded = make()
        assert loaded.name != model.name
        loaded.load_weights(tmp_path / f"m{suffix}")
    assert Fingerprint.of(loaded) == Fingerprint.of(model)


def test_names_training_and_freezing_say_nothing():
    model, same = filled(branches()), filled(branches(name="relu"))
    same.compile("adam", "mse", metrics=["mae"])
    same.predict(np.zeros((1, 6, 6, 1)), verbose=0)
    same.layers[1].trainable = False
    assert Fingerprint.of(same) == Fingerprint.of(model)


def test_other_layers_or_other_wires_are_another_model():
    models = [branches(), branches("tanh"), branches(order=(1, 0)), deferred(), deferred("softmax")]
    found = {Fingerprint.of(filled(model)) for model in models}
    assert len({fingerprint.layers for fingerprint in found}) == len(models)
    assert len({fingerprint.weights for fingerprint in found}) == 2


def test_any_weight_counts_moving_averages_too():
    model = filled(branches())
    found = {Fingerprint.of(model).weights}
    for weight in model.weights:
        weight.assign_add(np.full(weight.shape, 1e-3))
        found.add(Fingerprint.of(model).weights)
    assert len(found) == 1 + len(model.weights)
    shapes = [
        keras.Sequential([keras.Input((a,)), layers.Dense(b, use_bias=False)]) for a, b in ((2, 3), (3, 2))
    ]
    for one in shapes:
        one.set_weights([np.ones(weight.shape) for weight in one.weights])
    assert len({Fingerprint.of(one).weights for one in shapes}) == 2


def test_layers_without_a_configuration_count_by_their_kind():
    def model(layer):
        return keras.Sequential([keras.Input((2,)), layer])

    once, again, other = (
        Fingerprint.of(model(layer)) for layer in (Unconfigured(), Unconfigured(), layers.ReLU())
    )
    assert once == again != other


def test_where_the_code_of_a_lambda_stands_says_nothing():
    first = layers.Lambda(lambda x: 2 * x)
    again = layers.Lambda(lambda x: 2 * x)
    models = [keras.Sequential([keras.Input((2,)), layer]) for layer in (first, again)]
    assert Fingerprint.of(models[0]) == Fingerprint.of(models[1])
