"""Advice on outputs that differ in their classes, and on several teachers, followed literally."""

import re

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.distillation.class_advice import advice_on_classes
from tests.distillation.conftest import one_step, predictions
from tests.oracles.row import log_softmax, softmax

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


def outputs(units, seed, activation=None):
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation=activation)])


def advised(error):
    """The objectives that a message advises."""
    (code,) = re.findall(r"objectives=(\[.*\)\])", str(error.value))
    return eval(code, {"kd": kd})


def soft_targets(teacher, student):
    """`T^2 KL` at the default temperature, from logits."""
    t, s = teacher.astype("float64") / 4, student.astype("float64") / 4
    return 16 * (softmax(t) * (log_softmax(t) - log_softmax(s))).sum(-1).mean()


def logits_of(model):
    """Of two classes, from whatever a model with one or two units returns."""
    values = predictions(model, X).astype("float64")
    ends_in = model.layers[-1].activation.__name__
    if ends_in == "softmax":
        return np.log(values)
    if ends_in == "sigmoid":
        values = np.log(values / (1 - values))
    return values if values.shape[-1] == 2 else np.concatenate([0 * values, values], axis=-1)


KINDS = [
    ("sigmoid", "softmax", None),
    (None, None, "hard_targets"),
    ("sigmoid", None, "binary_soft_targets"),
    (None, "softmax", "soft_targets"),
    ("sigmoid", "softmax", "kl_divergence"),
]


def every_other(rows, sides):
    """Each row with each side, of which the fast tests run one, in turns."""
    return [
        pytest.param(*row, side, marks=() if (i + j) % 2 == 0 else pytest.mark.slow)
        for i, row in enumerate(rows)
        for j, side in enumerate(sides)
    ]


@pytest.mark.parametrize(("one", "two", "loss", "student_has_one"), every_other(KINDS, [True, False]))
def test_one_unit_against_two_classes(one, two, student_has_one, loss):
    pair = outputs(1, 0, one), outputs(2, 1, two)
    student, teacher = pair if student_has_one else pair[::-1]
    with pytest.raises(ValueError, match="One unit is the logit of one of two classes") as error:
        one_step(kd.Distiller(student, teacher, loss and [loss]), X)
    logs = one_step(kd.Distiller(student, teacher, advised(error)), X)
    expected = soft_targets(logits_of(teacher), logits_of(student))
    np.testing.assert_allclose(logs["soft_targets"], expected, rtol=1e-4)


def test_signals_of_the_data_may_be_one_unit():
    teacher, student = outputs(1, 0, "sigmoid"), outputs(2, 1)
    objective = kd.Objective("soft_targets", project_teacher=kd.projections.TwoClasses())
    distiller = kd.Distiller(student, objectives=[objective])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    taught = kd.Taught(X, {"output": predictions(teacher, X)})
    logs = distiller.fit(taught, batch_size=8, verbose=0).history
    expected = soft_targets(logits_of(teacher), logits_of(student))
    np.testing.assert_allclose(logs["soft_targets"], [expected], rtol=1e-4)


@pytest.mark.parametrize(
    ("activation", "loss", "units"),
    every_other([(None, None), ("softmax", "dist"), ("softmax", "kl_divergence")], [(3, 10), (10, 3)]),
)
def test_more_classes_on_one_side(units, activation, loss):
    of_student, of_teacher = units
    student, teacher = outputs(of_student, 0, activation), outputs(of_teacher, 1, activation)
    with pytest.raises(ValueError, match="Select those that both have") as error:
        one_step(kd.Distiller(student, teacher, loss and [loss]), X)
    student_logits, teacher_logits = (predictions(m, X)[:, :3] for m in (student, teacher))
    if activation:
        student_logits, teacher_logits = np.log(student_logits), np.log(teacher_logits)
    logs = one_step(kd.Distiller(student, teacher, advised(error)), X)
    np.testing.assert_allclose(logs["soft_targets"], soft_targets(teacher_logits, student_logits), rtol=1e-4)


def test_what_has_no_advice():
    assert advice_on_classes(3, 3) == advice_on_classes(None, 3) == advice_on_classes(3, None) == ""
    assert advice_on_classes(1, 10).endswith("they must be the same classes.")


def test_a_padded_vocabulary_with_labels():
    """The labels are those of the student's classes."""
    teacher, student = outputs(6, 0), outputs(4, 1)
    subset = kd.projections.ClassSubset(range(4))
    objective = kd.Objective("decoupled_kd", teacher=("output", "labels"), project_teacher=subset)
    y = np.arange(8) % 4
    logs = one_step(kd.Distiller(student, teacher, [objective]), X, y)
    cut = predictions(teacher, X)[:, :4]
    np.testing.assert_allclose(
        logs["decoupled_kd"], float(kd.losses.DecoupledKD()((cut, y), predictions(student, X))), rtol=1e-5
    )


@pytest.mark.parametrize(("kind", "activation"), every_other([(list,), (tuple,)], [None, "softmax"]))
def test_several_teachers(kind, activation):
    student, *both = (outputs(3, seed, activation) for seed in range(3))
    teachers = kind(both)
    with pytest.raises(TypeError, match=r"takes one teacher\. Received: 2 of them") as error:
        kd.Distiller(student, teachers)
    text = str(error.value)
    names = {"kd": kd, "teachers": teachers}
    (average,) = re.findall(r"probabilities: (.*)\. An objective", text)
    ensemble = eval(average, names)
    logs = one_step(kd.Distiller(student, ensemble), X)
    given = [predictions(m, X) for m in teachers]
    shares = given if activation else [softmax(values) for values in given]
    of_student = np.log(predictions(student, X)) if activation else predictions(student, X)
    np.testing.assert_allclose(
        logs["soft_targets"], soft_targets(np.log(np.mean(shares, axis=0)), of_student), rtol=1e-4
    )
    (objective,) = re.findall(r"(kd\.Objective\(.*\))\.$", text)
    objectives = [eval(objective.replace("NAME", model.name), names) for model in teachers]
    logs = one_step(kd.Distiller(student, ensemble, objectives), X)
    for model, values in zip(teachers, given, strict=True):
        expected = soft_targets(np.log(values) if activation else values, of_student)
        np.testing.assert_allclose(logs[f"of_{model.name}"], expected, rtol=1e-4)
