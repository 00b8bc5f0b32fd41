"""The files of a student: described, and exported again for another student."""

import json

import pytest

from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.runs import Run
from keras_kd.jobs.student_files import StudentFiles, set_aside_others
from keras_kd.model_files import load_model
from tests.conftest import classifier


def test_files_that_are_not_made_any_more_are_set_aside(tmp_path):
    run, lines = Run(tmp_path, {}), []
    names = [f"student-float16.tflite{suffix}" for suffix in ("", ".json", ".verified.json")]
    for name in (*names, "student-int8.tflite"):
        run.keep(name, name)
    (tmp_path / "student-dynamic.tflite").write_bytes(b"the user's")
    set_aside_others(run, ("int8",), Progress(say=lines.append))
    assert lines == ["student-float16.tflite is of an earlier call: it is now student-float16-before.tflite"]
    left = {path.name for path in tmp_path.glob("student-*")}
    renamed = {name.replace(".", "-before.", 1) for name in names}
    assert left == {*renamed, "student-int8.tflite", "student-dynamic.tflite"}
    assert (tmp_path / "student-float16-before.tflite").read_text() == f'"{names[0]}"\n'
    assert run.is_whole()
    assert "float16" not in (tmp_path / "SHA256SUMS").read_text()
    set_aside_others(run, ("int8",), Progress(say=lines.append))
    assert len(lines) == 1


@pytest.mark.slow
def test_a_file_of_another_student_is_exported_and_verified_again(data, tmp_path):
    run, lines, notes = Run(tmp_path, {}), [], ["student: epoch 2 of 2"]
    progress = Progress(say=lines.append, note=notes.append)
    run.model("s.keras", lambda: classifier("student", 4))

    def files():
        return StudentFiles(run, data, load_model(run.path("s.keras")), "s.keras", progress)

    path = files().exported("float32")
    assert notes[1:] == [f"exporting {path.name}"]
    described = json.loads(run.path(f"{path.name}.json").read_text())
    assert described["bytes"] == path.stat().st_size
    assert described["batch_size"] == 1  # as browsers and GPUs need it
    assert files().verified("float32")["samples"] == len(data.arrays["test"].x)
    assert files().exported("float32") == path
    assert len(lines) == 1
    assert notes[2:] == [f"verifying {path.name}"]
    run.discard("s.keras")
    run.model("s.keras", lambda: classifier("student", 8))
    files().exported("float32")
    assert path.stat().st_size > described["bytes"]
    assert not run.has(f"{path.name}.verified.json")
    assert len(lines) == 2
