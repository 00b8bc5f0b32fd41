import dataclasses
import fcntl
import os
import pickle

import pytest

from keras_kd.datasets import Split
from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import Experiment, Hyperparameters, Progress
from keras_kd.jobs.runs import Run
from tests.conftest import classifier


@pytest.fixture(scope="session")
def data(digits):
    few = {"train": 256, "validation": 64, "test": 64, "calibration": 64}
    arrays = {name: Split(*(part[:n] for part in digits.arrays[name][:2])) for name, n in few.items()}
    return dataclasses.replace(digits, arrays=arrays)


@pytest.fixture(scope="session")
def experiment(data):
    """One epoch of tiny models on few digits."""
    return Experiment(
        data,
        lambda: classifier("teacher", 8),
        lambda: classifier("student", 4),
        Hyperparameters(teacher_epochs=1, student_epochs=1),
        train_teacher=True,
    )


@pytest.fixture(scope="session")
def finished(experiment, tmp_path_factory):
    """A run that is finished, its report and what was printed; tests that change files copy the folder.

    The workers of a test run share it: the first that needs it makes it, and others wait.
    """
    of_all = tmp_path_factory.getbasetemp()
    folder = (of_all.parent if "PYTEST_XDIST_WORKER" in os.environ else of_all) / "finished_job"
    folder.mkdir(exist_ok=True)
    known = folder / "report.pickle"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not known.exists():
            lines = []
            progress = Progress(say=lines.append, note=lines.append)
            report = distil(Run(folder / "run", {}), experiment, progress=progress)
            known.write_bytes(pickle.dumps((report, lines)))
    return Run(folder / "run", {}), *pickle.loads(known.read_bytes())
