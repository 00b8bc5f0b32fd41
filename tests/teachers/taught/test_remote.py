"""Stores that fsspec reaches, here the one in memory, which has no renames that could help."""

import uuid
from pathlib import Path

import numpy as np
import pytest

import keras_kd as kd
from keras_kd.teachers.taught.remote import RemotePath, as_folder, write_whole
from keras_kd.teachers.taught.shards import Ledger
from tests.teachers.taught.conftest import Told, X, Y

SIZES = {"batch_size": 4, "shard_size": 8, "verbose": False}


def mean(x):
    return x.mean((1, 2))


@pytest.fixture
def address():
    return f"memory://{uuid.uuid4().hex}/train"


def test_taught_and_joined(address, tmp_path):
    told = Told(mean)
    kd.precompute(told, (X, Y), address, **SIZES)
    kd.precompute(told, (X, Y), tmp_path / "here", **SIZES)
    for path in (tmp_path / "here").glob("0*"):
        assert (as_folder(address) / path.name).read_bytes() == path.read_bytes()
    calls = told.calls
    kd.precompute(told, (X, Y), address, part=None, **SIZES)
    assert told.calls == calls + 1
    order = np.random.default_rng(0).permutation(40)
    for batch, _ in kd.load_taught(address, (X[order], Y[order])):
        np.testing.assert_allclose(batch.signals["output"], mean(batch.inputs.numpy()), atol=1e-3)


def test_parts_meet_there(address):
    for index in range(2):
        kd.precompute(Told(mean), X, address, part=(index, 2), **SIZES)
    assert Ledger(as_folder(address)).finished() == dict.fromkeys(range(5), 8)
    assert kd.load_taught(address, X)


def test_damage_is_named_and_what_is_made_again_is_read(address):
    told, folder = Told(mean), as_folder(address)
    kd.precompute(told, X, address, **SIZES)
    rows = folder / "00002.rows.npy"
    rows.write_bytes(rows.read_bytes()[:-1] + b"\1")
    with pytest.raises(ValueError, match=rf"{address}/00002.rows.npy was changed or damaged.*Delete"):
        kd.load_taught(address, X)
    (folder / "00002.json").unlink()
    kd.precompute(told, X, address, **SIZES)
    assert kd.load_taught(address, X)


def test_a_folder_of_something_else_and_one_of_nothing(address):
    with pytest.raises(FileNotFoundError, match=rf"{address} holds nothing that kd.precompute wrote"):
        kd.load_taught(address, X)
    (as_folder(address) / "thesis.tex").write_bytes(b"all of it")
    with pytest.raises(FileExistsError, match=r"holds something else \('thesis.tex'\)"):
        kd.precompute(Told(mean), X, address)


def test_paths(tmp_path):
    assert as_folder(f"file://{tmp_path}") == as_folder(tmp_path) == Path(tmp_path)
    one = as_folder("memory://a/b/")
    assert isinstance(one, RemotePath)
    assert str(one) == "memory://a/b"
    assert one == as_folder(one) == as_folder("memory://a") / "b" != as_folder("memory://a")
    assert {one: 1}[as_folder("memory://a/b")] == 1
    with pytest.raises(ValueError, match=r"'nosuch://a' cannot be reached by fsspec: Protocol not known"):
        as_folder("nosuch://a")


def test_a_copy_is_of_the_file_as_it_is_now(address):
    path = as_folder(address) / "file"
    for content in (b"one", b"two"):
        write_whole(path, content)
        assert path.copied().read_bytes() == content
    assert path.copied() == path.copied()
