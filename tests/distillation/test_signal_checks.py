"""Signals that a loss would misread."""

import keras
import pytest

import keras_kd as kd
from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.signal_checks import check_signals
from keras_kd.signals.tracing import SignalSpec
from tests.distillation.conftest import convnet, one_step


def test_a_cross_entropy_of_student_logits_may_read_a_softmax_teacher(batch):
    x, y = batch
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    distiller = kd.Distiller(convnet(4), convnet(8, "t", activation="softmax"), [loss])
    assert one_step(distiller, x, y)["categorical_crossentropy"] > 0


def signal(activation=None, **known):
    return SignalSpec((None, 3), "float32", activation, **known)


class PerSample(kd.losses.SignalLoss):
    def call(self, teacher, student):
        return keras.ops.sum(teacher - student, -1)


MISREAD = {
    "probabilities": ("kl_divergence", signal(), "is not a probability"),
    "sigmoid": ("soft_targets", signal("sigmoid"), "ends in a sigmoid.*Use kd.losses.BinarySoftTargets"),
    "softmax": ("binary_soft_targets", signal("softmax"), r"ends in a softmax.*Use kd.losses.SoftTargets\("),
    "mask": (PerSample(), signal(mask=(None,)), "carries a padding mask, and 'per_sample' cannot leave out"),
}


@pytest.mark.parametrize("side", ["student", "teacher"])
@pytest.mark.parametrize(("loss", "wrong", "message"), MISREAD.values(), ids=MISREAD)
def test_check_signals_names_the_side_and_the_tap(loss, wrong, message, side):
    objective = kd.Objective(loss)
    with pytest.raises(ValueError, match=f"the {side}'s 'output' {message}"):
        check_signals(objective, Signals(**{side: {"output": wrong}}))
    check_signals(objective, Signals(**{side: {"output": wrong._replace(given=True)}}))


def test_check_signals_lets_losses_declare_what_they_take():
    logits = Signals({"output": signal()}, {"output": signal("softmax")})
    check_signals(kd.Objective(keras.losses.CategoricalCrossentropy(from_logits=True)), logits)
    check_signals(kd.Objective("kl_divergence", teacher="labels"), Signals({"output": signal()}))
    with pytest.raises(ValueError, match="the student's 'output' is not a probability"):
        check_signals(kd.Objective("categorical_crossentropy"), logits)
