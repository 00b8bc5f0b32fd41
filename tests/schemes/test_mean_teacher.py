"""The mean teacher is a loop that averages weights after each step, written by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, distance, weights_of

LABELLED = (np.arange(24) % 3 == 0).astype("float32")


def normed():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, name="hidden")(inputs)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(3)(x), name="student")


def by_hand(steps, momentum, weight):
    """Labels of a third of the samples, the average's answers to all; then the weights are averaged."""
    student, average = normed(), normed()
    optimizer = keras.optimizers.SGD(0.2, momentum=0.5)
    for step in range(steps):
        said = average(VECTORS, training=False)
        with tf.GradientTape() as tape:
            logits = student(VECTORS, training=True)
            difference = tf.nn.log_softmax(said) - tf.nn.log_softmax(logits)
            soft = tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(said) * difference, -1))
            loss = 0.5 * cross_entropy()(CLASSES, logits, LABELLED) + weight(step) * soft
        weights = student.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        m = momentum(step + 1)
        pairs = zip(weights_of(average), weights_of(student), strict=True)
        average.set_weights([m * a + (1 - m) * b for a, b in pairs])
    return student, average


def fit(mean_teacher, steps, **options):
    mean_teacher.compile(keras.optimizers.SGD(0.2, momentum=0.5), loss=cross_entropy(), **options)
    data = {"x": VECTORS, "y": CLASSES, "sample_weight": LABELLED, "batch_size": 24}
    return mean_teacher.fit(**data, epochs=steps, verbose=0).history


def test_is_a_loop_written_by_hand():
    mean_teacher = kd.MeanTeacher(normed(), momentum=0.7)
    fit(mean_teacher, 6)
    student, average = by_hand(6, lambda step: min(1 - 1 / (step + 1), 0.7), lambda step: 0.5)
    assert distance(weights_of(student), weights_of(mean_teacher.student)) < 1e-6
    assert distance(weights_of(average), weights_of(mean_teacher.average)) < 1e-6
    assert distance(weights_of(student), weights_of(average)) > 1e-3


def test_weight_and_momentum_are_schedules():
    ramp = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    soft = kd.Objective(kd.losses.SoftTargets(1.0), weight=ramp, use_sample_weight=False)
    mean_teacher = kd.MeanTeacher(
        normed(), [soft], momentum=lambda step: 1 - 0.5 / keras.ops.cast(step, "float32")
    )
    fit(mean_teacher, 5, loss_weights=0.5, run_eagerly=True)
    student, average = by_hand(5, lambda step: 1 - 0.5 / step, lambda step: min(step / 4, 1.0))
    assert distance(weights_of(student), weights_of(mean_teacher.student)) < 1e-6
    assert distance(weights_of(average), weights_of(mean_teacher.average)) < 1e-6


def test_pseudo_labels_of_what_the_average_is_sure_of():
    """Weak views for the average, strong ones for the student; next to them soft targets."""
    terms = [
        kd.Objective(
            kd.losses.ConfidenceFiltered("hard_targets", threshold=0.4),
            use_sample_weight=False,
            name="pseudo",
        ),
        kd.Objective(kd.losses.SoftTargets(1.0), use_sample_weight=False, weight=0.1),
    ]
    options = {"student_inputs": "strong", "teacher_preprocess": lambda x: x["weak"]}
    mean_teacher = kd.MeanTeacher(normed(), terms, **options)
    strong = VECTORS[::-1].copy()
    values = mean_teacher.compute_objectives({"weak": VECTORS, "strong": strong}).values
    sure, student = mean_teacher.average(VECTORS), normed()(strong, training=True)
    kept = np.array(tf.nn.softmax(sure)).max(-1) >= 0.4
    assert 0 < kept.sum() < 24
    pseudo = -np.array(tf.nn.log_softmax(student))[np.arange(24), np.argmax(sure, -1)]
    assert float(values["pseudo"]) == pytest.approx((pseudo * kept).mean(), rel=1e-5)
    assert float(values["soft_targets"]) > 0


def test_the_file_holds_the_average(tmp_path):
    momentum = keras.optimizers.schedules.PolynomialDecay(0.5, 10, 0.9)
    mean_teacher = kd.MeanTeacher(normed(), momentum=momentum)
    fit(mean_teacher, 2, run_eagerly=True)
    mean_teacher.save(tmp_path / "mean.keras")
    loaded = keras.models.load_model(tmp_path / "mean.keras")
    assert distance(weights_of(mean_teacher.average), weights_of(loaded.average)) == 0
    assert loaded.teacher is loaded.average
    assert [term.use_sample_weight for term in loaded.objectives] == [False]
    for model in (mean_teacher, loaded):
        model.train_on_batch(VECTORS, CLASSES)
    assert distance(weights_of(mean_teacher), weights_of(loaded)) < 1e-6


def test_no_other_model_is_its_teacher():
    mean_teacher = kd.MeanTeacher(normed())
    mean_teacher.teacher_preprocess = lambda x: x
    assert mean_teacher.teacher is mean_teacher.average
    with pytest.raises(ValueError, match=r"The teacher of a kd\.MeanTeacher is its average"):
        mean_teacher.teacher = normed()


@pytest.mark.parametrize("momentum", [1.0, -0.1, float("nan")])
def test_momentum_is_a_share(momentum):
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        kd.MeanTeacher(normed(), momentum=momentum)
