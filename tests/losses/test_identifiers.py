"""`kd.losses.get`: names, configurations, functions, and near misses."""

import keras
import pytest

import keras_kd as kd


def test_get_takes_losses_names_configurations_and_functions():
    loss = kd.losses.SoftTargets(2.0)
    assert kd.losses.get(loss) is loss
    assert isinstance(kd.losses.get("attention_transfer"), kd.losses.AttentionTransfer)
    assert isinstance(kd.losses.get("logits_mse"), kd.losses.LogitsMSE)
    assert isinstance(kd.losses.get(keras.losses.Huber()), kd.losses.Elementwise)
    assert isinstance(kd.losses.get(keras.losses.mean_squared_error), kd.losses.Elementwise)
    config = keras.saving.serialize_keras_object(loss)
    assert kd.losses.get(config).temperature == 2.0

    class Own(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.sum(student, -1)

    own = Own(reduction="sum")
    assert kd.losses.get(own).loss is own
    assert kd.losses.get(own).reduction == "sum"


def test_a_name_is_not_enough_for_a_loss_with_arguments():
    with pytest.raises(ValueError, match=r"Write kd.losses.OverhaulFeature\(margin=...\)"):
        kd.losses.get("overhaul_feature")


def test_every_other_loss_has_a_name():
    names = [name for name in kd.losses.__all__ if isinstance(getattr(kd.losses, name), type)]
    for name in set(names) - {"SignalLoss", "OverhaulFeature"}:
        loss = getattr(kd.losses, name)()
        assert type(kd.losses.get(loss.name)) is type(loss)


def test_an_unknown_name_gets_near_misses_or_all_names():
    with pytest.raises(ValueError, match=r"Unknown loss 'soft_target'\. Did you mean 'soft_targets'"):
        kd.losses.get("soft_target")
    with pytest.raises(ValueError, match=r"Unknown loss 'qqq'\. The names are .*'dist', .*'mse'"):
        kd.losses.get("qqq")


def test_what_is_no_loss_is_refused():
    with pytest.raises(TypeError, match=r"received the class SoftTargets\. Call it: SoftTargets\(\)"):
        kd.losses.get(kd.losses.SoftTargets)
    with pytest.raises(TypeError, match=r"or a function \(teacher, student\)\. Received: 3"):
        kd.losses.get(3)
