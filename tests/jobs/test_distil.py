import dataclasses

import keras
import numpy as np
import pytest

from keras_kd.datasets import Split
from keras_kd.jobs import distil as job
from keras_kd.jobs.distil import Progress, Recipe, check_models, distil
from keras_kd.jobs.findings import ALONE, DISTILLED, TEACHER
from keras_kd.jobs.runs import Run
from tests.conftest import classifier

RECIPE = Recipe(teacher_epochs=1, student_epochs=1)


@pytest.fixture(scope="module")
def data(digits):
    few = {"train": 256, "validation": 64, "test": 64, "calibration": 64}
    arrays = {name: Split(*(part[:n] for part in digits.arrays[name][:2])) for name, n in few.items()}
    return dataclasses.replace(digits, arrays=arrays)


def teacher():
    return classifier("teacher", 8)


def student():
    return classifier("student", 4)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    run = Run(tmp_path_factory.mktemp("job") / "run", {})
    lines = []
    report = distil(
        run,
        data,
        teacher,
        student,
        RECIPE,
        train_teacher=True,
        progress=Progress(say=lines.append, note=lines.append),
    )
    return run, report, lines


def test_the_report_has_every_row(finished):
    run, report, _ = finished
    assert [row.name for row in report.rows] == [TEACHER, ALONE, DISTILLED, *job.QUANTIZATIONS]
    assert report.baseline == TEACHER
    for row in report.rows:
        assert None not in (row.accuracy, row.bytes, row.gzip_bytes, row.median_ms, row.p90_ms), row
    assert {file.name for file in run.folder.glob("*.tflite")} == {
        f"student-{name}.tflite" for name in job.QUANTIZATIONS
    }
    assert all(run.has(f"report.{suffix}") for suffix in ("html", "md", "json"))


def test_the_report_tells_what_happened(finished):
    _, report, lines = finished
    facts = " ".join(report.facts)
    assert "Distilled minus alone:" in facts
    assert "times fewer than the teacher's" in facts
    assert "names the class that the Keras student names: float32 100.00 %" in facts
    assert set(report.curves) == {TEACHER, ALONE, DISTILLED}
    assert any("spread" in gap.what for gap in report.not_measured)
    assert any(line.startswith("teacher: 1 epochs") for line in lines)


@pytest.mark.slow
def test_both_students_start_from_the_same_weights(data, tmp_path):
    # With next to no learning rate nothing is learned, so what is left is the start.
    run = Run(tmp_path, {})
    distil(run, data, teacher, student, dataclasses.replace(RECIPE, learning_rate=1e-30), train_teacher=True)
    alone, distilled = (run.model(f"seed0/{kind}.keras", student) for kind in ("alone", "distilled"))
    for a, b in zip(alone.trainable_weights, distilled.trainable_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-20)


def test_a_finished_run_is_read(finished, data):
    run, report, _ = finished
    lines = []

    def untouched():
        raise AssertionError("made again")

    again = distil(run, data, untouched, untouched, RECIPE, progress=Progress(say=lines.append))
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in report.rows]
    assert "finished" in lines[0]


@pytest.mark.slow
def test_an_interrupted_job_goes_on_from_the_last_stage(data, tmp_path, monkeypatch):
    run = Run(tmp_path, {})
    whole = job.export

    def interrupted(model, path, **options):
        if "int8" in str(path):
            raise KeyboardInterrupt
        return whole(model, path, **options)

    monkeypatch.setattr(job, "export", interrupted)
    with pytest.raises(KeyboardInterrupt):
        distil(run, data, teacher, student, RECIPE, train_teacher=True)
    monkeypatch.setattr(job, "export", whole)
    times = {name: run.path(name).stat().st_mtime_ns for name in ("teacher.keras", "seed0/distilled.keras")}
    assert not run.has("report.json")
    report = distil(run, data, teacher, student, RECIPE, train_teacher=True)
    assert report["int8"].bytes
    assert {name: run.path(name).stat().st_mtime_ns for name in times} == times


@pytest.mark.slow
def test_few_labels_and_several_seeds(data, tmp_path):
    report = distil(Run(tmp_path, {}), data, teacher, student, RECIPE, train_teacher=True, labels=20, seeds=2)
    facts = " ".join(report.facts)
    assert "standard error" in facts
    assert "The students saw 20 labels" in facts
    assert "trained on all 256 labels" in facts
    assert report[DISTILLED].seeds == 2
    assert report[DISTILLED].accuracy_mean is not None


def bare(shape, classes):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(inputs)))


@pytest.mark.parametrize(
    ("big", "small", "message"),
    [
        (lambda: bare((8, 8, 1), 12), lambda: bare((8, 8, 1), 10), "12 classes and the student 10"),
        (lambda: bare((9, 9, 1), 10), lambda: bare((8, 8, 1), 10), "teacher takes inputs of shape"),
        (lambda: bare((8, 8, 1), 10), lambda: bare((64,), 10), "student takes inputs of shape"),
        (lambda: bare((8, 8, 1), 10), lambda: bare((8, 8, 1), 5), "one score per class"),
        (
            lambda: keras.Sequential([keras.layers.Dense(10)]),
            lambda: bare((8, 8, 1), 10),
            "one input and one output",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused_first(data, tmp_path, big, small, message):
    with pytest.raises(ValueError, match=message):
        check_models(big(), small(), data)
    run = Run(tmp_path, {})
    with pytest.raises(ValueError, match=message):
        distil(run, data, big, small, RECIPE)
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.slow
def test_what_was_lost_or_damaged_is_made_again(data, tmp_path):
    run = Run(tmp_path, {})
    first = distil(run, data, teacher, student, RECIPE, train_teacher=True)
    run.path("report.html").unlink()
    distil(run, data, teacher, student, RECIPE, train_teacher=True)
    assert run.has("report.html")
    for name in ("report.json", "student-int8.tflite"):
        run.path(name).unlink()
    run.path("student-float16.tflite").write_bytes(run.path("student-float16.tflite").read_bytes()[:100])
    again = distil(run, data, teacher, student, RECIPE, train_teacher=True)
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in first.rows]
    run.path("report.json").unlink()
    run.path("teacher.keras").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"teacher.keras does not load .* Delete it"):
        distil(run, data, teacher, student, RECIPE, train_teacher=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"temperature": 0.0}, "positive number"), ({"learning_rate": float("inf")}, "learning rate")],
)
def test_a_recipe_that_cannot_work_is_refused_first(data, tmp_path, change, message):
    recipe = dataclasses.replace(RECIPE, **change)
    with pytest.raises(ValueError, match=message):
        distil(Run(tmp_path, {}), data, teacher, student, recipe, train_teacher=True)
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]
