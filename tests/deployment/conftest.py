import keras
import pytest

from keras_kd.deployment.tflite import export
from tests.deployment import small


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def dense():
    """A dense model and its float32 file."""
    return small.dense()


@pytest.fixture(scope="session")
def dense_file(dense, tmp_path_factory):
    return export(dense, tmp_path_factory.mktemp("files") / "dense.tflite").path


@pytest.fixture(scope="session")
def int8_file(dense, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "int8.tflite"
    return export(dense, path, quantization="int8", calibration=small.data(dense), io="int8").path
