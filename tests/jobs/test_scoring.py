"""How right a model is about each sample, for each of its outputs."""

import keras
import numpy as np

from keras_kd.datasets import Data, Split
from keras_kd.jobs.scoring import score
from keras_kd.jobs.tasks import find_tasks


def test_scores_of_several_outputs():
    inputs = keras.Input((2,))
    model = keras.Model(
        inputs,
        {"kind": keras.layers.Softmax(name="kind")(inputs), "age": keras.layers.Dense(1, name="age")(inputs)},
    )
    x = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0]], "float32")
    age = model.predict(x, verbose=0)["age"][:, 0]
    split = Split(x, {"kind": np.array([0, 0, 0]), "age": age + np.array([0, 1, 2], "float32")})
    data = Data("made", None, dict.fromkeys(("train", "validation", "test", "calibration"), split), 2)
    tasks = find_tasks(model, split.y)
    found = score(model, tasks, data, "test")
    np.testing.assert_array_equal(found["output/kind"], [1, 0, 1])
    np.testing.assert_allclose(found["output/age"], [0, -1, -2], atol=1e-6)
