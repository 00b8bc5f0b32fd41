"""Each fault measured in keras.distillation 3.15.1, tried on ours.

Where the fault is a number, the rival's own is checked too, so that a mended rival is noticed.
"""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy, distance, weights_of
from tests.oracles.logits import kl, softmax


def frozen(distiller):
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy(), run_eagerly=True)
    return distiller


def logits_model(logits):
    """A model whose logits are the inputs, times a trainable one."""
    inputs = keras.Input((logits.shape[-1],))
    return keras.Model(
        inputs,
        keras.layers.Rescaling(1.0)(
            keras.layers.EinsumDense("bi,i->bi", (10,), kernel_initializer="ones")(inputs)
        ),
    )


def test_fault_1_the_default_is_a_true_kl_divergence():
    x = np.random.default_rng(0).normal(0, 4, (16, 10)).astype("float32")
    y = np.zeros(16, "int32")
    teacher, student = keras.Sequential([keras.Input((10,)), keras.layers.Dense(10)]), logits_model(x)
    logits = np.asarray(teacher(x), "float64")
    right = kl(4.0)(logits, x.astype("float64")).mean()
    ours = frozen(kd.Distiller(student, teacher, temperature=4.0)).train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose(ours["soft_targets"], right, rtol=1e-5)

    loss = keras.distillation.LogitsDistillation(temperature=4.0)
    rival = keras.distillation.Distiller(teacher, student, loss)
    theirs = frozen(rival).train_on_batch(x, y, return_dict=True)["distillation_loss"]
    assert abs(theirs - right) > 0.5 * right


def test_fault_1_shifted_logits_are_the_same_distribution():
    t, s = np.random.default_rng(0).normal(0, 4, (2, 16, 10)).astype("float32")
    loss = kd.losses.SoftTargets(4.0)
    np.testing.assert_allclose(loss(t, s + 100), loss(t, s), rtol=1e-4)


def test_fault_1c_a_cross_entropy_of_logits_is_refused():
    for name in ("kl_divergence", "categorical_crossentropy", "binary_crossentropy"):
        with pytest.raises(ValueError, match="takes probabilities"):
            kd.Distiller(convnet(4), convnet(8, "t"), [name])


def test_fault_1c_they_work_on_probabilities(batch):
    x, y = batch
    teacher, student = convnet(8, "t", activation="softmax"), convnet(4, activation="softmax")
    distiller = kd.Distiller(student, teacher, ["kl_divergence"])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    p, q = (np.asarray(m(x, training=False), "float64") for m in (teacher, student))
    # BatchNorm normalises by the batch while it trains
    q = np.asarray(student(x, training=True), "float64")
    logs = distiller.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose(logs["kl_divergence"], (p * np.log(p / q)).sum(-1).mean(), rtol=1e-3)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_fault_1d_large_logits_are_right_and_keep_their_gradient(temperature):
    t, s = np.random.default_rng(1).normal(0, 60, (2, 8, 10)).astype("float32")
    expected = kl(temperature)(t.astype("float64"), s.astype("float64")).mean()
    student = keras.Variable(s)

    with tf.GradientTape() as tape:
        value = kd.losses.SoftTargets(temperature)(t, student)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    gradient = tape.gradient(value, student.value)
    difference = (softmax(s.astype("float64") / temperature) - softmax(t.astype("float64") / temperature)) / 8
    np.testing.assert_allclose(gradient, temperature * difference, atol=1e-6)


@pytest.mark.slow
def test_fault_2_features_come_from_the_only_pass(batch):
    x, y = batch
    plain, student = convnet(4, dropout=0.5), convnet(4, dropout=0.5)
    student.set_weights(plain.get_weights())
    tap = kd.Objective("mse", student="block2", teacher="block2", weight=0.0, project=True)
    distiller = kd.Distiller(student, convnet(8, "t"), [tap])
    for model in (plain, distiller):
        keras.utils.set_random_seed(5)
        model.compile(keras.optimizers.SGD(0.0), loss=cross_entropy(), run_eagerly=True)
        model.train_on_batch(x, y)
    # Two passes would update the moving statistics twice.
    for a, b in zip(
        plain.get_layer("norm").get_weights(), student.get_layer("norm").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_fault_3_sample_weights_of_zero_train_nothing(batch):
    x, y = batch
    student = convnet(4)
    tap = kd.Objective("mse", student="block2", teacher="block2", project=True)
    distiller = kd.Distiller(student, convnet(8, "t"), [kd.losses.SoftTargets(), tap])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    before = [w.numpy() for w in student.trainable_weights]
    logs = distiller.train_on_batch(x, y, sample_weight=np.zeros(32), return_dict=True)
    assert logs["loss"] == 0.0
    assert distance(before, [w.numpy() for w in student.trainable_weights]) == 0.0


def test_fault_3_sample_weights_weigh_the_soft_targets(batch):
    x, y = batch
    half = np.repeat([2.0, 0.0], 16)
    student, teacher = convnet(4, dropout=0.0), convnet(8, "t")
    student.get_layer("norm").trainable = False
    distiller = frozen(kd.Distiller(student, teacher))
    weighted = distiller.train_on_batch(x, y, sample_weight=half, return_dict=True)["soft_targets"]
    distiller.reset_metrics()
    first = distiller.train_on_batch(x[:16], y[:16], return_dict=True)["soft_targets"]
    np.testing.assert_allclose(weighted, first, rtol=1e-4)


@pytest.mark.slow
def test_fault_4_different_widths_are_projected(batch):
    x, y = batch
    tap = kd.Objective("mse", student="block2", teacher="block2", project=True)
    distiller = kd.Distiller(convnet(8), convnet(16, "t"), [tap])
    distiller.compile("adam", loss=cross_entropy(), run_eagerly=True)
    logs = distiller.fit(x, y, epochs=3, verbose=0).history
    assert logs["mse_block2"][-1] < logs["mse_block2"][0]


def test_fault_5_input_sizes_and_dtypes_may_differ(batch):
    x, y = batch
    inputs = keras.Input((16, 16, 1))
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float16")(inputs)
    teacher = keras.Model(inputs, keras.layers.Dense(10, dtype="float16")(pooled))
    assert teacher.output.dtype == "float16"
    distiller = kd.Distiller(convnet(4), teacher, teacher_preprocess=keras.layers.UpSampling2D(2))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    assert np.isfinite(distiller.train_on_batch(x, y, return_dict=True)["loss"])


@pytest.mark.slow
def test_fault_6_half_precision_stays_finite(batch):
    x, y = batch
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((8, 8, 1))
        hidden = keras.layers.Dense(16, "relu")(keras.layers.Flatten()(inputs))
        student = keras.Model(inputs, keras.layers.Dense(10)(hidden))
    finally:
        keras.config.set_dtype_policy("float32")
    distiller = kd.Distiller(student, keras.models.clone_model(student))
    distiller.compile("adam", loss=cross_entropy(), run_eagerly=True)
    logs = distiller.fit(100 * x, y, epochs=3, verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())


@pytest.mark.slow
def test_fault_7_evaluate_never_runs_the_teacher_and_moves_nothing(batch):
    x, y = batch

    class Explosive(keras.layers.Layer):
        armed = False

        def call(self, inputs):
            if Explosive.armed:
                raise AssertionError("the teacher ran")
            return inputs

    inputs = keras.Input((8, 8, 1))
    teacher = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(Explosive()(inputs))))
    student = convnet(4)
    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)
    Explosive.armed = True
    before = weights_of(student)
    distiller.evaluate(x, y, verbose=0)
    distiller.predict(x, verbose=0)
    assert distance(before, weights_of(student)) == 0.0


@keras.saving.register_keras_serializable("test_rival_faults")
class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs


@pytest.mark.slow
def test_fault_8_custom_layers_and_compile_state_are_saved(batch, tmp_path):
    x, y = batch
    inputs = keras.Input((8, 8, 1))
    student = keras.Model(inputs, keras.layers.Dense(10)(Doubled()(keras.layers.Flatten()(inputs))))
    distiller = kd.Distiller(student, convnet(8, "t"))
    distiller.compile("adam", loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    distiller.train_on_batch(x, y)
    distiller.save(tmp_path / "d.keras")
    again = keras.saving.load_model(tmp_path / "d.keras")
    assert again.compiled
    assert again.evaluate(x, y, verbose=0) == distiller.evaluate(x, y, verbose=0)


def test_fault_9_layers_of_nested_models_are_found(batch):
    x, y = batch
    backbone = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="block4"), keras.layers.Flatten()],
        name="backbone",
    )
    inputs = keras.Input((8, 8, 1))
    teacher = keras.Model(inputs, keras.layers.Dense(10)(backbone(inputs)))
    student = keras.models.clone_model(teacher)
    tap = kd.Objective("mse", student="backbone/block4", teacher="backbone/block4")
    distiller = kd.Distiller(student, teacher, [tap])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    assert distiller.train_on_batch(x, y, return_dict=True)["mse_backbone_block4"] > 0


def test_fault_10_a_tf_keras_model_is_named():
    import tf_keras

    student = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"kd\.tfmot\.Distiller"):
        kd.Distiller(student)


def test_fault_11_the_teacher_stays_trainable(batch):
    x, y = batch
    teacher = convnet(8, "t")
    distiller = kd.Distiller(convnet(4), teacher)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)
    assert teacher.trainable
    assert all(layer.trainable for layer in teacher.layers)


def test_regularisers_are_kept_and_not_scaled(batch):
    x, y = batch
    inputs = keras.Input((8, 8, 1))
    dense = keras.layers.Dense(10, kernel_regularizer=keras.regularizers.L2(1.0))
    student = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    distiller = frozen(kd.Distiller(student, convnet(8, "t"), alpha=0.1))
    penalty = float((np.asarray(dense.kernel) ** 2).sum())
    logs = distiller.train_on_batch(x, y, sample_weight=np.zeros(32), return_dict=True)
    np.testing.assert_allclose(logs["loss"], penalty, rtol=1e-5)


def test_the_saved_student_is_the_student(batch, tmp_path):
    """What users save by mistake, the wrapper, is not much larger either (keras#14387)."""
    x, y = batch
    student = convnet(4)
    distiller = kd.Distiller(student, convnet(64, "t"))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)
    distiller.save(tmp_path / "wrapper.keras")
    student.save(tmp_path / "student.keras")
    wrapper, alone = (os.path.getsize(tmp_path / f"{name}.keras") for name in ("wrapper", "student"))
    assert wrapper < 2 * alone
