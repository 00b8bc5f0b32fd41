"""What is refused, or warned of, when a Distiller is made or compiled."""

import keras
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
