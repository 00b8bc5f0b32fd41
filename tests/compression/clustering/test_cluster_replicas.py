"""`kd.Cluster` on two replicas clusters what it clusters on one device.

The replicas are two logical CPU devices, which must be made before TensorFlow starts: the cases run in a
process of their own, `python -m tests.compression.clustering.test_cluster_replicas FILE`.
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
    "later, averages": lambda: [kd.Cluster(4, begin=5)],
    "with zeros, per channel": lambda: [
        kd.Prune(0.5, schedule="constant"),
        kd.Cluster(4, per="channel", begin=2),
    ],
    "changing clusters": lambda: [kd.Cluster(4, reassign=True)],
}


def trained(strategy, name):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        dense = keras.layers.Dense
        # The first kernel of one case is large enough to be compiled.
        units = 8192 if "averages" in name else 64
        model = keras.Sequential([keras.Input((8,)), dense(units, "tanh"), dense(4)])
        model.compile(keras.optimizers.Adam(1e-3, use_ema="averages" in name), "mse")
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, callbacks=CASES[name](), verbose=0)
    return [layer.kernel.numpy() for layer in model.layers]


def main(file):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two, one = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), tf.distribute.get_strategy()
    found = {}
    for name in CASES:
        a, b = trained(two, name), trained(one, name)
        gap = max(float(np.abs(p - q).max()) for p, q in zip(a, b, strict=True))
        columns = [kernel.T if "channel" in name else [kernel] for kernel in a]
        most = max(len(np.unique(column)) for kernel in columns for column in kernel)
        found[name] = {"gap": gap, "most": most, "zeros": float(np.mean([(p == 0).mean() for p in a]))}
    Path(file).write_text(json.dumps(found))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    def find(folder):
        file = folder / "found.json"
        module = "tests.compression.clustering.test_cluster_replicas"
        command = [sys.executable, "-W", "error", "-m", module, str(file)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(file.read_text())

    return made_once(tmp_path_factory, "cluster_replicas", find)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_replicas_cluster_as_one_device_does(found, name):
    assert found[name]["most"] == 4
    assert found[name]["gap"] < 1e-4
    assert (found[name]["zeros"] >= 0.5) == ("zeros" in name)


if __name__ == "__main__":
    main(sys.argv[1])
