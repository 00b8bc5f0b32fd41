import keras
import numpy as np
import pytest

from keras_kd.cli import app
from tests.conftest import classifier


def run(*words):
    return app.run([str(word) for word in words])


@pytest.fixture(scope="session")
def files(tmp_path_factory, digits):
    """Two models, a file and data. Tests write elsewhere."""
    folder = tmp_path_factory.mktemp("cli")
    keras.utils.set_random_seed(0)
    classifier("teacher", 8).save(folder / "teacher.keras")
    classifier("student", 4).save(folder / "student.keras")
    classifier("twelve", 4, 12).save(folder / "twelve.keras")
    train, test = digits.arrays["train"], digits.arrays["test"]
    rows = {"x_train": train.x[:200], "y_train": train.y[:200], "x_test": test.x[:50], "y_test": test.y[:50]}
    np.savez(folder / "data.npz", **rows)
    assert run("export", folder / "student.keras", "--out", folder / "student.tflite") == 0
    return folder


@pytest.fixture
def printed(capsys):
    """What was printed since the last call: (output, errors)."""
    return lambda: tuple(capsys.readouterr())
