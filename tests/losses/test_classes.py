"""What losses over classes share: checks of logits, the order of classes, schedules of the temperature."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import keras_kd as kd
from tests.losses.batches import common, value

logits = arrays("float32", (4, 6), elements=st.floats(-8, 8, width=32))
OF_CLASSES = [
    kd.losses.SoftTargets(),
    kd.losses.BinarySoftTargets(),
    kd.losses.JensenShannon(),
    kd.losses.DIST(),
    kd.losses.ClassCorrelation(),
    kd.losses.BatchCorrelation(),
    kd.losses.MultiLevelLogits(),
]
SCHEDULED = [
    kd.losses.SoftTargets,
    kd.losses.BinarySoftTargets,
    kd.losses.JensenShannon,
    kd.losses.DIST,
    kd.losses.ClassCorrelation,
    kd.losses.BatchCorrelation,
]


@settings(common, max_examples=4)  # for each of seven losses
@given(logits, logits, st.permutations(range(6)))
def test_the_order_of_classes_does_not_matter(teacher, student, order):
    for loss in OF_CLASSES:
        assert value(loss, teacher[:, order], student[:, order]) == pytest.approx(
            value(loss, teacher, student), rel=1e-4, abs=1e-5
        ), loss.name


@pytest.mark.parametrize("make", SCHEDULED)
def test_a_temperature_may_be_a_schedule(make):
    teacher, student = np.random.default_rng(0).normal(size=(2, 4, 6))
    schedule = keras.optimizers.schedules.PolynomialDecay(6.0, 10, 2.0)
    loss = make(temperature=schedule)
    fixed = value(make(temperature=4.0), teacher, student)
    assert value(loss, teacher, student, step=tf.constant(5)) == pytest.approx(fixed, rel=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert value(again, teacher, student, step=5) == pytest.approx(fixed, rel=1e-5)
    with pytest.raises(ValueError, match="needs the training step"):
        loss(teacher, student)


@pytest.mark.parametrize(
    "loss", [loss for loss in [*OF_CLASSES, kd.losses.HardTargets()] if loss.name != "binary_soft_targets"]
)
def test_one_unit_is_no_distribution(loss):
    with pytest.raises(ValueError, match=r"two or more classes.*kd.losses.BinarySoftTargets\(\)"):
        loss(np.ones((4, 1)), np.ones((4, 1)))


@pytest.mark.parametrize("loss", OF_CLASSES)
def test_logits_have_an_axis_of_classes(loss):
    with pytest.raises(ValueError, match=r"reads logits \(batch, ..., classes\). Received the shape \(4,\)"):
        loss(np.ones(4), np.ones(4))


@pytest.mark.parametrize(
    "loss", [*OF_CLASSES, kd.losses.HardTargets(), kd.losses.LogitsMSE(), kd.losses.Elementwise("mse")]
)
@pytest.mark.parametrize("shapes", [((4, 3), (4, 1)), ((4, 3), (4, 5)), ((4, 2, 3), (4, 3))])
def test_shapes_are_not_broadcast(loss, shapes):
    with pytest.raises(ValueError, match=r"same shape. Received: teacher \(4, "):
        loss(*(np.ones(shape) for shape in shapes))


def test_a_mask_needs_positions():
    for loss in OF_CLASSES:
        with pytest.raises(ValueError, match="does not fit the positions"):
            loss(np.ones((4, 3)), np.ones((4, 3)), mask=np.ones((4, 5), bool))
