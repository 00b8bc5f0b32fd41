"""The main job, run once and then resumed from copies of its folder."""

import dataclasses
import shutil
import subprocess
import sys

import pytest

from keras_kd.jobs import student_files
from keras_kd.jobs.distil import distil
from keras_kd.jobs.experiment import QUANTIZATIONS, Progress
from keras_kd.jobs.runs import Run
from keras_kd.jobs.training_files import ALONE, DISTILLED, TEACHER


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished run, without the files of these names."""

    def copied(*missing):
        shutil.copytree(finished[0].folder, tmp_path / "run")
        run = Run(tmp_path / "run", {})
        for name in missing:
            run.path(name).unlink()
        return run

    return copied


def test_the_report_has_every_row(finished):
    run, report, _ = finished
    assert [row.name for row in report.rows] == [TEACHER, ALONE, DISTILLED, *QUANTIZATIONS]
    assert report.baseline == TEACHER
    for row in report.rows:
        assert None not in (row.accuracy, row.bytes, row.gzip_bytes, row.median_ms, row.p90_ms), row
    assert {file.name for file in run.folder.glob("*.tflite")} == {
        f"student-{name}.tflite" for name in QUANTIZATIONS
    }
    assert all(run.has(f"report.{suffix}") for suffix in ("html", "md", "json"))


def test_the_report_says_what_happened(finished):
    _, report, lines = finished
    facts = " ".join(report.facts)
    assert report.verdict.effect in ("helped", "inconclusive", "hurt")
    assert "Files are made from the student " in facts
    assert report.meta.settings["Temperature"] == "4.0"
    assert "times fewer than the teacher's" in facts
    assert "gives the answer that the Keras student gives: float32 100.00 %" in facts
    assert set(report.curves) == {TEACHER, ALONE, DISTILLED}
    assert any("spread" in gap.what for gap in report.not_measured)
    assert any(line.startswith("teacher: 1 epoch,") for line in lines)
    # Four steps move BatchNorm statistics little; they are renewed, of all models that were trained.
    for name in ("teacher", "student alone, seed 0", "student distilled, seed 0"):
        assert any(line.startswith(f"{name}: its BatchNorm statistics") for line in lines)
    assert "BatchNorm statistics lagged behind these trainings" in facts
    assert not any("recalibrate" in line for line in lines)


LOADED = """
import sys, warnings
import keras
warnings.simplefilter("error")
for path in sys.argv[1:]:
    assert keras.models.load_model(path).count_params()
assert "keras_kd" not in sys.modules
"""


@pytest.mark.slow
def test_keras_alone_loads_every_model_of_a_run(finished):
    models = sorted(map(str, finished[0].folder.rglob("*.keras")))
    assert len(models) == 3
    loaded = subprocess.run([sys.executable, "-c", LOADED, *models], capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr


def test_a_finished_run_is_read(finished, experiment):
    run, report, _ = finished
    lines = []

    def forbidden():
        raise AssertionError("made again")

    other = dataclasses.replace(experiment, teacher=forbidden, student=forbidden)
    again = distil(run, other, progress=Progress(say=lines.append))
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in report.rows]
    assert "finished" in lines[0]


@pytest.mark.slow
def test_an_interrupted_job_resumes_after_the_last_stage(copy, finished, experiment, monkeypatch):
    finished_run = finished[0]
    files = [f"student-{name}.tflite" for name in QUANTIZATIONS]
    made = [suffix for file in files for suffix in (file, f"{file}.json", f"{file}.verified.json")]
    run = copy("report.json", "report.html", "report.md", *made)
    export = student_files.export

    def interrupted(model, path, **options):
        if "int8" in str(path):
            raise KeyboardInterrupt
        return export(model, path, **options)

    monkeypatch.setattr(student_files, "export", interrupted)
    with pytest.raises(KeyboardInterrupt):
        distil(run, experiment)
    monkeypatch.setattr(student_files, "export", export)
    finished = ("teacher.keras", "seed0/distilled.keras", "student-dynamic.tflite")
    times = {name: run.path(name).stat().st_mtime_ns for name in finished}
    assert not run.has("report.json")
    assert not run.has("student-int8.tflite")
    report = distil(run, experiment)
    assert report["int8"].bytes
    for file in files:  # as of the run that was not interrupted
        assert run.path(file).read_bytes() == finished_run.path(file).read_bytes()
    assert {name: run.path(name).stat().st_mtime_ns for name in times} == times


@pytest.mark.slow
def test_few_labels_and_several_seeds(experiment, finished, tmp_path):
    run = Run(tmp_path, {})
    shutil.copy(finished[0].path("teacher.keras"), tmp_path)
    shutil.copy(finished[0].path("teacher.history.json"), tmp_path)
    report = distil(run, dataclasses.replace(experiment, labels=20, seeds=2))
    facts = " ".join(report.facts)
    assert "t-test over samples and 2 seeds" in report.verdict.text
    assert "The students saw 20 labels" in facts
    assert "trained on all 256 labels" in facts
    assert report[DISTILLED].seeds == 2
    assert report[DISTILLED].accuracy_mean is not None


def test_a_page_that_was_lost_is_written_again(copy, experiment):
    run = copy("report.html")
    distil(run, experiment)
    assert run.has("report.html")


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["student-int8.tflite", "seed0/distilled.keras"])
def test_what_was_lost_is_made_again(copy, finished, experiment, lost):
    run = copy(lost)
    before = finished[0].path("student-int8.tflite").read_bytes()
    again = distil(run, experiment)
    assert [row.accuracy for row in again.rows] == [row.accuracy for row in finished[1].rows]
    assert run.path("student-int8.tflite").read_bytes() == before
    assert Run(run.folder, {}).is_whole()


def test_a_damaged_file_is_found_before_anything_is_computed(copy):
    run = copy()
    damaged = run.path("student-float16.tflite")
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=r"student-float16.tflite: changed or damaged .* Delete the file"):
        Run(run.folder, {})


def test_a_damaged_report_of_an_earlier_version_is_named(copy, experiment):
    run = copy("SHA256SUMS")
    for text in ("{}", "[" * 100_000, run.path("report.json").read_text().replace('"int8"', '"float32"')):
        run.path("report.json").write_text(text)
        with pytest.raises(ValueError, match=r"report.json: .*\. Delete the file to have it made again"):
            distil(Run(run.folder, {}), experiment)


def test_a_damaged_model_of_an_earlier_version_is_an_error_that_says_to_delete_it(copy, experiment):
    run = copy("report.json", "SHA256SUMS")
    run.path("teacher.keras").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"teacher.keras does not load: .* Delete the file"):
        distil(Run(run.folder, {}), experiment)
