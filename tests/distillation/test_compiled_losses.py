"""What is known of the losses that `compile` was given."""

import keras
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.distillation.compiled_losses import (
    ignored_class,
    kind_of,
    losses_by_output,
    name_of,
    reads_labels,
    takes_logits,
    tells_classes_apart,
)

losses = keras.losses


class Own(losses.SparseCategoricalCrossentropy):
    """What it makes of `from_logits` is not known."""


def own(y, p):
    return keras.ops.mean(p, -1)


SPARSE, CATEGORICAL = "sparse_categorical_crossentropy", "categorical_crossentropy"
KNOWN = {
    "a name": (SPARSE, SPARSE, "sparse", False),
    "a function": (losses.sparse_categorical_crossentropy, SPARSE, "sparse", False),
    "a class": (losses.CategoricalCrossentropy, CATEGORICAL, "categorical", False),
    "an object": (losses.CategoricalCrossentropy(from_logits=True), CATEGORICAL, "categorical", True),
    "with a name of its own": (
        losses.CategoricalCrossentropy(name="hard"),
        CATEGORICAL,
        "categorical",
        False,
    ),
    "of tf_keras": (
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        SPARSE,
        "sparse",
        True,
    ),
    "of tf_keras, by function": (
        tf_keras.losses.binary_crossentropy,
        "binary_crossentropy",
        "elementwise",
        False,
    ),
    "focal": (
        losses.CategoricalFocalCrossentropy(from_logits=True),
        "categorical_focal_crossentropy",
        "categorical",
        True,
    ),
    "binary focal": (losses.BinaryFocalCrossentropy(), "binary_focal_crossentropy", None, False),
    "suited to the labels": ("crossentropy", "", None, False),
    "suited to the labels, in short": ("CE", "", None, False),
    "hinge": ("categorical_hinge", "categorical_hinge", None, None),
    "squares": ("mse", "mean_squared_error", "elementwise", None),
    "derived from Keras's": (Own(from_logits=True), "", None, None),
    "the user's own": (own, "", None, None),
    "none": (None, "", None, None),
}


@pytest.mark.parametrize(("loss", "name", "kind", "logits"), KNOWN.values(), ids=KNOWN)
def test_what_is_known_of_a_loss(loss, name, kind, logits):
    assert (name_of(loss), kind_of(loss), takes_logits(loss)) == (name, kind, logits)
    of_classes = kind in ("sparse", "categorical") or str(loss).lower() in ("ce", "crossentropy")
    assert tells_classes_apart(loss) == of_classes


@pytest.mark.parametrize(
    ("weights", "weight", "objectives", "found"),
    [
        (None, 1.0, [], True),
        (None, 0.0, [], False),
        (0.5, 1.0, [], True),
        (0.0, 1.0, [kd.Objective("mse")], False),
        ([0.0], 1.0, [], False),
        (0.0, 1.0, [kd.Objective(kd.losses.DecoupledKD(), teacher=("output", "labels"))], True),
    ],
)
@pytest.mark.parametrize("of", [keras, tf_keras])
def test_whether_labels_are_read(of, weights, weight, objectives, found):
    model = of.Sequential([of.layers.Input((2,)), of.layers.Dense(2)])
    model.compile("sgd", loss="mse", loss_weights=weights)
    assert reads_labels(model, weight, objectives) is found


def test_the_label_that_a_loss_leaves_out():
    assert ignored_class(losses.SparseCategoricalCrossentropy(ignore_class=255)) == 255
    assert ignored_class(losses.SparseCategoricalCrossentropy()) is None
    assert ignored_class(SPARSE) is None


PAIRS = {
    "one for all": ("mse", ["a", "b"], None, {"a": "mse", "b": "mse"}),
    "keys": ({"a": "mse"}, ["a", "b"], None, {"a": "mse"}),
    "a list": (["mse", None], ["0", "1"], ["x", "y"], {"0": "mse", "1": None}),
    "names of a list": ({"y": "mse"}, ["0", "1"], ["x", "y"], {"1": "mse"}),
    "nested": ({"h": {"a": "mse"}}, ["h/a", "h/b"], None, {"h/a": "mse"}),
    "a list of one": (["mse"], [""], ["x"], {"": "mse"}),
    "a name that no output has": ({"z": "mse"}, ["0", "1"], ["x", "y"], {}),
    "as many names as nothing": ({"y": "mse"}, ["0", "1"], None, {}),
}


@pytest.mark.parametrize(("loss", "paths", "names", "found"), PAIRS.values(), ids=PAIRS)
def test_which_output_a_loss_belongs_to(loss, paths, names, found):
    assert losses_by_output(loss, paths, names) == found
