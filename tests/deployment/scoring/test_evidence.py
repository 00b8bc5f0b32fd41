"""What is known of outputs: thresholds, compiled losses, and activations in models that tell nothing."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.scoring.evidence import (
    Evidence,
    compiled_evidence,
    evidence_of,
    threshold_of,
    traced_activations,
)
from keras_kd.deployment.source.serving import make_serving
from tests.deployment import small

NUMBERS = np.random.default_rng(0).normal(size=(60, 5))
UNIT = NUMBERS / np.linalg.norm(NUMBERS, axis=1, keepdims=True)
SIGMOID, NOTHING = Evidence("sigmoid"), Evidence()


@pytest.mark.parametrize(
    ("evidence", "scores", "threshold"),
    [
        (SIGMOID, NUMBERS, 0.5),
        (Evidence(loss="binarycrossentropy", from_logits=True), UNIT, 0.0),
        (Evidence(loss="binarycrossentropy", from_logits=False), NUMBERS, 0.5),
        (Evidence(loss="hinge"), np.abs(UNIT), 0.0),
        (NOTHING, NUMBERS, 0.0),
        (NOTHING, np.abs(UNIT), 0.5),
    ],
)
def test_thresholds(evidence, scores, threshold):
    assert threshold_of(evidence, scores) == threshold


@pytest.mark.parametrize("loss", ["mse", keras.losses.MeanSquaredError(), keras.losses.huber])
def test_a_regression_comes_close_to_its_labels(loss):
    evidence = compiled_evidence(compiled(loss), ["y"])["y"]
    assert threshold_of(evidence, NUMBERS, np.array([0, 1, 0])) == 0.5
    assert threshold_of(evidence, UNIT, np.array([-1, 1, 1])) == 0.0
    assert threshold_of(Evidence("sigmoid"), UNIT, np.array([-1, 1])) == 0.5


def compiled(loss):
    model = small.dense()
    model.compile("sgd", loss)
    return model


def custom(y_true, y_pred):
    return y_pred


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        ("sparse_categorical_crossentropy", "classes"),
        (keras.losses.CategoricalCrossentropy(from_logits=True), "classes"),
        (keras.losses.categorical_crossentropy, "classes"),
        (keras.losses.CategoricalFocalCrossentropy(), "classes"),
        ("kld", "classes"),
        ("bce", "labels"),
        (keras.losses.BinaryCrossentropy(from_logits=True), "labels"),
        ("mse", None),
        (keras.losses.CosineSimilarity(), None),
        (custom, None),
        (None, None),
    ],
)
def test_compiled_losses(loss, kind):
    assert compiled_evidence(compiled(loss), ["y"]).get("y", NOTHING).kind == kind


def test_losses_of_several_outputs():
    names = ["a", "b"]
    by_name = compiled_evidence(compiled({"b": "bce"}), names)
    assert [by_name.get(name, NOTHING).kind for name in names] == [None, "labels"]
    in_order = compiled_evidence(compiled(["mse", "sparse_categorical_crossentropy"]), names)
    assert [in_order[name].kind for name in names] == [None, "classes"]
    ignoring = keras.losses.SparseCategoricalCrossentropy(ignore_class=255)
    assert compiled_evidence(compiled(ignoring), ["y"])["y"].ignored == 255
    assert compiled_evidence("no model", names) == compiled_evidence(small.dense(), names) == {}


def test_nested_losses_go_by_the_flattened_order():
    nested = compiled_evidence(compiled([["bce", "mse"], "sparse_categorical_crossentropy"]), ["a", "b", "c"])
    assert [nested[name].kind for name in "abc"] == ["labels", None, "classes"]


def test_losses_go_by_the_names_that_keras_gave_to_layers():
    inputs = keras.Input((4,))
    classes, number = keras.layers.Dense(3), keras.layers.Dense(1)
    model = keras.Model(inputs, [classes(inputs), number(inputs)])
    model.compile("sgd", {number.name: "mse", classes.name: "sparse_categorical_crossentropy"})
    found = compiled_evidence(model, ["output_0", "output_1"])
    assert [found[name].kind for name in ("output_0", "output_1")] == ["classes", None]
    assert found["output_1"].loss == "meansquarederror"


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(3)

    def call(self, x):
        return {"scores": keras.ops.softmax(self.head(x)), "raw": self.head(x), "a": keras.ops.sigmoid(x)}


def test_activations_are_found_in_models_that_tell_nothing_of_themselves():
    model = Own()
    model(np.ones((2, 4), "float32"))
    found = traced_activations(make_serving(model))
    assert found == {"a": "sigmoid", "raw": None, "scores": "softmax"}


def test_activations_come_in_the_order_of_the_outputs():
    """Lists of losses go by it, and models whose outputs have other names."""
    inputs = keras.Input((4,))
    box = keras.layers.Dense(2, name="box")(inputs)
    model = keras.Model(inputs, [keras.layers.Dense(3, "softmax", name="kind")(inputs), box])
    assert list(traced_activations(make_serving(model)).items()) == [("kind", "softmax"), ("box", None)]


def test_of_a_model_that_cannot_be_traced_its_loss_is_known():
    image = keras.Input((None, None, 3))
    up = keras.layers.UpSampling2D(interpolation="bilinear")(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 1, name="map")(up))
    assert traced_activations(make_serving(model)) == {"map": None}


def test_all_that_is_known_of_a_model():
    inputs = keras.Input((4,))
    outputs = {
        name: keras.layers.Dense(2, end, name=name)(inputs) for name, end in (("a", "softmax"), ("b", None))
    }
    model = keras.Model(inputs, outputs)
    assert evidence_of(model, make_serving(model)) == {"a": Evidence("softmax"), "b": NOTHING}
    model.compile("sgd", {"a": "kld", "b": "mse"})
    known = evidence_of(model, make_serving(model))
    assert known == {"a": Evidence("softmax", "kldivergence"), "b": Evidence(loss="meansquarederror")}
