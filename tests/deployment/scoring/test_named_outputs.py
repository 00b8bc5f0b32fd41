"""Labels and metrics by the names of files and those of Keras, against what Keras itself takes."""

import keras
import numpy as np
import pytest
import tf_keras

from keras_kd.deployment.scoring.named_outputs import (
    common_names,
    keras_names,
    labels_by_name,
    metric_of_each,
    own_labels,
    own_names,
    why_without,
)

X = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
NAMES = {"dense_1": "output_0", "dense_2": "output_1"}


def two_heads(library=keras, **names):
    inputs = library.Input((4,))
    return library.Model(inputs, [library.layers.Dense(3, **names)(inputs), library.layers.Dense(1)(inputs)])


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_names_are_those_that_evaluate_takes(library):
    model = two_heads(library)
    names = keras_names(model)
    assert list(names.values()) == ["output_0", "output_1"]
    assert keras_names(model, ["a", "b"]) == dict(zip(names, "ab", strict=True))
    wanted = model.predict(X, verbose=0)
    labels = {name: wanted[int(own[-1])] for name, own in names.items()}
    model.compile(loss=dict.fromkeys(names, "mse"))
    assert max(np.ravel(model.evaluate(X, labels, verbose=0))) < 1e-9


def test_models_that_name_no_outputs():
    class Two(keras.Model):
        def call(self, x):
            return x, x

    assert keras_names(Two()) == keras_names(Two(), ["output_0", "output_1"]) == {}
    inputs, twice = keras.Input((4,)), keras.layers.Dense(4, name="twice")
    outputs = [twice(inputs), twice(twice(inputs)), keras.layers.Dense(2, name="once")(inputs)]
    assert list(keras_names(keras.Model(inputs, outputs))) == ["once"]


def test_names_that_mean_another_output_in_another_model():
    keras.backend.clear_session()
    one, other = two_heads(), two_heads(name="dense_1")  # dense, dense_1; then dense_1, dense_2
    assert keras_names(one) == {"dense": "output_0", "dense_1": "output_1"}
    assert keras_names(other) == {"dense_1": "output_0", "dense_2": "output_1"}
    assert common_names([one, other]) == {"dense": "output_0", "dense_2": "output_1"}
    assert common_names([one]) == keras_names(one)
    assert common_names([]) == {}


def test_own_names():
    assert own_names({"dense_2": 2, "output_0": 0}, NAMES) == {"output_1": 2, "output_0": 0}
    assert own_names({"other": 1}, NAMES) == {"other": 1}
    counted_from_one = {"output_1": "output_0", "output_2": "output_1"}
    assert own_names({"output_1": 1, "output_2": 2}, counted_from_one) == {"output_0": 1, "output_1": 2}
    assert own_names({"output_0": 0, "output_1": 1}, counted_from_one) == {"output_0": 0, "output_1": 1}
    with pytest.raises(ValueError, match="An output is given twice: as 'dense_1' and 'output_0'"):
        own_names({"dense_1": 1, "output_0": 1}, NAMES)


def test_one_array_is_that_of_the_only_output_with_a_metric():
    ones = np.ones(3)
    assert own_labels({"dense_2": 2}, NAMES) == {"output_1": 2}
    assert own_labels(ones, NAMES, {"dense_2": "mae"}) == {"output_1": ones}
    assert own_labels([1, 0, 1], NAMES, {"output_0": "mae"}) == {"output_0": [1, 0, 1]}
    assert own_labels(ones, NAMES, "mae") is ones
    assert own_labels(ones, NAMES, {"dense_1": "mae", "dense_2": "mae"}) is ones
    assert own_labels(None, NAMES, {"dense_1": "mae"}) is None
    both = [ones, ones]
    assert own_labels(both, NAMES, {"dense_1": "mae"}) is both


def test_labels_and_metrics_find_their_outputs():
    assert labels_by_name({"b": 1}, ["a", "b"]) == {"b": 1}
    assert labels_by_name([1, 2], ["a", "b"]) == {"a": 1, "b": 2}
    assert labels_by_name({"label": 1}, ["output_0"]) == {"output_0": 1}
    assert labels_by_name(None, ["a"]) == labels_by_name(np.ones(3), ["a", "b"]) == {}
    assert labels_by_name([1, 2], ["a"])["a"].tolist() == [1, 2]
    with pytest.raises(ValueError, match="Labels: Unknown name 'beta'"):
        labels_by_name({"beta": 1}, ["a", "b"])
    assert metric_of_each("mae", ["a", "b"]) == {"a": "mae", "b": "mae"}
    assert metric_of_each({"a": "mae"}, ["a", "b"]) == {"a": "mae", "b": None}
    assert metric_of_each({"dense": "mae"}, ["a", "b"], {"dense": "b"}) == {"a": None, "b": "mae"}
    with pytest.raises(ValueError, match=r"the outputs are \['left', 'right'\]. Did you mean 'left'"):
        metric_of_each({"leftt": "mae"}, ["left", "right"])


def test_why_an_output_has_no_labels():
    two, ones = ["a", "b"], np.ones(3)
    assert why_without(None, two) == why_without({"x": ones}, ["a"]) == "the data has no labels"
    assert why_without({"a": ones}, two) == "the data has no labels of this output"
    one = r"the labels are one array for 2 outputs (pass a dict by their names ['a', 'b'], or a list of one "
    assert why_without(ones, two) == why_without([1, 2, 3], two) == f"{one}array for each)"
    assert why_without([ones, ones, ones], two).startswith("the labels are 3 arrays for 2 outputs")
