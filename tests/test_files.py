"""Files that are written whole or not at all, and what is known before they are."""

import errno
import os
import re
import resource
import tempfile
from pathlib import Path

import pytest

from keras_kd.files import WriteError, check_regular, check_writable, temporary_folder, write_atomically


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
        ("there.txt/a.txt", {}, NotADirectoryError, r"there\.txt' is not a folder"),
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


def test_a_link_that_leads_nowhere_is_replaced_only_if_asked(tmp_path):
    link, target = tmp_path / "link.txt", tmp_path / "target"
    link.symlink_to("target")
    with pytest.raises(FileExistsError, match=r"as a link to .*target', which does not; pass overwrite=True"):
        check_writable(link, overwrite=False)
    check_writable(link)
    with write_atomically(link) as part:
        assert part.suffix == ".txt"  # the link's: libraries choose the format by it
        part.write_text("new")
    assert (link.is_symlink(), target.read_text()) == (True, "new")


def loop(path):
    path.symlink_to(path.name)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (loop, FileExistsError, "is a link that leads back to itself"),
        (lambda path: path.symlink_to(path.parent), IsADirectoryError, "is a folder"),
        (lambda path: path.symlink_to("gone/file.txt"), FileNotFoundError, r"link into the folder .*gone"),
        (lambda path: path.symlink_to("/dev/null"), FileExistsError, "is a device or a pipe"),
        (os.mkfifo, FileExistsError, "is a device or a pipe"),
    ],
    ids=["loop", "to a folder", "into a missing folder", "to a device", "a pipe"],
)
def test_what_is_no_file_is_refused_and_kept(tmp_path, make, error, message):
    path = tmp_path / "a.txt"
    make(path)
    with pytest.raises(error, match=message):
        check_writable(path)
    with pytest.raises(error, match=message), write_atomically(path):  # writers that check nothing before
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert not path.is_file()


def test_a_long_name_can_be_written_and_one_that_is_too_long_is_told(tmp_path):
    path = tmp_path / f"{'ü' * 124}.txt"  # 252 bytes; 255 are the limit of most file systems
    check_writable(path)
    with write_atomically(path) as part:
        part.write_text("x")
    assert path.read_text() == "x"
    with pytest.raises(WriteError, match="cannot be written: the name is too long"):
        check_writable(tmp_path / f"{'x' * 300}.txt")


def fill(part):
    with open("/dev/full", "w") as full:
        full.write("x")


def in_a_library(write):
    """As Keras and TensorFlow do: only the text of the system's error is left."""

    def write_there(part):
        try:
            write(part)
        except OSError as error:
            raise RuntimeError(f"Could not save: {os.strerror(error.errno)}") from None

    return write_there


def exceed(part):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        part.write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refuse(number):
    def write(part):
        raise OSError(number, os.strerror(number), str(part))

    return write


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (fill, "the disk is full. Free some space, or name another folder"),
        (in_a_library(fill), "the disk is full"),
        (exceed, "it is larger than a file may be here. Raise the limit"),
        (in_a_library(exceed), "it is larger than a file may be here. Raise the limit"),
        (refuse(errno.EROFS), "the file system is read-only. Name another folder"),
        (refuse(errno.EACCES), "the folder is not writable. Name another one, or change its permissions"),
        (refuse(errno.EDQUOT), "the disk quota is used up"),
    ],
)
def test_why_a_file_cannot_be_written_is_told_and_the_earlier_one_is_whole(tmp_path, write, message):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with write_atomically(path) as part:
            part.write_text("half")
            write(part)

    with pytest.raises(WriteError, match=f"a.txt' cannot be written: {re.escape(message)}") as caught:
        write_half()
    assert ".part-" not in str(caught.value)
    assert "The file that was there is unchanged." in str(caught.value)
    assert isinstance(caught.value, PermissionError) == (
        write.__name__ == "write" and "not writable" in message
    )
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_a_current_folder_that_was_deleted_is_told(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError, match=r"'a\.txt' lies in the current folder, which was deleted"):
        check_writable(Path("a.txt"))


def test_errors_about_other_files_are_not_explained(tmp_path):
    with pytest.raises(PermissionError) as caught, write_atomically(tmp_path / "a.txt"):
        refuse(errno.EACCES)(Path("/somewhere/else"))
    assert not isinstance(caught.value, WriteError)


def test_a_full_disk_of_temporary_files_is_told_with_their_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    message = f"{tmp_path}' cannot be written: the disk is full.*TMPDIR"
    with pytest.raises(WriteError, match=message), temporary_folder() as folder:
        fill(folder / "x")
    assert list(tmp_path.iterdir()) == []
    with (
        pytest.raises(WriteError, match=r"a.txt' cannot be written"),
        temporary_folder(),
        write_atomically(tmp_path / "a.txt") as part,
    ):
        fill(part)


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
