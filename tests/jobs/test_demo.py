"""The demo: which folder it takes, and what it refuses before it makes one. `tests/cli` runs it."""

import dataclasses
import json

import pytest

from keras_kd.jobs import demo as module
from keras_kd.jobs.demo import demo


@pytest.fixture
def experiments(monkeypatch):
    """What would be trained."""
    asked = []
    monkeypatch.setattr(module, "distil", lambda run, experiment, **options: asked.append(experiment))
    return asked


@pytest.mark.parametrize(
    ("options", "name"),
    [({}, "digits"), ({"labels": 100, "seeds": 5, "epochs": 2}, "digits-100-labels-5-seeds-2-epochs")],
)
def test_the_folder_is_named_after_the_options(experiments, tmp_path, monkeypatch, options, name):
    monkeypatch.chdir(tmp_path)
    run, _ = demo("digits", **options)
    assert run.folder.as_posix() == f"runs/{name}"


def test_epochs_replace_those_of_both_trainings(experiments, tmp_path):
    run, _ = demo("digits", epochs=3, out=tmp_path)
    (experiment,) = experiments
    recipe = json.loads(json.dumps(dataclasses.asdict(experiment.hyperparameters)))
    assert recipe == run.settings["recipe"]
    assert (experiment.hyperparameters.teacher_epochs, experiment.hyperparameters.student_epochs) == (3, 3)
    assert experiment.train_teacher


@pytest.mark.parametrize(
    ("options", "message"),
    [({"data": "cifar"}, "Unknown data set 'cifar'"), ({"labels": 3}, "labels must be from 10")],
)
def test_what_is_refused_leaves_no_folder(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        demo(**options, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
