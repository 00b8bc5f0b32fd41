"""Two workers, processes that speak over the loopback, train as one process does; also when one is killed.

The supervisors are those of examples/multi_worker: our own launcher, and Ray Train. A worker runs
`python -m tests.training.test_workers WHAT FOLDER`.
"""

import os
import pickle
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.cases import CASES, PARTS, X, Y, gaps, network, projected, results
from tests.distillation.conftest import cross_entropy

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "multi_worker"
SAME = ["blend", "projection, penalty, teacher in scope"]
KILLED_AT = 8  # of 15 batches; the state is saved after every second


class Kill(keras.callbacks.Callback):
    """The second worker dies in the middle, once."""

    def __init__(self, marker):
        super().__init__()
        self.marker, self.batches = marker, 0

    def on_train_batch_begin(self, batch, logs=None):
        self.batches += 1
        if self.batches == KILLED_AT and not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def interrupted(strategy, folder, kill):
    """Everything that a restart could forget: dropout, moments, a schedule, shuffled data, a projection."""
    keras.utils.set_random_seed(0)
    index = strategy.cluster_resolver.task_id
    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(40, seed=1).batch(8)
    teacher = network(9, "teacher")
    with strategy.scope():
        student = network(4, "student", dropout=0.3, norm=keras.layers.BatchNormalization(synchronized=True))
        distiller = kd.Distiller(student, teacher, projected())
        schedule = keras.optimizers.schedules.CosineDecay(0.1, 15)
        distiller.compile(keras.optimizers.Adam(schedule), loss=cross_entropy(), metrics=["accuracy"])
    callbacks = [kd.FullState(folder / "state.npz", save_freq=2, delete_checkpoint=False)]
    if kill and index == 1:
        callbacks.append(Kill(folder / "killed"))
    logs = distiller.fit(data, epochs=3, callbacks=callbacks, verbose=2 if index == 0 else 0).history
    if index == 0:
        (folder / "trained").write_bytes(pickle.dumps((distiller.get_weights(), logs)))


def main(what, folder):
    if what == "ray":
        work = runpy.run_path(str(EXAMPLES / "ray_train.py"))["run"]
        work(under_ray, {"folder": str(folder)}, workers=2, failures=1)
        return
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    if what == "undisturbed":
        found = {name: results(CASES[name], strategy) for name in SAME}
        (folder / f"found{strategy.cluster_resolver.task_id}").write_bytes(pickle.dumps(found))
    interrupted(strategy, folder, kill=what == "killed")


def under_ray(config):
    interrupted(tf.distribute.MultiWorkerMirroredStrategy(), Path(config["folder"]), kill=True)


def launched(what, folder, restarts):
    """Run two workers by our own launcher; its exit code."""
    run = runpy.run_path(str(EXAMPLES / "launch.py"))["run"]
    command = [sys.executable, "-m", "tests.training.test_workers", what, str(folder)]
    return run(command, workers=2, restarts=restarts)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder in which two workers, left in peace, have written what they found."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert launched("undisturbed", folder, restarts=0) == 0
    return folder


@pytest.mark.parametrize("worker", [0, 1])
@pytest.mark.parametrize("name", SAME)
def test_two_workers_are_one_process(undisturbed, name, worker):
    found = pickle.loads((undisturbed / f"found{worker}").read_bytes())[name]
    alone = results(CASES[name], None)
    assert gaps(alone, found) == pytest.approx(dict.fromkeys(PARTS, 0), abs=1e-6)


def assert_same_training(one, two):
    (weights, logs), (others, other_logs) = (
        pickle.loads((folder / "trained").read_bytes()) for folder in (one, two)
    )
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert {name: pytest.approx(values, abs=1e-6) for name, values in logs.items()} == other_logs


def test_a_killed_worker_leaves_no_trace(undisturbed, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    assert launched("killed", tmp_path, restarts=1) == 0
    said = capfd.readouterr().out
    assert f"A worker ended with {-signal.SIGKILL}" in said
    assert "Resuming at epoch 2" in said
    assert_same_training(undisturbed, tmp_path)


def test_the_launcher_gives_up(tmp_path, capfd):
    run = runpy.run_path(str(EXAMPLES / "launch.py"))["run"]
    assert run([sys.executable, "-c", "raise SystemExit(3)"], workers=2, restarts=1) == 1
    assert capfd.readouterr().out.count("A worker ended with 3") == 2


def processes_with(marker):
    """Processes whose environment holds this text."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if marker.encode() in environment.read_bytes():
                found.append(int(environment.parent.name))
        except OSError:
            continue  # it has ended, or is not ours
    return found


def gone(marker, seconds=20):
    until = time.time() + seconds
    while processes_with(marker) and time.time() < until:
        time.sleep(0.2)
    return not processes_with(marker)


def test_ctrl_c_ends_the_workers(tmp_path):
    teacher = tmp_path / "runs/multi_worker/teacher.keras"
    teacher.parent.mkdir(parents=True)
    teacher.touch()  # it is there; the workers are ended before they read it
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_KD_RUN": str(tmp_path)}
    launcher = subprocess.Popen([sys.executable, EXAMPLES / "launch.py"], cwd=tmp_path, env=environment)
    while len(processes_with(str(tmp_path))) < 3:
        time.sleep(0.1)
        assert launcher.poll() is None
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(20) == 130
    assert gone(str(tmp_path))


def test_ray_train_starts_a_killed_worker_again(undisturbed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_KD_RUN": str(tmp_path)}
    command = [sys.executable, "-m", "tests.training.test_workers", "ray", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "killed").exists()
    assert_same_training(undisturbed, tmp_path)
    assert gone(str(tmp_path))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
