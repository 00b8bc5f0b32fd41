"""Ray Data labels what one process would, also when a worker and the driver are killed on the way."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.taught.ray_workers import _sent
from keras_kd.teachers.taught.shards import Ledger
from tests.teachers.taught.conftest import X, Y
from tests.teachers.taught.test_filling import files, manifest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")

ROOT = Path(__file__).parent.parent.parent.parent
SIZES = {"batch_size": 4, "shard_size": 8, "verbose": False}


class Dies:
    """One worker is killed in the middle of a part, and all wait in theirs once two parts are finished.

    Which parts these are is up to Ray: after a death, it may try a later part before an earlier one.
    """

    fingerprint = "dies"

    def __init__(self, folder):
        self.folder = Path(folder)

    def answer(self, batch):
        second = any((batch[0] == X[first]).all() for first in range(4, len(X), 8))
        if second and self.is_first_to_die():
            os.kill(os.getpid(), signal.SIGKILL)
        while not (self.folder / "go").exists() and len(Ledger(self.folder / "cache").finished()) >= 2:
            time.sleep(0.05)
        return {"output": batch.mean((1, 2))}

    def is_first_to_die(self):
        try:
            (self.folder / "killed").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


DRIVER = """
import os, sys
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
import ray
ray.init(num_cpus=3, include_dashboard=False, object_store_memory=80_000_000, log_to_driver=False)
import keras_kd as kd
from tests.teachers.taught.test_ray_workers import SIZES, X, Y, Dies
folder, workers = sys.argv[1:]
kd.precompute(Dies(folder), (X, Y), f"{folder}/cache", engine="ray", workers=int(workers), **SIZES)
ray.shutdown()
"""


def start(folder, workers):
    command = [sys.executable, "-c", DRIVER, folder, str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_driver_leave_no_trace(tmp_path):
    ledger = Ledger(tmp_path / "cache")
    with start(tmp_path, 2) as driver:
        try:
            until = time.monotonic() + 300
            while len(ledger.finished()) < 2 and driver.poll() is None and time.monotonic() < until:
                time.sleep(0.1)
        finally:
            os.killpg(driver.pid, signal.SIGKILL)
    before = {path: path.stat().st_mtime_ns for path in ledger.folder.glob("0*")}
    assert 2 <= len(ledger.finished()) < 5, driver.stderr.read().decode()[-3000:]
    assert (tmp_path / "killed").exists()
    (tmp_path / "go").touch()
    with start(tmp_path, 1) as driver:
        assert driver.wait(300) == 0, driver.stderr.read().decode()[-3000:]
    assert before == {path: path.stat().st_mtime_ns for path in before}
    kd.precompute(Dies(tmp_path), (X, Y), tmp_path / "alone", **SIZES)
    assert files(ledger.folder) == files(tmp_path / "alone")
    assert manifest(ledger.folder)["samples"] == len(np.unique(ledger.array(0, "keys"))) * 5 == 40


def test_what_cannot_be_sent_is_said():
    from ray.cloudpickle import dumps

    data = tf.data.Dataset.from_tensor_slices(X)
    with pytest.raises(TypeError, match=r"Ray cannot send the teacher.*no tf.data.Dataset"):
        _sent(data, dumps)
