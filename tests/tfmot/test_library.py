"""What tfmot's import does to a process, undone; and what the bridge leaves as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tf_keras

from keras_kd.tfmot.library import global_policy_of

ROOT = Path(__file__).parents[2]
CODE = """
import json, os, sys, threading
import tensorflow as tf
import keras, keras_kd as kd
if sys.argv[1] == "bridge":
    assert "tf_keras" not in sys.modules and "tensorflow_model_optimization" not in sys.modules
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="hard_silu")])
    kd.tfmot.from_tf_keras(kd.tfmot.to_tf_keras(model))
    assert "TF_USE_LEGACY_KERAS" not in os.environ
    assert tf.keras.__version__[0] == "3"
if sys.argv[1] == "threads":
    threads = [threading.Thread(target=kd.tfmot.import_tfmot) for _ in range(4)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
tfmot = kd.tfmot.import_tfmot()
from tf_keras import layers, Sequential
model = Sequential([layers.Input((4, 2)), layers.LSTM(2), layers.Dense(2)])
kd.tfmot.prune_low_magnitude(model, tfmot.sparsity.keras.ConstantSparsity(0.5, 0))
kd.tfmot.Distiller
homes = [module.keras.layers.Dense.__module__ for module in (tf, tf.compat.v2)]
print(json.dumps([os.environ.get("TF_USE_LEGACY_KERAS"), *homes]))
"""
# The variable, what happens before the import, and whose layers `tf.keras` has afterwards.
CASES = [
    (None, "bridge", "keras.src"),  # which makes TensorFlow decide what `tf.keras` is
    ("0", "threads", "keras.src"),
    ("1", "", "tf_keras.src"),
]


@pytest.fixture(scope="module")
def processes():
    """One for each case, all started at once."""
    started = {}
    for value, how, _ in CASES:
        environment = {name: text for name, text in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
        environment |= {"PYTHONPATH": str(ROOT)} | ({} if value is None else {"TF_USE_LEGACY_KERAS": value})
        command = [sys.executable, "-W", "error", "-c", CODE, how]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started[value, how] = subprocess.Popen(command, env=environment, **pipes)
    yield started
    for process in started.values():
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(("value", "how", "home"), CASES)
def test_TF_USE_LEGACY_KERAS_and_tf_keras_are_as_before_the_import(processes, value, how, home):
    process = processes[value, how]
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    variable, *homes = json.loads(output)
    assert variable == value
    assert all(module.startswith(home) for module in homes)


def test_global_policy_of_a_layer_is_put_back_even_after_an_error():
    layer = tf_keras.layers.Dense(2, dtype="mixed_bfloat16")
    with global_policy_of(layer):
        assert tf_keras.mixed_precision.global_policy().name == "mixed_bfloat16"
        assert tf_keras.layers.Dense(2).compute_dtype == "bfloat16"

    @global_policy_of(layer)
    def fail():
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert tf_keras.mixed_precision.global_policy().name == "float32"
