"""`kd.Cluster` on two replicas clusters what it clusters on one device."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.compression.replicas import found_of

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


def compared(name, two, one):
    """How the kernels of a case differ between two replicas and one device."""
    a, b = trained(two, name), trained(one, name)
    gap = max(float(np.abs(p - q).max()) for p, q in zip(a, b, strict=True))
    columns = [kernel.T if "channel" in name else [kernel] for kernel in a]
    most = max(len(np.unique(column)) for kernel in columns for column in kernel)
    return {"gap": gap, "most": most, "zeros": float(np.mean([(p == 0).mean() for p in a]))}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return found_of(tmp_path_factory, "cluster")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_replicas_cluster_as_one_device_does(found, name):
    assert found[name]["most"] == 4
    assert found[name]["gap"] < 1e-4
    assert (found[name]["zeros"] >= 0.5) == ("zeros" in name)
