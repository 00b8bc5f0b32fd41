import keras
import numpy as np
import pytest

import keras_kd as kd


def test_the_value_is_the_loss_unweighted():
    objective = kd.Objective("mse", weight=0.25)
    student, teacher = np.zeros((4, 3), "float32"), np.ones((4, 3), "float32")
    assert float(objective.compute({"output": student}, {"output": teacher})) == 1.0
    weights = np.array([0.0, 0.0, 1.0, 1.0], "float32")
    args = {"output": student}, {"output": teacher}
    assert float(objective.compute(*args, sample_weight=weights)) == 0.5
    assert float(kd.Objective("mse", use_sample_weight=False).compute(*args, sample_weight=weights)) == 1.0


def test_labels_are_a_signal():
    objective = kd.Objective("sparse_categorical_crossentropy", teacher="labels")
    probabilities = np.full((2, 4), 0.25, "float32")
    value = objective.compute({"output": probabilities}, {"labels": np.array([0, 3])})
    np.testing.assert_allclose(value, np.log(4), rtol=1e-6)
    assert objective.data_taps == ("labels",)
    assert objective.teacher_taps == ()


def test_tuples_of_taps_give_the_loss_tuples():
    class Both(keras.losses.Loss):
        def call(self, teacher, student):
            (output, labels), student = teacher, student
            return keras.ops.sum(output - student, axis=-1) + keras.ops.cast(labels, "float32")

    objective = kd.Objective(Both(), teacher=("output", "labels"))
    zeros = {"output": np.zeros((2, 3), "float32")}
    assert float(objective.compute(zeros, zeros | {"labels": np.array([1.0, 3.0])})) == 2.0


def test_a_weight_may_be_a_schedule():
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.0)
    assert float(kd.Objective("mse", weight=fade).weight_at(5)) == 0.5
    assert kd.Objective("mse", weight=2).weight_at(5) == 2.0


@pytest.mark.parametrize("axes", [(), (5,), (4, 4), (2, 4, 4)], ids=["vector", "tokens", "map", "volume"])
def test_project_sizes_itself(axes):
    objective = kd.Objective("mse", project=True)
    objective.build((None, *axes, 8), (None, *axes, 12))
    signal, told = np.ones((2, *axes, 8), "float32"), np.ones((2, *axes, 12), "float32")
    assert np.isfinite(objective.compute({"output": signal}, {"output": told}))
    assert len(objective.trainable_weights) == 2
    assert objective.projection(signal).shape == told.shape


def test_project_sizes_one_map_for_each_tap_of_a_tuple():
    objective = kd.Objective(
        lambda t, s: keras.ops.sum(t[0] - s[0], -1) + keras.ops.sum(t[1] - s[1], -1),
        student=("a", "b"),
        teacher=("a", "b"),
        project=True,
    )
    objective.build(((None, 3), (None, 5)), ((None, 4), (None, 6)))
    seen = {"a": np.ones((2, 3), "float32"), "b": np.ones((2, 5), "float32")}
    told = {"a": np.ones((2, 4), "float32"), "b": np.ones((2, 6), "float32")}
    assert np.isfinite(objective.compute(seen, told))
    assert len(objective.trainable_weights) == 4


def test_the_teachers_signal_may_go_through_a_frozen_layer():
    layer = keras.layers.Dense(3, kernel_initializer="ones")
    objective = kd.Objective("mse", project_teacher=layer)
    value = objective.compute({"output": np.zeros((2, 3), "float32")}, {"output": np.ones((2, 2), "float32")})
    assert float(value) == 4.0
    assert objective.trainable_weights == []


def test_project_takes_a_layer():
    layer = keras.Sequential([keras.layers.Dense(6, activation="relu"), keras.layers.Dense(12)])
    objective = kd.Objective("mse", project=layer)
    objective.build((None, 8), (None, 12))
    assert objective.projection is layer
    assert layer.built


def test_spatial_sizes_are_pooled_before_the_loss():
    objective = kd.Objective("mse")
    small, large = np.ones((2, 4, 4, 3), "float32"), np.ones((2, 8, 8, 3), "float32")
    assert float(objective.compute({"output": small}, {"output": large})) == 0.0


@pytest.mark.parametrize(
    "objective",
    [
        lambda: kd.Objective("mse", student="block2", teacher="block4", project=True, weight=0.5),
        lambda: kd.Objective(
            kd.losses.SoftTargets(2.0, standardize=True), use_sample_weight=False, name="kd"
        ),
        lambda: kd.Objective(
            keras.losses.Huber(delta=2.0), weight=keras.optimizers.schedules.CosineDecay(1.0, 10)
        ),
        lambda: kd.Objective("mse", teacher=("output", "labels"), project=keras.layers.Dense(3)),
        lambda: kd.Objective("mse", project_teacher=keras.layers.Dense(3), mask="input/padding"),
    ],
)
def test_configuration_round_trip(objective):
    first = objective()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(first))
    assert again.get_config() == first.get_config()
    assert (again.student_tap, again.teacher_tap) == (first.student_tap, first.teacher_tap)


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
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        kd.Objective(**arguments)


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        ((None, 4, 4, 8), (None, 12), "not ranks"),
        ((None, None), (None, 12), "needs a known width"),
        ((None, 8), None, "takes the teacher.s width"),
    ],
)
def test_project_cannot_bridge_everything(student, teacher, message):
    with pytest.raises(ValueError, match=message):
        kd.Objective("mse", project=True).build(student, teacher)
