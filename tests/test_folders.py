"""Folders for results: what cannot be made or written to is told at once, and nothing is left behind."""

import os
import re
from pathlib import Path

import pytest

from keras_kd.files import WriteError
from keras_kd.folders import check_folder


@pytest.mark.parametrize("name", ["new", "new/of/new", "old", "old/new", "."])
def test_folders_that_can_be_used_are_left_as_they_are(tmp_path, name):
    (tmp_path / "old").mkdir()
    check_folder(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("file", FileExistsError, "file is a file. Name a folder for the logs."),
        ("link", FileExistsError, "link is a link that leads nowhere. Name a folder for the logs."),
        ("file/new", WriteError, "file/new' cannot be made: Not a directory. Name another one for the logs."),
        ("new/" + 300 * "x", WriteError, "' cannot be made: File name too long. Name another one"),
        (300 * "x", WriteError, "' cannot be made: File name too long. Name another one"),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, name, error, message):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(error, match=re.escape(message)):
        check_folder(tmp_path / name, "the logs")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_a_file_system_that_takes_no_folders():
    with pytest.raises(WriteError, match=r"The folder '/proc/xx/run' cannot be made: .* Name another one"):
        check_folder(Path("/proc/xx/run"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    for path in (tmp_path, tmp_path / "new"):
        with pytest.raises(PermissionError, match="the folder is not writable"):
            check_folder(path)
    tmp_path.chmod(0o700)
