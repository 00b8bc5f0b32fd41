"""`kd.Prune` on two replicas prunes what it prunes on one device."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.compression.replicas import found_of

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


def compared(name, two, one):
    """How the kernels of a case differ between two replicas and one device."""
    a, b = (kernels(trained(strategy, name, averages=name == "2:4")) for strategy in (two, one))
    same = all(np.array_equal(p == 0, q == 0) for p, q in zip(a, b, strict=True))
    gap = max(float(np.abs(p - q).max()) for p, q in zip(a, b, strict=True))
    return {"same": same, "gap": gap, "zeros": float(np.mean([(p == 0).mean() for p in a]))}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return found_of(tmp_path_factory, "prune")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_replicas_prune_as_one_device_does(found, name):
    zeros = 0.75 if name == "unstructured" else 0.5
    assert found[name]["same"]
    assert found[name]["gap"] < 1e-4
    assert found[name]["zeros"] == pytest.approx(zeros, abs=0.1)
