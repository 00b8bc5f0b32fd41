"""The metrics with which a model was compiled."""

import keras
import pytest
from keras import layers

from keras_kd.compression.sensitivity.compiled_metrics import compiled_metrics


class Own(keras.metrics.MeanAbsoluteError):
    """A metric that is not registered."""


def model(outputs):
    inputs = keras.Input((4,))
    made = [layers.Dense(1, name=name)(inputs) for name in outputs]
    return keras.Model(inputs, made[0] if len(made) == 1 else made)


@pytest.mark.parametrize(
    ("outputs", "metrics", "found"),
    [
        ("a", ["mae"], {"a": "mae"}),
        ("a", [["mae", "mse"]], {"a": "mae"}),
        ("a", None, {}),
        ("a", [], {}),
        ("a", {"a": ["mse"]}, {"a": "mse"}),
        ("ab", {"b": "mse"}, {"b": "mse"}),
        ("ab", [["mae"], ["mse"]], {"a": "mae", "b": "mse"}),
        ("ab", [[], "mse"], {"b": "mse"}),
        ("a", [Own()], {}),
    ],
)
def test_the_first_of_each_output(outputs, metrics, found):
    made = model(outputs)
    made.compile("sgd", "mse", metrics=metrics)
    assert compiled_metrics(made, list(outputs)) == found


def test_objects_and_functions_are_made_anew():
    made = model("a")
    metric = keras.metrics.RootMeanSquaredError(name="rmse")
    made.compile("sgd", "mse", metrics=[metric])
    found = compiled_metrics(made, ["a"])["a"]
    assert (type(found), found.name) == (keras.metrics.RootMeanSquaredError, "rmse")
    assert found is not metric
    made.compile("sgd", "mse", metrics=[keras.metrics.mean_absolute_error])
    assert compiled_metrics(made, ["a"]) == {"a": keras.metrics.mean_absolute_error}


def test_a_model_that_is_not_compiled_has_none():
    assert compiled_metrics(model("a"), ["a"]) == {}
