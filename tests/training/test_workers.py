"""Two workers, processes that speak over the loopback, train as one process does; also when one is killed.

The supervisors are the scripts of examples/multi_worker: our own launcher, and Ray Train. Each is run once,
whole, from a copy of its folder whose train.py is TRAIN: its workers do what is tested here, and then what
the train.py of the example does. Each further start of a worker would import TensorFlow once more.
"""

import os
import pickle
import runpy
import shutil
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
from tests.sharing import made_once

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "multi_worker"
TRAIN = """
from tests.training.test_workers import launched, train

if __name__ == "__main__":
    launched()
"""
DEEP = "kd.models.digits_teacher()"
PLAIN = 'kd.models.plain("digits_teacher", (8, 8, 1), widths=(24, 48, 96), strides=(1, 2, 2))'
SAME = ["blend, synchronized BatchNorm", "projection, penalty, teacher in scope"]
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
    keras.backend.clear_session(free_memory=False)  # layers have the names that they have after a restart
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


def launched():
    """What a worker of our launcher does."""
    folder = Path(os.environ["KERAS_KD_RUN"])
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    if not (folder / "killed").exists():  # else this is the second start, and all this is done
        found = {name: results(CASES[name], strategy) for name in SAME}
        (folder / f"found{strategy.cluster_resolver.task_id}").write_bytes(pickle.dumps(found))
        interrupted(strategy, folder / "undisturbed", kill=False)
    interrupted(strategy, folder, kill=True)
    runpy.run_path(str(EXAMPLES / "train.py"), run_name="__main__")


def train(epochs, folder):
    """What a worker of Ray Train does."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    interrupted(strategy, Path(os.environ["KERAS_KD_RUN"]), kill=True)
    return runpy.run_path(str(EXAMPLES / "train.py"))["train"](epochs, folder)


def copied(folder):
    """The examples in a folder, their train.py the one of this test, and the environment to run them in.

    Their teacher is a third as deep, as `plain_teacher` is: traced and loaded faster, in each process.
    """
    scripts = shutil.copytree(EXAMPLES, folder / "scripts")
    (scripts / "train.py").write_text(TRAIN)
    text = (scripts / "teacher.py").read_text()
    assert text.count(DEEP) == 1
    (scripts / "teacher.py").write_text(text.replace(DEEP, PLAIN))
    return scripts, {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_KD_RUN": str(folder)}


def run(script, folder):
    """Run an example in its short form; what it prints."""
    scripts, environment = copied(folder)
    command = [sys.executable, scripts / script, "--short"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def by_launcher(tmp_path_factory):
    """The folder that the workers of our launcher wrote to, and what the launcher printed."""

    def launch(folder):
        (folder / "undisturbed").mkdir()
        return folder, run("launch.py", folder)

    return made_once(tmp_path_factory, "launcher", launch)


@pytest.mark.parametrize("name", SAME)
def test_two_workers_are_one_process(by_launcher, name):
    folder, _ = by_launcher
    alone = results(CASES[name], None)
    for worker in range(2):
        found = pickle.loads((folder / f"found{worker}").read_bytes())[name]
        assert gaps(alone, found) == pytest.approx(dict.fromkeys(PARTS, 0), abs=1e-6)


def assert_same_training(one, two):
    (weights, logs), (others, other_logs) = (
        pickle.loads((folder / "trained").read_bytes()) for folder in (one, two)
    )
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert {name: pytest.approx(values, abs=1e-6) for name, values in logs.items()} == other_logs


def test_a_killed_worker_leaves_no_trace(by_launcher):
    folder, said = by_launcher
    assert f"A worker ended with {-signal.SIGKILL}" in said
    assert "Resuming at epoch 2" in said
    assert_same_training(folder / "undisturbed", folder)


def test_the_launcher_trains_a_teacher_and_distils_it(by_launcher):
    folder, said = by_launcher
    assert "teacher: " in said
    assert "[0] student: " in said
    assert "of the test digits are right" in said
    assert keras.models.load_model(folder / "runs/multi_worker_short/student.keras").output_shape == (
        None,
        10,
    )


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


@pytest.mark.parametrize("running", [2, 3], ids=["while they start", "when all have"])
def test_ctrl_c_ends_the_workers(tmp_path, running):
    teacher = tmp_path / "runs/multi_worker/teacher.keras"
    teacher.parent.mkdir(parents=True)
    teacher.touch()  # it is there; the workers are ended before they read it
    scripts, environment = copied(tmp_path)
    launcher = subprocess.Popen([sys.executable, scripts / "launch.py"], cwd=tmp_path, env=environment)
    while len(processes_with(str(tmp_path))) < running:  # the launcher is one of them
        time.sleep(0.1)
        assert launcher.poll() is None
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(20) == 130
    assert gone(str(tmp_path))


def test_ray_train_starts_a_killed_worker_again(by_launcher, tmp_path):
    folder, _ = by_launcher
    runs = tmp_path / "runs/ray_train_short"
    runs.mkdir(parents=True)
    shutil.copy(folder / "runs/multi_worker_short/teacher.keras", runs)
    said = run("ray_train.py", tmp_path)
    assert (tmp_path / "killed").exists()
    assert_same_training(folder / "undisturbed", tmp_path)
    assert "of the test digits are right" in said
    assert gone(str(tmp_path))
