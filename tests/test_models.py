import keras
import numpy as np
import pytest

from keras_kd import models

STAGES = ["stage1", "stage2", "stage3", "pool", "logits"]
PAIRS = [(models.digits_teacher, models.digits_student), (models.fashion_teacher, models.fashion_student)]


@pytest.mark.parametrize(
    "build", [build for pair in PAIRS for build in pair], ids=lambda build: build.__name__
)
def test_models_return_logits_and_name_their_stages(build):
    model = build()
    assert model.name == build.__name__
    assert [layer.name for layer in model.layers if layer.name in STAGES] == STAGES
    outputs = model(np.random.default_rng(0).random((3, *model.input_shape[1:]), "float32"))
    assert outputs.shape == (3, 10)
    assert model.get_layer("logits").activation is keras.activations.linear


@pytest.mark.parametrize(("teacher", "student"), PAIRS)
def test_student_is_ten_times_smaller_and_its_stages_fit(teacher, student):
    teacher, student = teacher(), student()
    assert teacher.count_params() >= 10 * student.count_params()
    assert multiplications(teacher) >= 8 * multiplications(student)
    for stage in STAGES[:3]:
        assert teacher.get_layer(stage).output.shape[1:3] == student.get_layer(stage).output.shape[1:3]


def multiplications(model):
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    return sum(int(np.prod(c.output.shape[1:3])) * int(np.prod(c.kernel.shape)) for c in convolutions)


def test_the_seed_decides_the_weights():
    first = models.digits_student().get_weights()
    keras.utils.set_random_seed(0)
    again = models.digits_student().get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    "build", [build for pair in PAIRS for build in pair], ids=lambda build: build.__name__
)
def test_names_do_not_depend_on_what_was_made_before(build):
    first, second = ([operation.name for operation in build().operations] for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_teacher_and_student_learn_digits(digits):
    for build, epochs, expected in ((models.digits_teacher, 4, 0.95), (models.digits_student, 5, 0.90)):
        model = build()
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(2e-3), loss=loss, metrics=["accuracy"])
        model.fit(digits.train, epochs=epochs, verbose=0)
        assert model.evaluate(digits.test, verbose=0)[1] > expected
