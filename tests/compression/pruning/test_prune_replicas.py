"""`kd.Prune` on two replicas prunes what it prunes on one device.

The replicas are two logical CPU devices, which must be made before TensorFlow starts: the cases run in a
process of their own, `python -m tests.compression.pruning.test_prune_replicas FILE`.
"""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.sharing import made_once

ROOT = Path(__file__).parents[3]
random = np.random.default_rng(0)
X, Y = random.normal(size=(64, 8)).astype("float32"), random.normal(size=(64, 4)).astype("float32")
CASES = {
    "unstructured": {"sparsity": 0.75, "end": 10, "frequency": 3},
    "2:4": {"pattern": "2:4", "begin": 3},
    "global": {"sparsity": 0.5, "scope": "global", "schedule": "constant"},
}


def trained(strategy, name, averages=False):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        dense = keras.layers.Dense
        model = keras.Sequential(
            [keras.Input((8,)), dense(16, "tanh", kernel_constraint="max_norm"), dense(4)]
        )
        model.compile(keras.optimizers.Adam(1e-2, use_ema=averages), "mse")
    prune = kd.Prune(**CASES[name])
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, callbacks=[prune], verbose=0)
    return model


def kernels(model):
    return [layer.kernel.numpy() for layer in model.layers]


def main(file):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two, one = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()
    found = {}
    for name in CASES:
        a, b = (kernels(trained(strategy, name, averages=name == "2:4")) for strategy in (two, one))
        same = all(np.array_equal(p == 0, q == 0) for p, q in zip(a, b, strict=True))
        gap = max(float(np.abs(p - q).max()) for p, q in zip(a, b, strict=True))
        found[name] = {"same": same, "gap": gap, "zeros": float(np.mean([(p == 0).mean() for p in a]))}
    Path(file).write_text(json.dumps(found))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    def find(folder):
        file = folder / "found.json"
        module = "tests.compression.pruning.test_prune_replicas"
        command = [sys.executable, "-W", "error", "-m", module, str(file)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(file.read_text())

    return made_once(tmp_path_factory, "prune_replicas", find)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_replicas_prune_as_one_device_does(found, name):
    zeros = 0.75 if name == "unstructured" else 0.5
    assert found[name]["same"]
    assert found[name]["gap"] < 1e-4
    assert found[name]["zeros"] == pytest.approx(zeros, abs=0.1)


if __name__ == "__main__":
    main(sys.argv[1])
