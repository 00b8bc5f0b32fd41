"""A manifest says what a folder holds, and what differs from what is asked for."""

import dataclasses
import json

import pytest

from keras_kd.teachers.taught.manifest import NAME, Manifest, is_taken, require_teacher, versions
from keras_kd.teachers.taught.records import StoredSignal

TEACHER = {"kind": "Functional", "layers": "aa", "weights": "bb", "keras": "3"}
MADE = Manifest(
    teacher=TEACHER,
    signals=(StoredSignal("output", (None, 7), "float16", "float32", "softmax", 3, 0),),
    key="content",
    views=2,
    augment="crop",
    seed=1,
    preprocess=None,
    inputs=["(8, 8, 1) float32"],
    versions=versions(),
)


def test_saved_and_loaded(tmp_path):
    MADE.save(tmp_path)
    assert Manifest.load(tmp_path) == MADE
    MADE.check(dataclasses.replace(MADE, samples=3, versions={}), tmp_path)
    assert MADE.versions.keys() == {"keras-kd", "keras", "tensorflow", "numpy"}


CHANGES = {
    "seed": ({"seed": 2}, "seed was 1, now 2"),
    "views": ({"views": 3}, "views was 2, now 3"),
    "inputs": ({"inputs": ["(9,) int8"]}, r"inputs was \['\(8, 8, 1\) float32'\], now \['\(9,\) int8'\]"),
    "signals": (
        {"signals": (dataclasses.replace(MADE.signals[0], top_k=5),)},
        "signals was tap=output .*top_k=3.*now tap=output .*top_k=5",
    ),
    "weights": ({"teacher": TEACHER | {"weights": "cc"}}, "signals of another teacher: its weights differ"),
    "layers": ({"teacher": TEACHER | {"layers": "cc"}}, "its layers differ"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_what_differs_is_said(tmp_path, change, message):
    with pytest.raises(FileExistsError, match=rf"{message}.*Name another folder"):
        MADE.check(dataclasses.replace(MADE, **change), tmp_path)


def test_layers_are_not_compared_across_versions_of_keras(tmp_path):
    require_teacher(TEACHER, TEACHER | {"layers": "cc", "keras": "4"}, tmp_path)


CONTENTS = {
    "another format": (
        json.dumps({"format": 9, "versions": {"keras-kd": "7"}}),
        "format 9, and .* reads format 1.*7",
    ),
    "no JSON": ("{", "is not what kd.precompute wrote"),
    "no dictionary": ("[]", "is not what kd.precompute wrote"),
    "too deep": ("[" * 10_000, "is not what kd.precompute wrote"),
    "other fields": ('{"format": 1, "signals": []}', "is not what kd.precompute wrote"),
}


@pytest.mark.parametrize(("content", "message"), CONTENTS.values(), ids=CONTENTS)
def test_what_cannot_be_read(tmp_path, content, message):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(ValueError, match=message):
        Manifest.load(tmp_path)


def test_whether_a_folder_is_taken(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds nothing that kd.precompute wrote: manifest.json"):
        Manifest.load(tmp_path)
    assert not is_taken(tmp_path / "new")
    (tmp_path / "lock").touch()
    (tmp_path / ".part-1-x").touch()
    assert not is_taken(tmp_path)
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(FileExistsError, match=r"holds something else \('photo.jpg'\)"):
        is_taken(tmp_path)
    MADE.save(tmp_path)
    assert is_taken(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    (tmp_path / "train").mkdir()
    MADE.save(tmp_path / "train")
    with pytest.raises(FileNotFoundError, match=r"There is no folder '.*trian'\. Did you mean 'train'"):
        Manifest.load(tmp_path / "trian")
    with pytest.raises(FileNotFoundError, match=r"is a file, and kd\.precompute writes folders"):
        Manifest.load(tmp_path / "train" / NAME)


def test_a_signal_that_was_not_stored():
    with pytest.raises(
        ValueError, match=r"'outputs' was not stored, but \['output'\]. Did you mean 'output'"
    ):
        MADE.signal("outputs")
