import keras
import numpy as np
import pytest

X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def classifier(name="net", activation=None, units=3, scale=1.0):
    """A hidden layer on vectors of four, and a head."""
    inputs = keras.Input((4,))
    x = keras.layers.Dense(5, "relu", name="hidden")(inputs)
    spread = keras.initializers.RandomNormal(stddev=scale)
    head = keras.layers.Dense(units, activation, kernel_initializer=spread, name="head")(x)
    return keras.Model(inputs, head, name=name)


def answers(model, x=X):
    found = model(x, training=False)
    return keras.tree.map_structure(lambda tensor: np.asarray(tensor, "float64"), found)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A folder with one model as a `.keras` file and a SavedModel, and what it answers to `X`."""
    folder = tmp_path_factory.mktemp("teachers")
    keras.utils.set_random_seed(3)
    model = classifier("trained", scale=3.0)
    model.save(folder / "net.keras")
    model.export(folder / "net", verbose=False)
    return folder, answers(model)


@pytest.fixture(scope="session")
def with_lite(files):
    """The same folder with a `.tflite` file in it, which takes seconds to make."""
    import keras_kd as kd

    folder, expected = files
    kd.export(keras.models.load_model(folder / "net.keras"), folder / "net.tflite", batch_size=4)
    return folder, expected
