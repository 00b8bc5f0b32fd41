"""Shards are whole or not there, damage is named, and one process writes at a time."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

from keras_kd.files import WriteError
from keras_kd.teachers.taught.shards import LOCK, Ledger, writing

ARRAYS = {"keys": np.arange(5), "rows": np.zeros(5, [("a", "<f2", (2, 3)), ("b", "<u8")])}


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path)
    made.write(0, ARRAYS)
    made.write(1, {"keys": np.arange(2), "rows": ARRAYS["rows"][:2]})
    return made


def test_what_is_written_is_read(ledger):
    assert Ledger(ledger.folder).finished() == {0: 5, 1: 2}
    assert ledger.array(0, "rows").dtype == ARRAYS["rows"].dtype
    assert ledger.array(1, "keys").tolist() == [0, 1]
    ledger.check(0)
    ledger.write(0, ARRAYS)  # again
    ledger.check(0)


def test_without_its_commit_a_shard_is_not_there(ledger):
    (ledger.folder / "00001.json").unlink()
    assert ledger.finished() == {0: 5}
    assert Ledger(ledger.folder / "nowhere").finished() == {}


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a flipped bit": (damage, "00000.rows.npy was changed or damaged"),
    "cut short": (
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        "00000.rows.npy was changed or damag",
    ),
    "missing": (os.unlink, "00000.rows.npy is missing"),
}


@pytest.mark.parametrize(("harm", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named(ledger, harm, message):
    harm(ledger.folder / "00000.rows.npy")
    with pytest.raises(
        ValueError, match=rf"{message}.*Delete .*00000.json, and kd.precompute makes that shard"
    ):
        ledger.check(0)
    ledger.check(1)


@pytest.mark.parametrize("content", ["", "[]", '{"rows": "5"}', "[" * 10_000])
def test_a_damaged_commit_is_named(ledger, content):
    (ledger.folder / "00001.json").write_text(content)
    with pytest.raises(ValueError, match=r"00001.json is not what was written"):
        ledger.finished()


def test_what_is_no_array_is_named_and_never_unpickled(ledger):
    np.save(ledger.folder / "00000.keys.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"00000.keys.npy cannot be read"):
        ledger.array(0, "keys")


def test_a_full_disk_leaves_what_is_finished(ledger):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(WriteError, match=r"00002.rows.npy' cannot be written"):
            ledger.write(2, {"keys": np.arange(9), "rows": np.zeros(9000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ledger.finished() == {0: 5, 1: 2}
    assert not list(ledger.folder.glob(".part-*"))
    for number in ledger.finished():
        ledger.check(number)


HOLD = """
import fcntl, os, sys, time
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.write(lock, b"process 7 on host\\n")
print("held", flush=True)
time.sleep(600)
"""


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path):
    """The rest of the life of a writer is in test_precompute.py."""
    command = [sys.executable, "-S", "-c", HOLD, tmp_path / LOCK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        refused = pytest.raises(FileExistsError, match=r"is being written by process 7 on host. Wait")
        with refused, writing(tmp_path):
            pass
        first.kill()
        first.wait()
        with writing(tmp_path):
            assert f"process {os.getpid()}" in (tmp_path / LOCK).read_text()


def test_two_writers_in_one_process(tmp_path):
    refused = pytest.raises(FileExistsError, match="is being written by")
    with writing(tmp_path), refused, writing(tmp_path):
        pass
    with writing(tmp_path):
        pass


def test_a_commit_is_json_that_others_can_read(ledger):
    commit = json.loads((ledger.folder / "00000.json").read_text())
    assert commit["rows"] == 5
    assert set(commit["files"]) == {"00000.keys.npy", "00000.rows.npy"}
    content = (ledger.folder / "00000.rows.npy").read_bytes()
    noted = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert commit["files"]["00000.rows.npy"] == noted
