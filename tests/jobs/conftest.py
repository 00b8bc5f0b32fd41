import dataclasses

import pytest

from keras_kd.datasets import Split
from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import Experiment, Progress
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.runs import Run
from tests.conftest import classifier
from tests.sharing import made_once


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
    """A run that is finished, its report and what was printed; tests that change files copy the folder."""

    def make(folder):
        lines = []
        progress = Progress(say=lines.append, note=lines.append)
        return folder, distil(Run(folder / "run", {}), experiment, progress=progress), lines

    folder, report, lines = made_once(tmp_path_factory, "finished_job", make)
    return Run(folder / "run", {}), report, lines
