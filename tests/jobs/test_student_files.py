"""The files of a student: described, and exported again where the description does not fit."""

import json

from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.runs import Run
from keras_kd.jobs.student_files import StudentFiles
from tests.conftest import classifier


def test_a_file_that_was_damaged_is_exported_and_verified_again(data, tmp_path):
    run, lines = Run(tmp_path, {}), []
    files = StudentFiles(run, data, classifier("student", 4), Progress(say=lines.append))
    path = files.exported("float32")
    content = path.read_bytes()
    described = json.loads(run.path(f"{path.name}.json").read_text())
    assert described["bytes"] == len(content)
    assert described["batch_size"] == 1  # as browsers and GPUs need it
    assert files.verified("float32")["samples"] == len(data.arrays["test"].x)
    assert files.exported("float32") == path
    assert len(lines) == 1
    path.write_bytes(content[:100])
    files.exported("float32")
    assert path.stat().st_size == len(content)
    assert not run.has(f"{path.name}.verified.json")
    assert len(lines) == 2
