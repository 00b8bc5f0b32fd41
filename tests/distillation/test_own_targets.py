"""A student that is its own teacher: its deepest head teaches its earlier ones, as written by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import CLASSES, VECTORS, check_refused, cross_entropy, distance, weights_of


def exits():
    """Two heads, the first of which sees the first hidden layer only."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, "relu", name="hidden1")(inputs)
    first = keras.layers.Dense(3, name="exit1")(x)
    x = keras.layers.Dense(6, "relu", name="hidden2")(x)
    return keras.Model(inputs, {"exit1": first, "deep": keras.layers.Dense(3, name="deep")(x)})


def own_teacher(**options):
    soft = kd.Objective(
        kd.losses.SoftTargets(3.0),
        student="output/exit1",
        teacher="output/deep",
        from_student=True,
        weight=0.3,
        **options,
    )
    features = kd.Objective("mse", student="hidden1", teacher="hidden2", from_student=True, project=True)
    return kd.Distiller(exits(), objectives=[soft, features])


def by_hand(model, projection, optimizer, x, y):
    """One step: both heads learn the labels, the early ones of each pair what the deep ones say."""
    layers = {name: keras.Model(model.input, model.get_layer(name).output) for name in ("hidden1", "hidden2")}
    with tf.GradientTape() as tape:
        outputs = model(x, training=True)
        hard = sum(cross_entropy()(y, outputs[name]) for name in ("exit1", "deep"))
        deep = tf.stop_gradient(outputs["deep"]) / 3
        soft = 9 * tf.reduce_mean(
            tf.reduce_sum(
                tf.nn.softmax(deep) * (tf.nn.log_softmax(deep) - tf.nn.log_softmax(outputs["exit1"] / 3)),
                -1,
            )
        )
        gap = tf.stop_gradient(layers["hidden2"](x)) - projection(layers["hidden1"](x))
        loss = hard + 0.3 * soft + tf.reduce_mean(gap**2)
    weights = [*model.trainable_weights, *projection.trainable_weights]
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    return float(loss)


def test_is_a_step_written_by_hand(tmp_path):
    distiller = own_teacher()
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), run_eagerly=True)
    model, projection = exits(), keras.layers.Dense(6)
    projection.build((None, 5))
    projection.set_weights(distiller.objectives[1].projection.get_weights())
    labels = {"exit1": CLASSES, "deep": CLASSES}
    history = distiller.fit(VECTORS, labels, batch_size=24, epochs=3, verbose=0).history
    optimizer = keras.optimizers.SGD(0.1)
    losses = [by_hand(model, projection, optimizer, VECTORS, CLASSES) for _ in range(3)]
    np.testing.assert_allclose(history["loss"], losses, rtol=1e-5)
    assert distance(weights_of(model), weights_of(distiller.student)) < 1e-6
    distiller.save(tmp_path / "own.keras")
    loaded = keras.models.load_model(tmp_path / "own.keras")
    assert [objective.from_student for objective in loaded.objectives] == [True, True]
    assert distance(weights_of(loaded), weights_of(distiller)) == 0


def test_no_gradient_reaches_what_teaches():
    distiller = own_teacher()
    with tf.GradientTape() as tape:
        loss = distiller.compute_objectives(VECTORS).loss
    deep = distiller.student.get_layer("deep").kernel
    assert tape.gradient(loss, deep.value) is None


def test_data_and_a_teacher_may_stand_beside_it():
    """One objective reads the student itself, one the labels, one the teacher."""
    student, teacher = exits(), exits()
    taps = {"student": "output/exit1", "from_student": True}
    distiller = kd.Distiller(
        student,
        teacher,
        [
            kd.Objective(kd.losses.DecoupledKD(), teacher=("output/deep", "labels"), name="own", **taps),
            kd.Objective(kd.losses.SoftTargets(), student="output/deep", teacher="output/deep", name="other"),
        ],
    )
    distiller.compile("sgd", run_eagerly=True)
    logs = distiller.train_on_batch(VECTORS, CLASSES, return_dict=True)
    assert logs["own"] > 0
    assert logs["other"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"student": "hidden1", "teacher": "hiden2"}, "No tap 'hiden2'"),
        ({"student": "hidden1", "teacher": "hidden1"}, "'hidden1' with itself"),
        ({"student": "output/exit1", "teacher": "labels"}, "comes with the data"),
        ({"student": "hidden1", "teacher": "hidden2"}, r"hidden1' \(None, 5\).*hidden2' \(None, 6\)"),
    ],
)
def test_refused_when_it_is_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        kd.Distiller(exits(), objectives=[kd.Objective("mse", from_student=True, **arguments)])


def test_a_teacher_is_still_missed():
    distiller = kd.Distiller(exits(), objectives=[kd.Objective("mse", student="hidden1", teacher="hidden2")])
    distiller.compile("sgd")
    check_refused(distiller, "This Distiller has no teacher", x=VECTORS)
