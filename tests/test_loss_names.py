"""The names of losses, which have to be those that Keras and kd.losses know."""

import keras
import pytest

import keras_kd as kd
from keras_kd.loss_names import OF_KERAS, OURS, check_loss_name, one_spelling, snake_case


def is_known_to_keras(name):
    try:
        keras.losses.get(name)
    except (TypeError, ValueError):
        return False
    return True


def test_the_lists_are_whole():
    assert sorted(OURS) == sorted({*kd.losses.__all__} - {"SignalLoss", "get"})
    public = {*dir(keras.losses), *map(snake_case, dir(keras.losses)), *map(str.upper, dir(keras.losses))}
    assert {*OF_KERAS} >= {name for name in public if is_known_to_keras(name)} - {"Loss"}
    assert [name for name in OF_KERAS if not is_known_to_keras(name)] == []


def test_names_of_classes():
    names = {"SoftTargets": "soft_targets", "KDLoss": "kd_loss", "DIST": "dist", "LogitsMSE": "logits_mse"}
    assert {name: snake_case(name) for name in names} == names


def test_names_that_keras_has_for_one_loss_have_one_spelling():
    def plain(name):
        loss = keras.losses.get(name)
        return getattr(loss, "__name__", type(loss).__name__).replace("_", "").lower()

    assert [name for name in OF_KERAS if one_spelling(name).replace("_", "") != plain(name)] == []
    assert one_spelling("DecoupledKD") == one_spelling("decoupled_kd") == "decoupled_kd"
    assert one_spelling("mine") == "mine"


@pytest.mark.parametrize("name", ["soft_targets", "SoftTargets", "DIST", "dist", "mse", "KLDivergence"])
def test_names_of_losses(name):
    check_loss_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("soft_target", "Did you mean 'soft_targets'"),
        ("mze", "Did you mean 'mse'"),
        ("binary_crossentropi", "Did you mean 'binary_crossentropy'"),
        ("SignalLoss", "Unknown loss 'SignalLoss'"),
        ("softtargets", "Did you mean 'soft_targets'"),
        ("qqq", "The names are .*'dist', .*'mse'"),
    ],
)
def test_unknown_losses(name, message):
    with pytest.raises(ValueError, match=message):
        check_loss_name(name)
    with pytest.raises(ValueError, match=message):
        kd.losses.get(name)
