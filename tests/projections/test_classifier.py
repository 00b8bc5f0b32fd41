"""SimKD: the deployed model, and that the teacher stays as it was."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.projections import Linear, SimKDProjector, reuse_classifier


@keras.saving.register_keras_serializable("tests")
class Scale(layers.Layer):
    """A layer of a user, with a weight."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="random_normal")

    def call(self, x):
        return x * self.scale


def sequential(filters, head="pool", name="net"):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu", name="stage1"),
            layers.Conv2D(filters, 3, padding="same", activation="relu", name="stage2"),
            layers.GlobalAveragePooling2D(name="pool") if head == "pool" else layers.Flatten(name="flat"),
            layers.Dropout(0.5),
            layers.Dense(10, name="logits"),
        ],
        name=name,
    )
    return model


def functional(filters, stride=2, name="net", outputs=1):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", name="stage1")(inputs)
    x = layers.ReLU(name="stage2")(layers.Add()([x, layers.Conv2D(filters, 1)(x)]))
    y = layers.GlobalAveragePooling2D(name="pool")(x)
    y = Scale(name="scale")(y)
    heads = [layers.Dense(10, name=f"logits{i}")(y + 1.0) for i in range(outputs)]
    return keras.Model(inputs, heads if outputs > 1 else heads[0], name=name)


IMAGES = np.random.default_rng(0).random((6, 8, 8, 1), "float32")
TAPS = {"student_tap": "stage2", "teacher_tap": "stage2"}


def classified(teacher, tap, maps):
    """What the teacher's layers after a tap say, by running them one after another."""
    names = [layer.name for layer in teacher.layers]
    for layer in teacher.layers[names.index(tap) + 1 :]:
        maps = layer(maps, training=False)
    return maps


@pytest.mark.parametrize(
    ("student", "tap"),
    [(sequential, "stage1"), (functional, "stage1"), (functional, "stage2"), (sequential, "pool")],
)
def test_it_is_the_student_the_projector_and_the_teachers_own_layers(student, tap):
    teacher, student = sequential(8, name="teacher"), student(4, name="student")
    before = [w.copy() for w in teacher.get_weights()]
    if tap == "pool":
        model = reuse_classifier(student, teacher, student_tap=tap, teacher_tap=tap, projector=Linear())
    else:
        model = reuse_classifier(student, teacher, student_tap=tap, teacher_tap=tap)
    student_view = keras.Model(student.inputs[0], student.get_layer(tap).output)
    projected = model.get_layer("projector")(student_view(IMAGES))
    np.testing.assert_allclose(model(IMAGES), classified(teacher, tap, projected), rtol=1e-5, atol=1e-6)
    for x, y in zip(teacher.get_weights(), before, strict=True):
        np.testing.assert_array_equal(x, y)
    assert teacher.trainable
    assert len(teacher.trainable_weights) == 6


def test_it_shares_the_students_layers_and_freezes_the_classifier():
    teacher, student = functional(8, name="teacher"), functional(4, name="student")
    model = reuse_classifier(student, teacher, **TAPS)
    assert model.get_layer("stage1") is student.get_layer("stage1")
    assert model.get_layer("classifier").trainable_weights == []
    assert {id(w) for w in model.get_layer("classifier").weights}.isdisjoint(id(w) for w in teacher.weights)
    trained = {weight.path.split("/")[0] for weight in model.trainable_weights}
    assert "projector" in trained
    assert not trained & {"pool", "scale", "logits0"}


def test_the_layers_between_may_be_a_users_own_and_branch():
    teacher, student = functional(8, name="teacher", outputs=2), sequential(4, name="student")
    model = reuse_classifier(student, teacher, **TAPS)
    projected = model.get_layer("projector")(
        keras.Model(student.inputs[0], student.get_layer("stage2").output)(IMAGES)
    )
    maps = teacher.get_layer("scale")(keras.ops.mean(projected, (1, 2))) + 1.0
    for i, logits in enumerate(model(IMAGES)):
        np.testing.assert_allclose(logits, teacher.get_layer(f"logits{i}")(maps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("stride", "size"), [(1, 4), (4, 2)])
def test_a_larger_map_is_pooled_and_a_smaller_one_kept(stride, size):
    teacher, student = functional(8, name="teacher"), functional(4, stride, name="student")
    model = reuse_classifier(student, teacher, **TAPS)
    assert tuple(model.get_layer("projector").output.shape) == (None, size, size, 8)
    assert tuple(model(IMAGES).shape) == (6, 10)


def test_a_classifier_of_fixed_size_says_so():
    teacher, student = sequential(8, head="flat", name="teacher"), functional(4, 4, name="student")
    with pytest.raises(ValueError, match=r"takes signals of the shape \(None, 4, 4, 8\).*\(None, 2, 2, 8\)"):
        reuse_classifier(student, teacher, **TAPS)


@pytest.mark.parametrize(
    ("projector", "advice"),
    [
        (lambda: layers.Conv2D(6, 1), r"\(None, 4, 4, 6\).*must return the teacher's width, 8\."),
        (lambda: layers.GlobalMaxPooling2D(), r"\(None, 4\).*must return 4 axes, the batch axis included\."),
        (lambda: layers.Conv2DTranspose(8, 2, 2), r"\(None, 8, 8, 8\).*must pool it to that size"),
        (lambda: layers.Conv2D(8, 1, 2), r"\(None, 2, 2, 8\).*a map of at least that size"),
    ],
)
def test_what_is_wrong_with_a_projector_is_said(projector, advice):
    teacher, student = sequential(8, head="flat", name="teacher"), sequential(4, name="student")
    with pytest.raises(ValueError, match=advice):
        reuse_classifier(student, teacher, **TAPS, projector=projector())


class Times(layers.Layer):
    """A layer of a user without a `get_config`."""

    def __init__(self, factor):
        super().__init__(name="unsaved")
        self.factor = factor

    def call(self, x):
        return x * self.factor


def with_layer(layer):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="stage2")(inputs)
    x = layers.GlobalAveragePooling2D()(layer(x))
    return keras.Model(inputs, layers.Dense(10)(x), name="teacher")


def test_a_lambda_is_copied_and_that_of_the_teacher_has_one_output_as_before():
    teacher = with_layer(layers.Lambda(lambda x: x * 2, name="twice"))
    model = reuse_classifier(sequential(4), teacher, **TAPS)
    assert model.get_layer("classifier").get_layer("twice").function is teacher.get_layer("twice").function
    assert teacher.get_layer("twice").output.shape == (None, 4, 4, 8)


def test_a_layer_that_cannot_be_copied_is_named():
    teacher = with_layer(Times(2))
    with pytest.raises(
        ValueError, match=r"layer 'unsaved' \(.*cannot be copied.*`teacher_tap` after it"
    ) as e:
        reuse_classifier(sequential(4), teacher, **TAPS)
    assert "of at least that size" not in str(e.value)


@pytest.mark.parametrize("name", ["projector", "classifier"])
def test_names_that_the_student_has_already(name):
    teacher, student = sequential(8, name="teacher"), sequential(4, name="student")
    student.get_layer("stage1").name = name
    with pytest.raises(ValueError, match=rf"student 'student' already has a layer '{name}'.*Rename"):
        reuse_classifier(student, teacher, **TAPS)
    student.get_layer(name).name = f"student_{name}"  # as the message says
    assert tuple(reuse_classifier(student, teacher, **TAPS)(IMAGES).shape) == (6, 10)


def test_layers_that_read_more_than_the_tap_are_refused():
    teacher, student = functional(8, name="teacher"), functional(4, name="student")
    inside = teacher.layers[2].name  # the convolution beside the shortcut
    with pytest.raises(ValueError, match="also reads other layers"):
        reuse_classifier(student, teacher, student_tap="stage1", teacher_tap=inside)


def test_wrong_names_and_models():
    teacher, student = sequential(8, name="teacher"), sequential(4, name="student")
    with pytest.raises(ValueError, match=r"student 'student' has no layer 'stage3'.*Did you mean 'stage"):
        reuse_classifier(student, teacher, student_tap="stage3", teacher_tap="stage2")

    class Net(keras.Model):
        pass

    with pytest.raises(TypeError, match="teacher must be a functional or sequential model"):
        reuse_classifier(student, Net(), student_tap="stage2", teacher_tap="stage2")
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    twice = keras.Model(inputs, shared(shared(inputs)))
    with pytest.raises(ValueError, match="runs 2 times"):
        reuse_classifier(twice, teacher, student_tap="shared", teacher_tap="stage2")


def test_layers_that_are_in_other_models_too_are_cut_in_their_own():
    teacher, student = functional(8, name="teacher"), functional(4, name="student")
    first = reuse_classifier(student, teacher, **TAPS)
    second = reuse_classifier(student, teacher, **TAPS)
    assert first.get_layer("stage1") is second.get_layer("stage1")
    assert first.get_layer("projector") is not second.get_layer("projector")
    third = reuse_classifier(student, first, student_tap="stage2", teacher_tap="projector")
    assert tuple(third(IMAGES).shape) == (6, 10)


def test_a_projector_of_ones_own_gets_the_name():
    teacher, student = sequential(8, name="teacher"), sequential(4, name="student")
    mine = SimKDProjector(reduction=4)
    model = reuse_classifier(student, teacher, **TAPS, projector=mine)
    assert model.get_layer("projector") is mine
    assert mine.convolutions[0].filters == 2


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_it_is_in_the_students_precision_and_a_file_holds_it(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    try:
        teacher, student = functional(8, name="teacher"), functional(4, name="student")
        model = reuse_classifier(student, teacher, **TAPS)
        assert model.get_layer("projector").dtype_policy.name == policy
    finally:
        keras.config.set_dtype_policy("float32")
    model(IMAGES, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(IMAGES), model(IMAGES), rtol=1e-3, atol=1e-4)
    assert loaded.get_layer("classifier").trainable_weights == []


@pytest.mark.slow
def test_distilled_without_labels_it_says_what_the_teacher_says(tmp_path):
    """The whole way: train the projector and the student's layers on the features, evaluate, export."""
    teacher, student = kd.models.digits_teacher(), kd.models.digits_student()
    model = reuse_classifier(student, teacher, student_tap="stage3", teacher_tap="stage3")
    distiller = kd.Distiller(model, teacher, [kd.Objective("mse", student="projector", teacher="stage3")])
    distiller.compile(keras.optimizers.Adam(0.01))
    images = kd.datasets.digits().arrays["train"].x[:256]
    before = model.get_layer("classifier").get_weights()
    history = distiller.fit(images, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    for x, y in zip(model.get_layer("classifier").get_weights(), before, strict=True):
        np.testing.assert_array_equal(x, y)
    kd.export(model, tmp_path / "model.tflite")
