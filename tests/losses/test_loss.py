"""SignalLoss: the base class of the losses, with a subclass of ones own."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.losses.loss import call_with_accepted


@keras.saving.register_keras_serializable("tests")
class Gap(kd.losses.SignalLoss):
    def __init__(self, power=2.0, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.power = power
        self.scale = scale

    def call(self, teacher, student, step=None):
        gap = keras.ops.abs(student - teacher) ** self.power
        return self.at(self.scale, step) * keras.ops.mean(gap, axis=-1)


class Masked(Gap):
    def call(self, teacher, student, mask=None):
        return keras.ops.sum(student * keras.ops.cast(mask, student.dtype), axis=-1)


TEACHER, STUDENT = np.zeros((2, 3)), np.full((2, 3), 2.0)


def test_the_name_is_the_class_name_in_snake_case():
    assert Gap().name == "gap"
    assert Gap(name="mine").name == "mine"


def test_what_a_loss_reads_is_declared_on_the_class():
    loss = Gap()
    declared = (loss.reads_logits, loss.undoes, loss.reads_probabilities, loss.takes_student_logits)
    assert declared == (False, ("softmax",), False, False)
    assert (loss.reads_labels, loss.teacher_signals, loss.student_signals) == (False, (1, 1), (1, 1))


def test_arguments_that_are_attributes_are_the_configuration():
    config = Gap(power=3.0, scale=keras.optimizers.schedules.ExponentialDecay(1.0, 2, 0.5)).get_config()
    assert config["power"] == 3.0
    again = Gap.from_config(config)
    assert float(again(TEACHER, STUDENT, step=2)) == pytest.approx(0.5 * 8)


def test_a_mask_is_passed_to_a_call_that_names_it():
    assert Masked().takes_mask
    assert not Gap().takes_mask
    mask = np.array([[True, True, False], [False, False, False]])
    np.testing.assert_allclose(Masked(reduction=None)(TEACHER, STUDENT, mask=mask), [4, 0])
    with pytest.raises(ValueError, match="'gap' cannot leave out padded positions"):
        Gap()(TEACHER, STUDENT, mask=mask)


def test_weights_weigh_samples_and_weights_of_zero_leave_nothing():
    student = np.array([[2.0] * 3, [1.0] * 3])
    assert float(Gap()(TEACHER, student, np.array([1.0, 3.0]))) == (4 + 3) / 2
    assert float(Gap()(TEACHER, student, np.zeros(2))) == 0.0
    with pytest.raises(ValueError, match="one weight per sample"):
        Gap()(TEACHER, student, np.ones((2, 3)))


def test_a_schedule_needs_the_training_step():
    loss = Gap(scale=lambda step: 10.0 * step)
    assert float(loss(TEACHER, STUDENT, step=2)) == 80.0
    with pytest.raises(ValueError, match="'gap' was given a schedule, so it needs the training step"):
        loss(TEACHER, STUDENT)


@pytest.mark.parametrize(("dtype", "computed"), [("float16", "float32"), ("float64", "float64")])
def test_a_narrow_dtype_is_that_of_the_value_only(dtype, computed):
    loss = Gap(dtype=dtype)
    assert loss.compute_dtype == computed
    assert keras.backend.standardize_dtype(loss(TEACHER, STUDENT).dtype) == dtype


def test_options_are_passed_to_calls_that_name_them():
    assert call_with_accepted(lambda t, s, step: (t, s, step), 1, 2, mask=3, step=4) == (1, 2, 4)
    assert call_with_accepted(lambda t, s: (t, s), 1, 2, mask=3, step=4) == (1, 2)
