import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy, one_step


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


@pytest.mark.parametrize("axes", [(), (5,), (4, 4), (2, 4, 4)], ids=["vector", "tokens", "map", "volume"])
def test_project_sizes_itself(axes):
    objective = kd.Objective("mse", project=True)
    objective.build((None, *axes, 8), (None, *axes, 12))
    student, teacher = np.ones((2, *axes, 8), "float32"), np.ones((2, *axes, 12), "float32")
    assert np.isfinite(objective.compute({"output": student}, {"output": teacher}))
    assert len(objective.trainable_weights) == 2
    assert objective.projection(student).shape == teacher.shape


def test_project_sizes_one_map_for_each_tap_of_a_tuple():
    objective = kd.Objective(
        lambda t, s: keras.ops.sum(t[0] - s[0], -1) + keras.ops.sum(t[1] - s[1], -1),
        student=("a", "b"),
        teacher=("a", "b"),
        project=True,
    )
    objective.build(((None, 3), (None, 5)), ((None, 4), (None, 6)))
    student = {"a": np.ones((2, 3), "float32"), "b": np.ones((2, 5), "float32")}
    teacher = {"a": np.ones((2, 4), "float32"), "b": np.ones((2, 6), "float32")}
    assert np.isfinite(objective.compute(student, teacher))
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
        lambda: kd.Objective("logits_mse", taught="sigmoid"),
    ],
)
def test_configuration_round_trip(objective):
    first = objective()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(first))
    assert again.get_config() == first.get_config()
    assert again.taught == first.taught
    assert (again.student_tap, again.teacher_tap) == (first.student_tap, first.teacher_tap)


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


def test_projections_train_and_normalise(batch):
    """Projections run as in training: BatchNorm uses the batch, and its statistics move."""
    project = keras.Sequential([keras.layers.Conv2D(16, 1), keras.layers.BatchNormalization()])
    objective = kd.Objective("mse", student="block2", teacher="block2", project=project)
    distiller = kd.Distiller(convnet(4), convnet(16), [objective])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(*batch)
    assert np.abs(np.array(project.layers[-1].moving_mean)).max() > 0


def test_a_layer_for_the_teachers_signal_does_not_drop_out(batch):
    objectives = [
        kd.Objective("mse", student="head", teacher="head", project_teacher=layer, name=layer.name)
        for layer in (keras.layers.Identity(name="same"), keras.layers.Dropout(0.5, name="dropped"))
    ]
    values = one_step(kd.Distiller(convnet(4), convnet(8), objectives), batch[0])
    assert values["dropped"] == values["same"]
