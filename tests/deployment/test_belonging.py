"""Models and files that do not belong together."""

import keras
import numpy as np
import pytest
import tf_keras

from keras_kd.deployment.belonging import OwnedFile, Owner
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.source.serving import make_serving
from keras_kd.deployment.verification import verify
from tests.deployment import small
from tests.deployment.foreign import converted, rewritten
from tests.selection import rest_slow


def single(shape, name="mine", dtype="float32"):
    x = keras.Input(shape, name="mine", dtype=dtype)
    return keras.Model(x, keras.layers.Flatten()(x), name=name)


def owned(model, path):
    served = make_serving(model)
    return OwnedFile(LiteModel(path), Owner.of_model(served, served.runner()))


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
        owned(model, path)
    with pytest.raises(ValueError, match=f"^'{path}' is not a file of"):
        verify(model, path, np.ones((3, 5), "float32"))


def test_inputs_that_fit(small_file):
    for build in (small.dense, small.dicts, small.lists, small.any_size, small.text):
        model, exported = small_file(build)
        assert owned(model, exported.path).is_named_alike()
    # An older file may have other names, and a float input may be bytes in the file.
    assert not owned(single((4,)), small_file(small.dense)[1].path).is_named_alike()
    assert owned(small.dense(), small_file(small.dense, "int8", io="int8")[1].path).is_named_alike()


@pytest.mark.parametrize("outputs", [{"output_0": (2, 5)}, {"output_0": (2, 3), "more": (2, 3)}])
def test_other_outputs(outputs, dense, dense_file):
    wanted = {name: np.zeros(shape, "float32") for name, shape in outputs.items()}
    with pytest.raises(ValueError, match=r"not a file of 'dense': the outputs of the model are .*\(3,\)"):
        owned(dense, dense_file).predict({"input_0": np.ones((2, 4), "float32")}, wanted)


def two(keras, names=(None, None), outputs=list):
    """Inputs and outputs that only their names tell apart, made in another order than the model has them."""
    layers = keras.layers
    second, first = (keras.Input((4,), name=name) for name in names)
    x = layers.Subtract()([layers.Dense(3)(first), layers.Dense(3)(second)])
    late, early = layers.Dense(3)(x), layers.Dense(3)(x)
    return keras.Model([first, second], outputs([early, late]))


class Pair(keras.Model):
    def __init__(self):
        super().__init__()
        self.heads = [keras.layers.Dense(3), keras.layers.Dense(3)]

    def call(self, x):
        return self.heads[0](x[0]) - x[1][:, :3], self.heads[1](x[1])


def subclassed():
    model = Pair()
    model([np.ones((2, 4), "float32")] * 2)
    return model


X = [np.random.default_rng(i).normal(size=(5, 4)).astype("float32") for i in range(2)]


@pytest.mark.parametrize(
    "build",
    rest_slow(
        {
            "unnamed": lambda: two(keras),
            "named": lambda: two(keras, ("zoom", "crop")),
            "subclassed": subclassed,
            "tf_keras": lambda: two(tf_keras),
            "tf_keras dict": lambda: two(tf_keras, outputs=lambda pair: dict(zip("qb", pair, strict=True))),
        },
        "unnamed",
    ),
)
def test_files_of_the_converter_go_by_the_names_of_the_model(build, tmp_path):
    model, again = build(), build()  # as of another session, with other numbers in Keras's names
    again.set_weights(model.get_weights())
    path, wanted = converted(model, tmp_path / "m.tflite"), model.predict(X, verbose=0)
    for same in (model, again):
        file = owned(same, path)
        outputs = file.predict(file.arrays(X))
        named = wanted if isinstance(wanted, dict) else dict(zip(outputs, wanted, strict=True))
        for name, array in outputs.items():
            np.testing.assert_allclose(array, named[name], atol=1e-5)
        assert verify(same, path, X).max_error < 1e-5


def test_what_cannot_be_told_is_not_guessed(small_file, tmp_path):
    model, exported = small_file(small.lists)
    path = rewritten(exported.path, tmp_path / "m.tflite", ["p", "q"], ["output_0", "output_1"])
    message = r"Neither names nor shapes tell which input of .*m\.tflite' is which of 'lists': the file has "
    with pytest.raises(ValueError, match=message + r"\['q', 'p'\], and the model \['zebra', 'ant'\]\. Give"):
        verify(model, path, small.data(model))


def test_the_file_of_another_model_of_the_same_shape_is_called_that(dense_file, dense):
    keras.utils.set_random_seed(7)
    other = small.dense()
    x = small.data(other, 200)
    assert "nothing to do with the model's" in verify(other, dense_file, x).notes[-1]
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
