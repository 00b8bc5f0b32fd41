"""A teacher on the host is asked once for each training sample, and the student learns the same."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.datasets import Split
from keras_kd.jobs.experiment import Progress
from keras_kd.jobs.hyperparameters import Hyperparameters
from keras_kd.jobs.objectives import make_distiller
from keras_kd.jobs.runs import Run
from keras_kd.jobs.tasks import Task
from keras_kd.jobs.teaching import FOLDER, taught_batches
from keras_kd.teachers.host import HostFunction
from keras_kd.teachers.taught.shards import Ledger
from tests.conftest import classifier

TASKS = [Task("classes")]


class Asked:
    """A linear teacher on the host, which counts the samples that it is asked for."""

    def __init__(self, data, fingerprint=None, sick=False):
        x, y, _ = data.arrays["train"]
        self.kernel = np.linalg.lstsq(x.reshape(len(x), -1), 9 * np.eye(10)[y])[0]
        self.samples, self.sick = 0, False
        host = HostFunction("linear", self.answer, fingerprint=fingerprint)
        self.model = kd.as_teacher(host, inputs=(8, 8, 1), host=True)
        self.sick = sick

    def answer(self, x):
        self.samples += len(x)
        return np.where(
            self.sick & (np.arange(len(x))[:, None] == 2), np.nan, x.reshape(len(x), -1) @ self.kernel
        )


def distilled(asked):
    """A Distiller with this teacher, and its student."""
    keras.utils.set_random_seed(1)
    student = classifier("student", 4)
    distiller = make_distiller(student, asked.model, TASKS, Hyperparameters(0, 2))
    distiller.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    asked.samples = 0  # without those that the Distiller was tried on
    return distiller, student


def trained(asked, data, batches_of):
    """The weights of a student after two epochs."""
    distiller, student = distilled(asked)
    keras.utils.set_random_seed(1)
    distiller.fit(batches_of(distiller), epochs=2, verbose=0, shuffle=False)
    return np.concatenate([np.ravel(weight) for weight in student.get_weights()])


@pytest.mark.slow
def test_the_student_learns_the_same_and_the_teacher_is_asked_once(data, tmp_path):
    in_each_step, once, again = (Asked(data) for _ in range(3))
    run, lines, notes = Run(tmp_path, {}), [], []
    progress = Progress(say=lines.append, note=notes.append)
    expected = trained(in_each_step, data, lambda distiller: data.train)
    found = trained(once, data, lambda distiller: taught_batches(distiller, data, run, progress))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    samples = len(data.arrays["train"].x)
    assert sum(Ledger(tmp_path / FOLDER).finished().values()) == samples == 256
    first = data.batch_size  # tells how signals are stored
    assert in_each_step.samples >= 2 * samples
    assert once.samples == samples + first
    assert lines == ["the teacher answered once to each of 256 training samples"]
    assert "asking the teacher: 128 of 256 samples" in notes
    assert taught_batches(distilled(again)[0], data, run, progress)
    assert len(lines) == 1
    assert again.samples == 2 * first  # and whether it is the same teacher


def as_pixels(data):
    arrays = {name: Split((255 * part.x).astype("uint8"), part.y) for name, part in data.arrays.items()}
    return dataclasses.replace(data, arrays=arrays, pixels="-1..1")


KINDS = {
    "pixels": as_pixels,
    "few labels": pytest.param(lambda data: data.partly_labelled(20), marks=pytest.mark.slow),
    "repeated": lambda data: data.labelled_only(20),
}


@pytest.mark.parametrize("change", KINDS.values(), ids=KINDS)
def test_batches_are_those_of_the_training_with_the_teachers_answers(data, tmp_path, change):
    asked, changed = Asked(data), change(data)
    batches = taught_batches(distilled(asked)[0], changed, Run(tmp_path, {}), Progress())
    keras.utils.set_random_seed(1)
    for (taught, *labels), (x, *others) in zip(batches, changed.train, strict=True):
        np.testing.assert_array_equal(taught.inputs, x)
        np.testing.assert_allclose(taught.signals["output"], asked.answer(x.numpy()), atol=1e-4)
        for one, other in zip(labels, others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_is_not_taught_once(data, tmp_path):
    run, model = Run(tmp_path, {}), classifier("teacher", 8)
    for trainee in (model, kd.Distiller(classifier("student", 4), model), kd.Distiller(model)):
        assert taught_batches(trainee, data, run, Progress()) is None
    assert not (tmp_path / FOLDER).exists()


def test_another_teacher_and_nan_are_refused(data, tmp_path):
    run = Run(tmp_path, {})
    with pytest.raises(ValueError, match=r"Sample 2 of the data .*'linear' answers with NaN"):
        taught_batches(distilled(Asked(data, sick=True))[0], data, run, Progress())
    taught_batches(distilled(Asked(data, "a"))[0], data, run, Progress())
    with pytest.raises(FileExistsError, match="another teacher: its fingerprint differs"):
        taught_batches(distilled(Asked(data, "b"))[0], data, run, Progress())
