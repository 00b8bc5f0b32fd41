"""Models that are not for tfmot, layers chosen by name, and the callback that a pruned student needs."""

import keras
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.checks import (
    check_supported,
    check_updates,
    check_updates_run,
    find_layers,
    find_pruned_layers,
    select_layers,
)
from tests.tfmot.students import STRIPS, WRAPS, assert_refused, nested, network, pruned, refused, student


class Subclassed(tf_keras.Model):
    pass


REFUSED = {
    **{
        f"{name}: a model of Keras 3": (
            lambda function=function: function(network(keras, 4, "student")),
            TypeError,
            r"kd\.tfmot\.to_tf_keras\(model\)",
        )
        for name, function in (WRAPS | STRIPS).items()
    },
    **{
        f"{name}: wrapped before": (
            lambda wrap=wrap: wrap(pruned()),
            ValueError,
            r"2 layers are already wrapped by tfmot, first 'prune_low_magnitude_hidden'.*strip_pruning",
        )
        for name, wrap in WRAPS.items()
    },
    "a model that is not built": (lambda: find_layers(Subclassed(), "wrap"), ValueError, "is not built"),
    "an unknown layer": (
        lambda: kd.tfmot.prune_low_magnitude(student(), layers=["hiden"]),
        ValueError,
        "no layer 'hiden'. Did you mean 'hidden'. Layers to choose from: 'hidden', 'head'",
    ),
    "no layer": (lambda: kd.tfmot.prune_low_magnitude(student(), layers=[]), ValueError, "is empty"),
    "a Distiller": (
        lambda: kd.tfmot.strip_pruning(kd.tfmot.Distiller(pruned(), network(keras, 4, "teacher"))),
        TypeError,
        r"distiller\.student",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "error", "message"), refused(REFUSED))
def test_other_models_and_names_are_refused(make, error, message):
    assert_refused(make, error, message)


def test_layers_of_nested_models_are_found_and_selected_by_path():
    layers = find_layers(nested(), "wrap")
    assert list(layers) == ["backbone/hidden", "backbone/head"]
    assert select_layers(layers, None) == layers
    assert list(select_layers(layers, "backbone/head")) == ["backbone/head"]


def test_unsupported_layers_are_named_with_what_is_left():
    layers = find_layers(student(), "wrap")
    check_supported({}, layers, "wrap")
    with pytest.raises(ValueError, match=r"'head' \(odd\)\. Leave them out: layers=\['hidden'\]"):
        check_supported({"head": "odd"}, layers, "wrap")
    with pytest.raises(ValueError, match="No other layer is left"):
        check_supported(dict.fromkeys(layers, "odd"), layers, "wrap")


def test_a_pruned_student_needs_the_callback_UpdatePruningStep():
    model = pruned()
    assert [layer.name for layer in find_pruned_layers(model)] == [
        "prune_low_magnitude_hidden",
        "prune_low_magnitude_head",
    ]
    update = kd.tfmot.import_tfmot().sparsity.keras.UpdatePruningStep()
    for callbacks in (None, [], [tf_keras.callbacks.History()]):
        with pytest.raises(ValueError, match=r"needs the callback tfmot\.sparsity\.keras\.UpdatePruningStep"):
            check_updates(model, callbacks)
        check_updates(student(), callbacks)
    check_updates(model, update)
    check_updates(model, tf_keras.callbacks.CallbackList([update]))
    with pytest.raises(ValueError, match="Before a single batch"):
        check_updates_run(model)
    update.set_model(model)
    update.on_train_begin()
    check_updates_run(model)
