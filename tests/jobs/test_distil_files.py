"""The main job on files: settings follow their content. `tests/cli` runs it, with good and bad files."""

import re

import keras
import numpy as np
import pytest

from keras_kd.jobs import distil
from keras_kd.jobs import distil_files as module
from keras_kd.jobs.distil_files import distil_files
from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.user_files import UserFiles
from tests.conftest import classifier


@pytest.mark.slow
def test_a_run_belongs_to_the_content_of_its_files(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "distil", lambda run, experiment, **options: experiment)
    classifier("teacher", 8).save(tmp_path / "teacher.keras")
    classifier("student", 4).save(tmp_path / "student.keras")
    train, test = digits.arrays["train"], digits.arrays["test"]
    rows = {"x_train": train.x[:100], "y_train": train.y[:100], "x_test": test.x[:20], "y_test": test.y[:20]}
    np.savez(tmp_path / "data.npz", **rows)
    files = UserFiles(
        *(tmp_path / name for name in ("teacher.keras", "student.keras", "data.npz")), batch_size=16
    )
    run, experiment = distil_files(files, tmp_path / "run", Hyperparameters(0, 1))
    assert run.settings["recipe"]["student_epochs"] == 1
    assert (experiment.data.batch_size, experiment.train_teacher) == (16, False)
    distil_files(files, tmp_path / "run", Hyperparameters(0, 1))
    np.savez(tmp_path / "data.npz", **{**rows, "y_test": test.y[20:40]})
    with pytest.raises(FileExistsError, match=r"other settings \(data was '.*', now '.*'\)"):
        distil_files(files, tmp_path / "run", Hyperparameters(0, 1))


@pytest.mark.slow
def test_numbers_are_predicted_and_a_finished_run_is_continued(tmp_path, monkeypatch):
    monkeypatch.setattr(distil, "check_experiment", lambda experiment: pytest.fail("checked twice"))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4)).astype("float32")
    y = (x @ [1.0, -2.0, 0.5, 0.0]).astype("float32")
    np.savez(tmp_path / "data.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(1)])
    teacher.compile(keras.optimizers.Adam(0.05), loss="mse")
    teacher.fit(x[:200], y[:200], epochs=20, verbose=0)
    teacher.save(tmp_path / "teacher.keras")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]).save(tmp_path / "student.keras")
    files = UserFiles(
        *(tmp_path / name for name in ("teacher.keras", "student.keras", "data.npz")), batch_size=32
    )

    def distilled(epochs, files_made=("float32", "int8"), **options):
        hyperparameters = Hyperparameters(0, epochs, learning_rate=0.05)
        return distil_files(files, tmp_path / "run", hyperparameters, files=files_made, **options)

    run, report = distilled(2)
    assert [row.name for row in report.rows] == [
        "teacher",
        "student alone",
        "student distilled",
        "float32",
        "int8",
    ]
    assert {row.metric for row in report.rows} == {"mean_absolute_error"}
    assert report["teacher"].metric_value < 0.5
    assert "mean absolute error" in report.verdict.text
    assert report.choice.name in ("float32", "int8")
    assert re.search("mean absolute error .* against student|the same errors as student", report.choice.why)
    assert set(report.snippets) == {"Python", "Kotlin"}
    first = run.path("seed0/distilled.keras").read_bytes()
    with pytest.raises(FileExistsError, match="a run of 2 epochs"):
        distilled(6)
    lines = []
    progress = Progress(say=lines.append, note=lines.append)
    run, more = distilled(6, ("int8",), more_epochs=True, progress=progress)
    assert "student alone, seed 0, continued (1): epoch 3 of 6" in lines
    assert any(line.startswith("student distilled, seed 0, continued (1): 4 more epochs") for line in lines)
    assert "student-float32.tflite is of an earlier call: it is now student-float32-before.tflite" in lines
    assert [path.name for path in run.folder.glob("student-*[0-9].tflite")] == ["student-int8.tflite"]
    assert run.path("seed0/distilled.keras").read_bytes() == first
    assert more["student alone"].metric_value < report["student alone"].metric_value
    assert {len(curve["val_loss"]) for curve in more.curves.values()} == {6}
    assert more.meta.settings["Epochs"] == "2 + 4"
    assert distilled(6, ("int8",))[1] == more  # finished: read, not made
