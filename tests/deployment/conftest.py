import functools
import itertools

import keras
import pytest

from keras_kd.deployment.quantizations import get
from keras_kd.deployment.tflite import export
from tests.deployment import small


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def small_file(tmp_path_factory):
    """Builds and exports a small model once: `small_file(small.lstm, "float16")` -> the model, `Exported`.

    Tests share both, so they leave both as they are.
    """
    folder, numbers = tmp_path_factory.mktemp("files"), itertools.count()

    @functools.cache
    def model_of(build):
        keras.utils.set_random_seed(0)
        return build()

    @functools.cache
    def exported(build, quantization, **options):
        model = model_of(build)
        samples = small.data(model) if get(quantization).integer_activations else None
        path = folder / f"{next(numbers)}.tflite"
        file = export(model, path, quantization=quantization, calibration=samples, **options)
        return model, file

    return lambda build, quantization=None, **options: exported(build, quantization, **options)


@pytest.fixture(scope="session")
def dense(small_file):
    """A dense model; `dense_file` is its float32 file, with a free batch."""
    return small_file(small.dense, batch_size=None)[0]


@pytest.fixture(scope="session")
def dense_file(small_file):
    return small_file(small.dense, batch_size=None)[1].path


@pytest.fixture(scope="session")
def int8_file(small_file):
    return small_file(small.dense, "int8", io="int8")[1].path
