"""What is refused, or warned of, when a Distiller is made or compiled."""

import keras
import numpy as np
import pytest
import tf_keras

import keras_kd as kd
from keras_kd.distillation.model_checks import check_callbacks, check_compile_arguments
from tests.distillation.conftest import convnet, perceptron


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kd.Distiller("student"), "The student must be a keras.Model. Received: builtins.str"),
        (lambda: kd.Distiller(convnet(4), 3), "The teacher must be a keras.Model"),
        (lambda: kd.Distiller(convnet(4), convnet(8), "mse"), "must be a list"),
    ],
)
def test_wrong_types(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("method", ["train_step", "compute_loss"])
def test_a_training_of_the_students_own_is_announced(method):
    class Own(keras.Model):
        pass

    setattr(Own, method, lambda self, *args, **kwargs: None)
    getattr(Own, method).__module__ = __name__
    inputs = keras.Input((4,))
    student = Own(inputs, keras.layers.Dense(3)(inputs))
    with pytest.warns(UserWarning, match=f"The student's own '{method}' is not used"):
        kd.Distiller(student, perceptron(8))


@pytest.mark.slow
def test_a_shared_layer_that_is_trained_is_announced():
    teacher = convnet(4)
    student = keras.Model(teacher.input, keras.layers.Dense(10)(teacher.get_layer("pool").output))
    with pytest.warns(UserWarning, match="The student trains 4 weights that the teacher shares"):
        kd.Distiller(student, teacher)
    for layer in student.layers[:-1]:
        layer.trainable = False
    kd.Distiller(student, teacher)  # frozen, it is no reason to warn


def test_check_compile_arguments_says_whose_a_loss_is():
    ours = {"loss": [keras.losses.MeanSquaredError()], "metrics": ["accuracy"]}
    check_compile_arguments(ours, keras.Model, "kd.Distiller")
    with pytest.raises(TypeError, match=r"compile\(loss=...\) of it takes what tf_keras.Model.compile takes"):
        check_compile_arguments(ours, tf_keras.Model, "it")


def test_check_callbacks_takes_those_of_its_own_keras_and_foreign_objects():
    check_callbacks([keras.callbacks.EarlyStopping(), object()], keras.callbacks.Callback)
    check_callbacks(None, keras.callbacks.Callback)
    with pytest.raises(TypeError, match=r"EarlyStopping is one of tf_keras\. Give one of Keras 3"):
        check_callbacks(tf_keras.callbacks.EarlyStopping(), keras.callbacks.Callback)


def test_a_backend_other_than_tensorflow_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="A Distiller trains on TensorFlow, and Keras runs on 'jax'"):
        kd.Distiller(perceptron(4))


class OwnFlip(keras.layers.RandomFlip):
    pass


class Augmenting(keras.Model):
    """Holds its augmentation where nothing but its attributes shows it."""

    def __init__(self):
        super().__init__()
        self.augment = keras.Sequential([keras.layers.RandomZoom(0.1, name="zoom")])
        self.head = keras.layers.Dense(10)

    def call(self, x):
        return self.head(keras.layers.Flatten()(self.augment(x)))


def augmented(*layers, library=keras):
    inputs = library.Input((8, 8, 1))
    x = library.Sequential([library.Input((8, 8, 1)), *layers], name="augment")(inputs)
    return library.Model(inputs, library.layers.Dense(10)(library.layers.Flatten()(x)))


AUGMENTED = {
    "nested": (lambda: augmented(keras.layers.RandomFlip(name="flip")), "'augment/flip'"),
    "derived": (lambda: augmented(OwnFlip(name="own")), "'augment/own'"),
    "several": (
        lambda: augmented(keras.layers.RandomRotation(0.1, name="a"), keras.layers.RandomErasing(name="b")),
        "'augment/a', 'augment/b'",
    ),
    "of all kinds": (lambda: augmented(keras.layers.RandAugment(name="rand")), "'augment/rand"),
}


@pytest.mark.parametrize(("make", "names"), AUGMENTED.values(), ids=AUGMENTED)
def test_augmentation_inside_the_student_is_announced(make, names):
    with pytest.warns(UserWarning, match=rf"augments its inputs \({names}.*data\.map"):
        kd.Distiller(make(), convnet(4))


@pytest.mark.slow
def test_augmentation_in_a_subclassed_student_and_in_one_of_tf_keras():
    x = np.zeros((2, 8, 8, 1), "float32")
    distiller = kd.Distiller(Augmenting())
    distiller.compile("sgd", run_eagerly=True)
    with pytest.warns(UserWarning, match=r"augments its inputs \('augment/zoom'\)"):
        distiller.train_on_batch(kd.Taught(x, {"output": np.eye(10, dtype="float32")[:2]}))
    with pytest.warns(UserWarning, match=r"augments its inputs \('augment/flip'\)"):
        kd.tfmot.Distiller(augmented(tf_keras.layers.RandomFlip(name="flip"), library=tf_keras), convnet(4))


def test_what_is_no_augmentation_or_reads_no_teacher_is_no_reason_to_warn():
    fixed = [keras.layers.Rescaling(1 / 255), keras.layers.CenterCrop(8, 8), keras.layers.GaussianNoise(0.1)]
    kd.Distiller(augmented(*fixed), convnet(4))
    labels = kd.Objective("sparse_categorical_crossentropy", teacher="labels", name="labels")
    kd.Distiller(augmented(keras.layers.RandomFlip(), keras.layers.Flatten()), convnet(4), [labels])
