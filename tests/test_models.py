import keras
import numpy as np
import pytest

import keras_kd as kd
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


def transformer(**options):
    sizes = {"patch": 4, "width": 8, "depth": 1, "heads": 2}
    return models.vision_transformer((8, 8, 1), 5, **{**sizes, **options})


IMAGES = np.random.default_rng(0).random((6, 8, 8, 1)).astype("float32")


def test_a_transformer_answers_from_its_tokens():
    """Patches in any order give the same answer once their positions are taken away."""
    model = transformer(patch=2, depth=2)
    taps = [name for name in kd.tap_names(model) if "block" in name or name in ("patches", "tokens", "norm")]
    assert taps == ["patches", "tokens", "block1", "block2", "norm"]
    assert model.get_layer("tokens").output.shape == (None, 2 + 16, 8)
    turned = IMAGES.reshape(6, 4, 2, 8, 1)[:, ::-1].reshape(6, 8, 8, 1)  # rows of patches from below
    answers = model(IMAGES)
    assert np.abs(answers["class"] - model(turned)["class"]).max() > 1e-5
    model.get_layer("tokens").positions.assign(np.zeros((1, 18, 8)))
    for head in ("class", "distillation"):
        np.testing.assert_allclose(model(IMAGES)[head], model(turned)[head], atol=1e-5)
    assert transformer(distillation_token=False)(IMAGES).shape == (6, 5)


def test_heads_learn_from_labels_and_from_a_teacher():
    """DeiT's hard distillation: each head has a gradient from its own target only."""
    teacher = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(5)])
    student, labels = transformer(), np.arange(6) % 5
    hard = kd.Objective(kd.losses.HardTargets(), student="output/distillation", weight=0.5)
    distiller = kd.Distiller(student, teacher, [hard])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    options = {"loss_weights": {"class": 0.5}, "metrics": {"class": ["accuracy"]}, "run_eagerly": True}
    distiller.compile("sgd", loss={"class": loss}, **options)
    said = {name: np.array(answer) for name, answer in student(IMAGES).items()}
    history = distiller.fit(IMAGES, labels, batch_size=6, verbose=0).history
    of_labels = float(loss(labels, said["class"]))
    of_teacher = float(loss(np.argmax(teacher(IMAGES), -1), said["distillation"]))
    assert history["loss"][0] == pytest.approx((of_labels + of_teacher) / 2, abs=1e-5)
    assert history["hard_targets_output_distillation"][0] == pytest.approx(of_teacher, abs=1e-5)
    assert "class_accuracy" in history


@pytest.mark.slow
def test_the_mean_of_heads_is_exported_and_verified(tmp_path):
    student = transformer()
    mean = models.mean_of_heads(student)
    said = student(IMAGES)
    np.testing.assert_allclose(mean(IMAGES), (said["class"] + said["distillation"]) / 2, atol=1e-6)
    mean.save(tmp_path / "mean.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "mean.keras")(IMAGES), mean(IMAGES), atol=1e-6
    )
    kd.export(mean, tmp_path / "mean.tflite")
    verified = kd.verify(mean, tmp_path / "mean.tflite", (IMAGES, np.arange(6) % 5))
    assert verified.max_error < 1e-4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transformer(patch=3), "`patch` divides the height and width"),
        (lambda: transformer(heads=3), "`heads` the width of tokens"),
        (lambda: models.mean_of_heads(transformer(distillation_token=False)), "no output 'class'"),
        (lambda: models.mean_of_heads(transformer(), ("class", "token")), "no output 'token'"),
    ],
)
def test_what_no_transformer_is(make, message):
    with pytest.raises(ValueError, match=message):
        make()
