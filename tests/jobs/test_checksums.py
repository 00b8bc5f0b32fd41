"""Checksums of a run's files, by the system's own tool."""

import shutil
import subprocess

import pytest

from keras_kd.contents import file_digest
from keras_kd.jobs.checksums import Checksums


def test_sha256sum_reads_them(tmp_path):
    for name in ("a.txt", "seed0/b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
        Checksums(tmp_path).record(name)
    if shutil.which("sha256sum") is None:
        pytest.skip("there is no sha256sum here")

    def checked():
        return subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True).returncode

    assert checked() == 0
    assert Checksums(tmp_path)["a.txt"] == file_digest(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("b.txt")
    assert checked() == 1
    assert Checksums(tmp_path).changed() == ["a.txt"]


def test_what_is_missing_is_forgotten_when_something_is_recorded(tmp_path):
    sums = Checksums(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).touch()
        sums.record(name)
    (tmp_path / "a").unlink()
    assert sums.missing() == ["a"]
    assert sums.changed() == []
    sums.record("b")
    assert Checksums(tmp_path).missing() == []
    assert "a" not in sums


def test_forgotten_files_may_change(tmp_path):
    (tmp_path / "a").touch()
    sums = Checksums(tmp_path)
    sums.record("a")
    sums.forget("a")
    (tmp_path / "a").write_text("other")
    assert Checksums(tmp_path).changed() == []
