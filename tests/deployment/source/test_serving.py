"""A Keras model by names: arrays in every form, outputs by name, random inputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_kd.deployment.source.serving import make_serving
from tests.deployment import small


def test_inputs_and_outputs_have_names(dense):
    served = make_serving(small.dicts())
    assert sorted(tensor.name for tensor in served.inputs) == ["left", "right"]
    outputs = served.predict(served.random_inputs(3))
    assert {name: array.shape for name, array in outputs.items()} == {"alpha": (3, 2), "z": (3, 3)}
    assert list(make_serving(dense).predict({"input_0": np.ones((2, 4), "float32")})) == ["output_0"]


def test_arrays_go_by_the_names_of_keras_or_of_the_file():
    model = small.lists()
    served, x = make_serving(model), small.data(model, 5)
    for form in (
        x,
        tuple(x),
        dict(zip(("zebra", "ant"), x, strict=True)),
        {"input_0": x[0], "input_1": x[1]},
    ):
        arrays = served.arrays(form)
        np.testing.assert_array_equal(arrays["zebra"], x[0])
        np.testing.assert_array_equal(arrays["ant"], x[1])


def test_the_batch_is_free_fixed_by_the_model_or_fixed_here():
    assert make_serving(small.dense()).specs()[0].shape == (None, 4)
    assert make_serving(small.dense(), batch_size=3).specs()[0].shape == (3, 4)
    inputs = keras.Input(batch_shape=(4, 5))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs), name="fours")
    served = make_serving(model)
    assert served.batch_size == 4
    assert served.predict({"input_0": np.ones((9, 5), "float32")})["output_0"].shape == (9, 2)
    with pytest.raises(ValueError, match=r"batch_size=3 does not fit 'fours', whose inputs fix it at 4"):
        make_serving(model, batch_size=3)


def test_the_runner_computes_what_the_model_computes(dense):
    x = small.data(dense, 7)
    for served in (make_serving(dense), make_serving(dense, batch_size=2)):
        np.testing.assert_allclose(served.runner()({"input_0": x})["output_0"], dense(x), atol=1e-6)


class Reading(keras.layers.Layer):
    """Reads what a trace does not have."""

    def __init__(self, read):
        super().__init__()
        self.read = read

    def call(self, x):
        self.read(x)
        return x * 2

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def in_graphs_only(x):
    if not tf.executing_eagerly():
        raise RuntimeError("a fault of my own")


def always(x):
    raise ValueError("a fault of my own")


@pytest.mark.parametrize(
    "read", [lambda x: x.numpy(), lambda x: np.zeros(x.shape[0]), lambda x: float(keras.ops.max(x))]
)
def test_the_runner_runs_eagerly_what_cannot_be_traced(read):
    served = make_serving(keras.Sequential([keras.Input((4,)), Reading(read)]))
    x = np.ones((3, 4), "float32")
    np.testing.assert_array_equal(served.runner()({"input_0": x})["output_0"], 2 * x)


@pytest.mark.parametrize("read", [in_graphs_only, always])
def test_the_runner_hides_no_fault_of_a_model(read):
    served = make_serving(keras.Sequential([keras.Input((4,)), Reading(read)]))
    with pytest.raises((RuntimeError, ValueError), match="a fault of my own"):
        served.runner()({"input_0": np.ones((3, 4), "float32")})


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_inputs_that_nothing_reads(library):
    inputs = [library.layers.Input((4,), name=name) for name in ("b", "c", "a")]
    model = library.Model(inputs, library.layers.Dense(2)(inputs[0] + inputs[2]))
    assert make_serving(model).unread_inputs() == ["c"]
    assert make_serving(library.Model(inputs[0], inputs[0] * 2)).unread_inputs() == []


def test_random_inputs_are_valid():
    ids = make_serving(small.text()).random_inputs(50)["ids"]
    assert (ids.dtype, ids.shape, ids.min() >= 0, ids.max() < 20) == ("int32", (50, 6), True, True)
    image = keras.Input((None, 6, 1), dtype="uint8")
    pixels = make_serving(keras.Model(image, keras.ops.cast(image, "float32"))).random_inputs(2)["input_0"]
    assert (pixels.dtype, pixels.shape) == ("uint8", (2, 32, 6, 1))
    numbers = make_serving(small.dense()).random_inputs(9)["input_0"]
    assert 0 <= numbers.min() < numbers.max() < 1
