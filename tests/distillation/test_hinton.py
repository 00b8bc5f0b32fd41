"""Hinton's blend: what a Distiller without objectives trains on."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.distillation.hinton import ALPHA, TEMPERATURE, default_objectives
from tests.distillation.conftest import convnet, cross_entropy, hinton, mlp, one_step


def test_default_is_hintons_blend(batch):
    x, y = batch
    student, teacher = mlp(8, "s"), mlp(32, "t")
    total, hard, soft = hinton(student, teacher, x, y, temperature=4.0, alpha=0.1)
    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    logs = distiller.fit(x, y, batch_size=32, verbose=0).history
    assert list(logs) == ["accuracy", "loss", "soft_targets", "student_loss"]
    np.testing.assert_allclose(
        [logs["loss"][0], logs["student_loss"][0], logs["soft_targets"][0]], [total, hard, soft], rtol=1e-5
    )


def test_temperature_and_alpha(batch):
    x, y = batch
    student, teacher = mlp(8, "s"), mlp(32, "t")
    total, _, _ = hinton(student, teacher, x, y, temperature=2.0, alpha=0.7)
    distiller = kd.Distiller(student, teacher, temperature=2.0, alpha=0.7)
    np.testing.assert_allclose(one_step(distiller, x, y, loss=cross_entropy())["loss"], total, rtol=1e-5)


@pytest.mark.slow
def test_a_temperature_may_be_a_schedule(batch):
    """Given to the blend, and to a loss of its own."""
    x, _ = batch
    cool = keras.optimizers.schedules.PiecewiseConstantDecay([1], [8.0, 2.0])
    values = {}
    ways = {
        "blend": {"temperature": cool, "alpha": 0.0},
        "objective": {"objectives": [kd.losses.SoftTargets(cool)]},
        "hot": {"temperature": 8.0, "alpha": 0.0},
        "cold": {"objectives": [kd.losses.SoftTargets(2.0)]},
    }
    for name, arguments in ways.items():
        keras.utils.set_random_seed(0)
        distiller = kd.Distiller(convnet(4), convnet(8), **arguments)
        distiller.compile(keras.optimizers.SGD(0.0))
        history = distiller.fit(x, batch_size=32, epochs=4, verbose=0, shuffle=False).history
        values[name] = history["soft_targets"]
    for scheduled in (values["blend"], values["objective"]):
        np.testing.assert_allclose(scheduled[:2], values["hot"][:2], rtol=1e-5)
        np.testing.assert_allclose(scheduled[2:], values["cold"][2:], rtol=1e-5)


def test_a_schedule_needs_a_step():
    loss = kd.losses.SoftTargets(lambda step: 1.0 + step)
    with pytest.raises(ValueError, match="needs the training step"):
        loss(np.ones((2, 3)), np.ones((2, 3)))
    assert float(loss(np.eye(3), np.zeros((3, 3)), step=3)) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": None, "temperature": 4.0, "alpha": 2.0}, "from 0 to 1. Received: alpha=2.0"),
        ({"objectives": ["mse"], "temperature": 4.0, "alpha": ALPHA}, "belong to the blend"),
        ({"objectives": ["mse"], "temperature": TEMPERATURE, "alpha": 0.1}, "belong to the blend"),
    ],
)
def test_default_objectives_refuses_a_blend_that_is_none(arguments, message):
    with pytest.raises(ValueError, match=message):
        default_objectives(**arguments)


def test_default_objectives_are_the_soft_half_of_the_blend():
    (soft,) = default_objectives(None, 2.0, 0.25)
    assert (soft.loss.temperature, soft.weight) == (2.0, 0.75)
    (mine,) = default_objectives(["mse"], TEMPERATURE, ALPHA)
    assert (mine.name, mine.weight) == ("mse", 1.0)
