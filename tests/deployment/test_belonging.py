"""Models and files that do not belong together."""

import keras
import numpy as np
import pytest

from keras_kd.deployment.belonging import check_same_inputs, check_same_outputs
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.verification import verify
from tests.deployment import small


def single(shape, name="mine", dtype="float32"):
    x = keras.Input(shape, name="mine", dtype=dtype)
    return keras.Model(x, keras.layers.Flatten()(x), name=name)


@pytest.mark.parametrize(
    ("build", "model", "message"),
    [
        (small.dense, single((5,)), r"is not a file of 'mine': the model takes mine \(5,\) float32, and"),
        (small.dense, single((4, 1)), r"and the file takes input_0 \(4,\) float32\."),
        (small.dicts, single((4,)), r"the file takes left \(4,\) float32, right \(4,\) float32\."),
        (small.dense, small.dicts(), "the model takes left .*, right"),
        (small.text, single((6,)), "takes mine .* float32, and the file takes ids .* int32"),
    ],
)
def test_other_inputs(build, model, message, small_file):
    path = small_file(build)[1].path
    with pytest.raises(ValueError, match=message):
        check_same_inputs(make_serving(model), LiteModel(path))
    with pytest.raises(ValueError, match=f"^'{path}' is not a file of"):
        verify(model, path, np.ones((3, 5), "float32"))


def test_inputs_that_fit(small_file):
    for build in (small.dense, small.dicts, small.lists, small.any_size, small.text):
        model, exported = small_file(build)
        check_same_inputs(make_serving(model), LiteModel(exported.path))
    # An older file may have other names, and a float input may be bytes in the file.
    check_same_inputs(make_serving(single((4,))), LiteModel(small_file(small.dense)[1].path))
    check_same_inputs(
        make_serving(small.dense()), LiteModel(small_file(small.dense, "int8", io="int8")[1].path)
    )


def test_other_outputs(dense, dense_file):
    served, lite = make_serving(dense), LiteModel(dense_file)
    here, there = {"output_0": np.zeros((2, 3))}, {"output_0": np.zeros((2, 5))}
    check_same_outputs(here, here, served, lite)
    for received in (there, {"other": here["output_0"]}, {**here, "more": np.zeros(2)}):
        with pytest.raises(ValueError, match=r"not a file of 'dense': the outputs of the model are .*\(3,\)"):
            check_same_outputs(here, received, served, lite)


def test_the_file_of_another_model_of_the_same_shape_is_called_that(dense_file, dense):
    keras.utils.set_random_seed(7)
    other = small.dense()
    x = small.data(other, 200)
    assert "It looks like the file of another model" in verify(other, dense_file, x).notes[-1]
    # Its own does not, and neither does a coarser one of the same weights.
    near = keras.models.clone_model(dense)
    near.set_weights([weight + 0.05 for weight in dense.get_weights()])
    for model in (dense, near):
        assert not any("another" in note for note in verify(model, dense_file, x).notes)


def test_a_file_that_lost_much_is_called_that(dense_file, dense):
    x = small.data(dense, 200)
    far = keras.models.clone_model(dense)
    noise = np.random.default_rng(3).normal(size=(4, 3)) / 3
    far.set_weights([dense.get_weights()[0] + noise, dense.get_weights()[1]])
    assert "lost much of what the model tells apart" in verify(far, dense_file, x).notes[-1]
