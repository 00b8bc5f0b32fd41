"""Students that are made from their teacher."""

import keras
import numpy as np

import keras_kd as kd
from keras_kd.jobs.shrunk_student import ShrunkStudent


def test_all_have_the_same_weights_and_the_statistics_of_the_data():
    keras.utils.set_random_seed(0)
    teacher, data = kd.models.digits_teacher(), kd.datasets.digits()
    make = ShrunkStudent(teacher, 0.25, data)
    first, second = make(), make()
    assert first is not second
    assert kd.cost(first).macs <= 0.25 * kd.cost(teacher).macs
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    expected = kd.recalibrate(kd.shrink(teacher, 0.25, budget="macs"), data.train)
    for one, other in zip(first.weights, expected.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    words = make.describe()
    assert f"multiply-adds: {kd.cost(teacher).macs:,} -> {kd.cost(first).macs:,} multiply-adds, " in words
    assert f"{teacher.count_params():,} -> {first.count_params():,} parameters, 336 -> " in words


def test_a_teacher_without_batch_norm_of_any_size():
    inputs = keras.Input((None, None, 1))
    x = keras.layers.Conv2D(8, 3, activation="relu", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    teacher = keras.Model(inputs, keras.layers.Dense(10, name="logits")(x), name="big")
    student = ShrunkStudent(teacher, 0.5, kd.datasets.digits())()
    assert student.name == "big_shrunk"
    assert [layer.name for layer in student.layers] == [layer.name for layer in teacher.layers]
