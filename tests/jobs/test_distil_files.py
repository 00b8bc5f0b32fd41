"""The main job on files: settings follow their content. `tests/cli` runs it, with good and bad files."""

import numpy as np
import pytest

from keras_kd.jobs import distil_files as module
from keras_kd.jobs.distil_files import distil_files
from keras_kd.jobs.experiment import Hyperparameters
from tests.conftest import classifier


@pytest.mark.slow
def test_a_run_belongs_to_the_content_of_its_files(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "distil", lambda run, experiment, **options: experiment)
    classifier("teacher", 8).save(tmp_path / "teacher.keras")
    classifier("student", 4).save(tmp_path / "student.keras")
    train, test = digits.arrays["train"], digits.arrays["test"]
    rows = {"x_train": train.x[:100], "y_train": train.y[:100], "x_test": test.x[:20], "y_test": test.y[:20]}
    np.savez(tmp_path / "data.npz", **rows)
    files = [tmp_path / name for name in ("teacher.keras", "student.keras", "data.npz", "run")]
    run, experiment = distil_files(*files, Hyperparameters(0, 1), batch_size=16)
    assert run.settings["recipe"]["student_epochs"] == 1
    assert (experiment.data.batch_size, experiment.train_teacher) == (16, False)
    distil_files(*files, Hyperparameters(0, 1), batch_size=16)
    np.savez(tmp_path / "data.npz", **{**rows, "y_test": test.y[20:40]})
    with pytest.raises(FileExistsError, match=r"other settings \(data was '.*', now '.*'\)"):
        distil_files(*files, Hyperparameters(0, 1), batch_size=16)


@pytest.mark.parametrize("shape", [(100,), (100, 1)])
def test_for_numbers_to_predict_it_says_first_what_it_is_for(digits, tmp_path, shape):
    classifier("model", 4).save(tmp_path / "model.keras")
    x, y = digits.arrays["train"].x[:100], np.linspace(0, 1, 100).reshape(shape)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    files = [tmp_path / name for name in ("model.keras", "model.keras", "data.npz", "run")]
    with pytest.raises(
        ValueError, match=r"^distill is for models with one score per class.*train: labels must"
    ):
        distil_files(*files, Hyperparameters(0, 1))
    assert not (tmp_path / "run").exists()
