"""Files that are written whole or not at all, and what is known before they are."""

import os

import pytest

from keras_kd.files import check_regular, check_writable, write_atomically


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("old")

    def fail():
        with write_atomically(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
    with write_atomically(path) as part:
        part.write_text("new")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["new"]


def test_a_link_stays_a_link_and_permissions_stay(tmp_path):
    (tmp_path / "runs").mkdir()
    real, link = tmp_path / "runs" / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    check_writable(link)
    with write_atomically(link) as part:
        part.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.rglob("*"))) == 3


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    check_writable(tmp_path / "a.md", suffixes=(".html", ".md"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "given", "error", "message"),
    [
        ("a.txt", {"suffixes": (".html", ".md", ".json")}, ValueError, r"end in \.html, \.md or \.json"),
        ("a.txt", {"suffixes": (".tflite",)}, ValueError, r"end in \.tflite"),
        ("none/a.txt", {}, FileNotFoundError, "does not exist"),
        ("folder", {}, IsADirectoryError, "is a folder"),
        ("there.txt", {"overwrite": False}, FileExistsError, "overwrite=True"),
    ],
)
def test_refused_before_the_work(tmp_path, name, given, error, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.txt").write_text("kept")
    with pytest.raises(error, match=message):
        check_writable(tmp_path / name, **given)
    assert (tmp_path / "there.txt").read_text() == "kept"


def test_only_regular_files_are_opened(tmp_path):
    (tmp_path / "a.txt").touch()
    (tmp_path / "link.txt").symlink_to(tmp_path / "a.txt")
    for name in ("a.txt", "link.txt"):
        check_regular(tmp_path / name, "a file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    errors = {
        "pipe": (OSError, "Expected a file; .*pipe' is a pipe, a socket or a device"),
        "dangling": (FileNotFoundError, "There is no file"),
        "": (IsADirectoryError, "Expected a file; .* is a folder"),
    }
    for name, (error, message) in errors.items():
        with pytest.raises(error, match=message):
            check_regular(tmp_path / name, "a file")
