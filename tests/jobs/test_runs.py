import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_kd.jobs.runs import Run


def forbidden():
    raise AssertionError("made twice")


def tiny():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])


def test_what_is_finished_is_read_and_not_made_again(tmp_path):
    run = Run(tmp_path / "a" / "run", {"seed": 1})
    assert not run.has("x.json")
    assert run.figures("x.json", lambda: {"value": [1, 2]}) == {"value": [1, 2]}
    first = run.model("seed0/m.keras", tiny)
    again = Run(tmp_path / "a" / "run", {"seed": 1})
    assert again.has("x.json")
    assert again.figures("x.json", forbidden) == {"value": [1, 2]}
    second = again.model("seed0/m.keras", forbidden)
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])


def test_an_interrupted_stage_leaves_nothing(tmp_path):
    run = Run(tmp_path / "run", {})

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.model("m.keras", interrupted)

    class Unsaved:
        def save(self, path):
            path.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run.model("m.keras", Unsaved)
    assert [file.name for file in run.folder.iterdir()] == ["settings.json"]


def test_keep_replaces(tmp_path):
    run = Run(tmp_path / "run", {})
    run.keep("x.json", 1)
    run.keep("x.json", 2)
    assert run.figures("x.json", forbidden) == 2


def test_other_settings_are_refused(tmp_path):
    Run(tmp_path, {"labels": None, "recipe": {"epochs": 1, "alpha": 0.1}})
    with pytest.raises(FileExistsError, match=r"other settings \(recipe.epochs was 1, now 2\)"):
        Run(tmp_path, {"labels": None, "recipe": {"epochs": 2, "alpha": 0.1}})


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="files that are not from a run"):
        Run(tmp_path, {})
    with pytest.raises(FileExistsError, match="is a file"):
        Run(tmp_path / "notes.txt", {})
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_damaged_file_is_named(tmp_path):
    run = Run(tmp_path, {})
    run.path("x.json").write_text("{")
    with pytest.raises(ValueError, match=r"x.json is not valid JSON .* Delete the file"):
        run.figures("x.json", forbidden)


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(path)

    monkeypatch.setattr(Path, "touch", denied)  # the tests may run as root
    with pytest.raises(PermissionError, match="is not writable"):
        Run(tmp_path / "run", {})


def test_settings_are_json(tmp_path):
    Run(tmp_path, {"recipe": {"epochs": 3}})
    assert json.loads((tmp_path / "settings.json").read_text()) == {"recipe": {"epochs": 3}}
