"""What tfmot's import does to a process, undone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import json, os, sys, threading
import tensorflow as tf
if sys.argv[1] == "touched":
    tf.keras.layers
import keras_kd as kd
if sys.argv[1] == "threads":
    threads = [threading.Thread(target=kd.tfmot.import_tfmot) for _ in range(4)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
tfmot = kd.tfmot.import_tfmot()
from tf_keras import layers, Sequential
model = Sequential([layers.Input((4, 2)), layers.LSTM(2), layers.Dense(2)])
kd.tfmot.prune_low_magnitude(model, tfmot.sparsity.keras.ConstantSparsity(0.5, 0))
kd.tfmot.Distiller
homes = [place.keras.layers.Dense.__module__ for place in (tf, tf.compat.v2)]
print(json.dumps([os.environ.get("TF_USE_LEGACY_KERAS"), *homes]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "how", "home"),
    [
        (None, "", "keras.src"),
        (None, "touched", "keras.src"),
        (None, "threads", "keras.src"),
        ("0", "", "keras.src"),
        ("1", "", "tf_keras.src"),
    ],
)
def test_the_variable_and_tf_keras_are_as_before(value, how, home):
    environment = {name: text for name, text in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    environment |= {"PYTHONPATH": str(ROOT)} | ({} if value is None else {"TF_USE_LEGACY_KERAS": value})
    command = [sys.executable, "-W", "error", "-c", CODE, how]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    variable, *homes = json.loads(result.stdout)
    assert variable == value
    assert all(module.startswith(home) for module in homes)
