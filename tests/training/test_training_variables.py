import keras
import numpy as np
import pytest

from keras_kd.training.training_variables import (
    assign_values,
    find_mismatch,
    read_values,
    require_variables,
    training_variables,
)


def compiled(width=3, optimizer="adam"):
    layers = [keras.Input((2,)), keras.layers.Dense(width), keras.layers.Dropout(0.5, seed=1)]
    model = keras.Sequential(layers)
    model.compile(optimizer, loss="mse", run_eagerly=True)
    return model


def test_weights_seeds_and_the_slots_of_the_optimizer_make_the_round_trip():
    model, other = compiled(), compiled()
    x = np.ones((4, 2), "float32")
    model.fit(x, np.zeros((4, 3)), verbose=0)
    variables = training_variables(other)  # builds the optimizer
    # kernel, bias, seed; iterations, learning rate, two moments for each weight
    assert len(variables) == 3 + 2 + 4
    assign_values(other, variables, read_values(training_variables(model)))
    for each in (model, other):
        each.train_on_batch(x, np.ones((4, 3)))
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_model_without_an_optimizer_has_weights_only():
    assert len(training_variables(compiled(optimizer=None))) == 3


def test_a_mismatch_names_the_first_shape_that_differs():
    values = read_values(training_variables(compiled(3)))
    assert find_mismatch(training_variables(compiled(3)), values) is None
    assert (
        find_mismatch(training_variables(compiled(4)), values)
        == "9 were saved, and 9 are expected; the first that differs has shape (2, 3), not (2, 4)"
    )
    assert find_mismatch(training_variables(compiled(3))[:7], values) == "9 were saved, and 7 are expected"


def test_a_model_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match="'deferred' does not have all of them yet"):
        require_variables(keras.Sequential([keras.layers.Dense(3)], name="deferred"))
    require_variables(compiled())
