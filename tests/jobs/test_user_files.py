"""A user's own models and data. `tests/jobs/test_distil_files.py` trains with them."""

import keras
import numpy as np
import pytest

from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.runs import Run
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.trainings import Trainings
from keras_kd.jobs.user_files import Options, UserFiles, load_teacher, settings_of_run

OPTIONS = Options(labels=None, seeds=2, files=("int8",), metric=None)


@pytest.fixture
def files(tmp_path):
    for name in ("a.keras", "b.keras", "c.npz"):
        (tmp_path / name).write_text(name)
    return UserFiles(tmp_path / "a.keras", tmp_path / "b.keras", tmp_path / "c.npz", image_size=(8, 9))


def test_settings_follow_the_content_of_files(files):
    before = settings_of_run(files, Hyperparameters(0, 3), OPTIONS)
    assert before["image_size"] == [8, 9]
    assert (before["seeds"], before["files"], before["recipe"]["student_epochs"]) == (2, ["int8"], 3)
    files.student.write_text("other")
    after = settings_of_run(files, Hyperparameters(0, 3), OPTIONS)
    assert [key for key in before if before[key] != after[key]] == ["student"]


def test_a_missing_file(files):
    files.data.unlink()
    with pytest.raises(FileNotFoundError, match=r"c\.npz"):
        settings_of_run(files, Hyperparameters(0, 3), OPTIONS)


def test_a_student_that_is_made_from_the_teacher(files, tmp_path):
    made = [UserFiles(tmp_path / "a.keras", keep, tmp_path / "c.npz") for keep in (0.5, 0.25)]
    settings = [settings_of_run(each, Hyperparameters(0, 3), OPTIONS) for each in made]
    assert [each["student"] for each in settings] == ["shrunk to 0.5", "shrunk to 0.25"]


def test_a_teacher_of_another_framework_is_not_copied_to_the_run(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="student")
    model.export(tmp_path / "teacher", verbose=False)
    model.save(tmp_path / "student.keras")
    x = np.random.default_rng(0).random((40, 4), "float32")
    np.savez(tmp_path / "data.npz", x_train=x, y_train=np.arange(40) % 2, x_test=x, y_test=np.arange(40) % 2)
    files = UserFiles(*(tmp_path / name for name in ("teacher", "student.keras", "data.npz")))
    experiment = files.experiment(Hyperparameters(0, 1), Progress())
    (tmp_path / "run").mkdir()
    found = Trainings(Run(tmp_path / "run", {}), experiment, [Task("classes")], Progress()).teacher()
    np.testing.assert_allclose(found(x), model(x), atol=1e-6)
    assert list((tmp_path / "run").glob("*.keras")) == []
    assert load_teacher(tmp_path / "student.keras").name == "student"
