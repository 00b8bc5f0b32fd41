"""What holds for every scheme: it is traced once, saved, resumed, and replicated, as any Keras model.

Two replicas are two logical CPU devices, which must be made before TensorFlow starts. So they run in one
process of their own, `python -m tests.schemes.test_contract FILE`, which writes the weights that it found.
"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import distance, weights_of
from tests.schemes.cases import SCHEMES, compiled, values
from tests.sharing import made_once
from tests.training.test_full_state import Bomb, Killed

ROOT = Path(__file__).parent.parent.parent
EPOCHS = 3


def fit(name, model, callbacks=(), epochs=EPOCHS):
    data = tf.data.Dataset.from_tensor_slices(SCHEMES[name].data).batch(8)
    return model.fit(data, epochs=epochs, verbose=0, callbacks=list(callbacks)).history


@pytest.fixture(scope="module")
def uninterrupted():
    """Each scheme, trained once: the model, what it logged, and how often its step was traced."""
    trained = {}

    def train(name):
        if name not in trained:
            model, traces = compiled(name), []
            step = model._end_step
            model.__dict__["_end_step"] = lambda: traces.append(name) or step()
            trained[name] = model, fit(name, model), len(traces)
        return trained[name]

    return train


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_trains_and_is_traced_once(name, uninterrupted):
    model, history, traces = uninterrupted(name)
    assert traces == 1
    assert history.keys() - {"loss", "student_loss"} == SCHEMES[name].logs
    assert all(len(logged) == EPOCHS and np.isfinite(logged).all() for logged in history.values())
    fresh = compiled(name)
    assert distance(weights_of(fresh), weights_of(model)) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_an_interrupted_run_resumes(name, uninterrupted, tmp_path):
    state = tmp_path / "state.npz"
    with pytest.raises(Killed):
        fit(name, compiled(name), [kd.FullState(state, save_freq=1), Bomb(1, 1)])
    resumed = compiled(name)
    history = fit(name, resumed, [kd.FullState(state, save_freq=1)])
    model, expected, _ = uninterrupted(name)
    assert distance(values(model), values(resumed)) < 1e-6
    assert history["loss"] == pytest.approx(expected["loss"], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_a_file_goes_on_where_it_was_saved(name, tmp_path):
    model = compiled(name, run_eagerly=True)
    fit(name, model, epochs=1)
    model.save(tmp_path / "scheme.keras")
    loaded = keras.models.load_model(tmp_path / "scheme.keras")
    if getattr(model, "average", None) is None and model.teacher is not None:
        loaded.teacher = model.teacher
    differ = {key for key, value in model.get_config().items() if loaded.get_config()[key] != value}
    assert differ <= {"student", "generator"}  # Keras names its layers in more detail once it has loaded them
    for each in (model, loaded):
        each.run_eagerly = True
        keras.utils.set_random_seed(3)
        each.train_on_batch(*(part[:8] for part in SCHEMES[name].data))
    assert distance(values(model), values(loaded)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_mixed_precision_and_xla(name):
    model = compiled(name, policy="mixed_float16", jit_compile=True)
    before = weights_of(model)
    history = fit(name, model, epochs=1)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert all(np.isfinite(logged).all() for logged in history.values())
    assert distance(before, weights_of(model)) > 1e-4


@pytest.fixture(scope="module")
def replicated(tmp_path_factory):
    def find(folder):
        file = folder / "found.npz"
        command = [sys.executable, "-m", "tests.schemes.test_contract", str(file)]
        result = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        with np.load(file) as found:
            return dict(found)

    return made_once(tmp_path_factory, "schemes", find)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_two_replicas_are_one_device(name, uninterrupted, replicated):
    model = uninterrupted(name)[0]
    found = [replicated[f"{name} {i}"] for i in range(len(values(model)))]
    assert distance(values(model), found) < 1e-5


def main(file):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {}
    for name in SCHEMES:
        model = compiled(name, strategy.scope)
        fit(name, model)
        found |= {f"{name} {i}": value for i, value in enumerate(values(model))}
    np.savez(file, **found)


if __name__ == "__main__":
    main(sys.argv[1])
