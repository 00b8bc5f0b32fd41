import os

# Before anything imports TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["MPLBACKEND"] = "Agg"
# The tests compile far more than they run, and making fast machine code takes XLA twice as long. Its own
# passes, which decide what is computed and in which order, run as ever.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)

import functools
import gc
from pathlib import Path

import pytest

from tests import suite_times

# TensorFlow is not imported up here: pytest's own process, which hands the tests to its workers, would
# wait for it before it starts them.


def pytest_addoption(parser):
    parser.addoption("--times", type=Path, metavar="FILE", help="write the seconds of each room as JSON")


def pytest_terminal_summary(terminalreporter, config):
    suite_times.summarize(terminalreporter, config.getoption("times"))


def pytest_collection():
    gc.disable()


def pytest_collection_finish():
    """Have Python's garbage collection pass over what imports have left: half a million objects, for good.

    From here it is on, but runs less often: models and graphs are large, and are looked at again and again.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 20)
    gc.enable()


@pytest.fixture(autouse=True)
def seeded():
    """Same numbers and same layer names in every test, whatever ran before it."""
    import keras

    keras.backend.clear_session(free_memory=False)  # freeing it takes 0.3 s, as long as many a test
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def digits():
    from keras_kd import datasets  # only the tests that need data wait for it

    return datasets.digits()


@pytest.fixture
def traced_once(monkeypatch):
    """A plain model traces a step once: Keras makes variables of the optimizer in a trace, and traces again.

    For scripts and pages, whose time goes there; `kd.Distiller` makes them before its first trace by itself.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_kd.keras_internals import build_on_batch

    def with_variables(method):
        @functools.wraps(method)
        def run(model, x=None, y=None, *args, **kwargs):
            batch = x.element_spec if isinstance(x, tf.data.Dataset) else (x, y)
            known = isinstance(x, tf.data.Dataset | np.ndarray)
            if known and model.built and model.compiled and not hasattr(model, "student"):
                build_on_batch(model, batch)
            return method(model, x, y, *args, **kwargs)

        return run

    for name in ("fit", "evaluate"):
        monkeypatch.setattr(keras.Model, name, with_variables(getattr(keras.Model, name)))


@pytest.fixture
def plain_teacher(monkeypatch):
    """The teacher of digits is as wide and tapped as ever, but a third as deep: traced that much faster."""
    import keras_kd as kd

    def digits_teacher():
        return kd.models.plain("digits_teacher", (8, 8, 1), widths=(24, 48, 96), strides=(1, 2, 2))

    monkeypatch.setattr(kd.models, "digits_teacher", digits_teacher)


def classifier(name, filters, classes=10):
    """A tiny model for digits: named stages, BatchNorm, logits."""
    import keras

    inputs = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name="conv1")(inputs)
    x = keras.layers.BatchNormalization(name="norm1")(x)
    x = keras.layers.ReLU(name="stage1")(x)
    x = keras.layers.Conv2D(2 * filters, 3, padding="same", activation="relu", name="stage2")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x), name=name)


@pytest.fixture
def teacher():
    return classifier("teacher", 8)


@pytest.fixture
def student():
    return classifier("student", 4)
