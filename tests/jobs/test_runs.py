import errno
import json
import os
import re
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
    assert sorted(file.name for file in run.folder.iterdir()) == ["SHA256SUMS", "settings.json"]


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
    for text in ("{", "[" * 100_000, "\0"):
        run.path("x.json").write_text(text)
        with pytest.raises(ValueError, match=r"x.json is not valid JSON .* Delete the file"):
            run.figures("x.json", forbidden)


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def denied(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", denied)  # the tests may run as root
    with pytest.raises(PermissionError, match=r"run/settings.json' cannot be written: the folder is not"):
        Run(tmp_path / "run", {})


def test_a_link_is_a_folder_if_it_leads_to_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    Run(tmp_path / "link", {})
    assert (tmp_path / "real" / "settings.json").exists()
    (tmp_path / "nowhere").symlink_to("gone")
    with pytest.raises(FileExistsError, match="is a link that leads nowhere"):
        Run(tmp_path / "nowhere", {})


def flipped(path, at=-1):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.fixture
def made(tmp_path):
    """A run with a file of each kind."""
    run = Run(tmp_path / "run", {"seed": 1})
    run.model("seed0/m.keras", tiny)
    run.keep("x.json", {"accuracy": 0.5})
    run.path("m.tflite").write_bytes(b"some file")
    run.record("m.tflite")
    return run


@pytest.mark.parametrize("name", ["seed0/m.keras", "x.json", "m.tflite"])
def test_what_was_changed_is_named_at_the_start(made, name):
    flipped(made.path(name))  # of the same size
    message = rf"{re.escape(str(made.path(name)))}: changed or damaged .* Delete the file"
    with pytest.raises(ValueError, match=message):
        Run(made.folder, {"seed": 1})
    made.path(name).unlink()
    assert not Run(made.folder, {"seed": 1}).is_whole()


def test_settings_that_were_changed_are_not_believed(made):
    path = made.path("settings.json")
    path.write_text(path.read_text().replace("1", "2"))
    with pytest.raises(
        ValueError, match=r"settings.json was changed .* not known what the results were made"
    ):
        Run(made.folder, {"seed": 2})


@pytest.mark.parametrize("name", ["x.json", "SHA256SUMS"])
@pytest.mark.parametrize(("make", "what"), [(os.mkfifo, "a pipe, a socket"), (os.mkdir, "a folder")])
def test_what_is_no_file_any_more_is_named(tmp_path, name, make, what):
    Run(tmp_path, {}).keep("x.json", 3)
    (tmp_path / name).unlink()
    make(tmp_path / name)
    with pytest.raises(OSError, match=rf"Expected a file.*; '.*{name}' is {what}"):
        Run(tmp_path, {})


def test_damaged_checksums_are_named(made):
    path = made.path("SHA256SUMS")
    for change in (b"x", b"\xff\x00"):
        path.write_bytes(change + path.read_bytes())
        with pytest.raises(ValueError, match=r"SHA256SUMS is damaged. Delete it"):
            Run(made.folder, {"seed": 1})
    path.unlink()
    assert Run(made.folder, {"seed": 1}).is_whole()


def test_json_of_another_shape_is_named(tmp_path):
    run = Run(tmp_path, {})
    for value in ([1], {"other": 1}, "text", None):
        run.path("x.json").write_text(json.dumps(value))
        with pytest.raises(ValueError, match=r"x\.json does not hold what was written\. Delete the file"):
            run.figures("x.json", forbidden, keys=["accuracy"])
    (tmp_path / "SHA256SUMS").unlink()
    run.path("settings.json").write_text("[]")
    with pytest.raises(ValueError, match=r"settings\.json does not hold what was written"):
        Run(tmp_path, {"seed": 1})


def test_what_is_replaced_or_discarded_is_no_damage(made):
    made.keep("x.json", 2)
    made.discard("m.tflite")
    made.discard("never.json")
    again = Run(made.folder, {"seed": 1})
    assert again.figures("x.json", forbidden) == 2
    assert not again.has("m.tflite")
    assert again.is_whole()


def test_settings_are_json(tmp_path):
    Run(tmp_path, {"recipe": {"epochs": 3}})
    assert json.loads((tmp_path / "settings.json").read_text()) == {"recipe": {"epochs": 3}}
