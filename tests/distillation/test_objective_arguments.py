"""The arguments of `kd.Objective`."""

import keras
import pytest

import keras_kd as kd


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"loss": "mze"}, ValueError, "Unknown loss 'mze'. Did you mean 'mse'"),
        ({"loss": "soft_target"}, ValueError, "Did you mean 'soft_targets'"),
        ({"loss": kd.losses.SoftTargets}, TypeError, r"Call it: SoftTargets\(\)"),
        ({"loss": 3}, TypeError, "Expected a loss"),
        ({"loss": "mse", "weight": -1}, ValueError, "at least 0"),
        ({"loss": "mse", "weight": float("nan")}, ValueError, "finite"),
        ({"loss": "mse", "weight": "much"}, TypeError, "a number or a function of the step"),
        ({"loss": "mse", "student": "labels"}, ValueError, "not a signal of the student"),
        ({"loss": "mse", "student": 3}, TypeError, "tap name"),
        ({"loss": "mse", "teacher": ()}, TypeError, "tap name"),
        ({"loss": "mse", "project": "yes"}, TypeError, "None, True or a layer"),
        ({"loss": "mse", "project_teacher": True}, TypeError, "None or a layer"),
        ({"loss": "mse", "student": "input/x"}, ValueError, "Give it to `teacher`"),
        ({"loss": "mse", "mask": 3}, TypeError, "tap name"),
        ({"loss": "mse", "taught": "linear"}, ValueError, "None or one of 'logits', 'softmax', 'sigmoid'"),
        ({"loss": "mse", "taught": "logit"}, ValueError, "Did you mean 'logits'"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        kd.Objective(**arguments)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: kd.Objective("mse"), "mse"),
        (lambda: kd.Objective("mse", student="a/b:1"), "mse_a_b_1"),
        (lambda: kd.Objective(keras.losses.MeanAbsoluteError(), student="x"), "mean_absolute_error_x"),
        (lambda: kd.Objective(lambda t, s: keras.ops.mean((t - s) ** 2, -1)), "lambda"),
        (lambda: kd.Objective("soft_targets", name="kd"), "kd"),
    ],
)
def test_names(make, name):
    assert make().name == name


def test_a_weight_may_be_a_schedule():
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    assert float(kd.Objective("mse", weight=fade).weight_at(5)) == 0.5
    assert kd.Objective("mse", weight=2).weight_at(5) == 2.0
