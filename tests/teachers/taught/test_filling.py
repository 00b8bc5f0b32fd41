"""A folder that is filled part by part is that of one process, bit for bit."""

import json

import numpy as np
import pytest

import keras_kd as kd
from keras_kd.teachers.taught.shards import Ledger, writing
from tests.teachers.taught.conftest import Told, X, Y
from tests.teachers.taught.test_parts import arrays_of, functions
from tests.teachers.taught.test_precompute import turn

SIZES = {"batch_size": 4, "shard_size": 8, "verbose": False}


def mean(x):
    return x.mean((1, 2))


def files(folder):
    names = (path.name for path in folder.iterdir())
    return {name: (folder / name).read_bytes() for name in names if name[0] == "0"}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


VIEWS = pytest.param({"augment": turn, "views": 2}, marks=pytest.mark.slow, id="views")


@pytest.mark.parametrize("options", [pytest.param({}, id="plain"), VIEWS])
def test_parts_are_the_shards_of_one_process(teacher, tmp_path, options):
    alone, divided = tmp_path / "alone", tmp_path / "divided"
    kd.precompute(teacher, (X, Y), alone, **SIZES, **options)
    for index in (2, 0, 1):
        assert manifest(divided)["samples"] is None if divided.exists() else True
        data = kd.precompute(teacher, (X, Y), divided, part=(index, 3), **SIZES, **options)
        labels = np.concatenate([y for _, y in data.as_numpy_iterator()])
        shards = range(index, 5, 3)
        np.testing.assert_array_equal(labels, np.concatenate([Y[8 * s : 8 * s + 8] for s in shards]))
    assert files(divided) == files(alone)
    assert manifest(divided)["samples"] == manifest(alone)["samples"] == 40
    assert manifest(divided)["parts"] == "5 of 8 samples"


def test_functions_are_shards(cache):
    told = Told(mean)
    data = kd.precompute(told, functions(arrays_of), cache, **SIZES)
    assert Ledger(cache).finished() == {0: 12, 1: 14, 2: 14}
    assert sum(len(y) for _, y in data) == 40
    calls = told.calls
    kd.precompute(told, functions(arrays_of), cache, **SIZES)
    assert told.calls == calls + 1  # the first batch tells how signals are stored
    assert len(list(kd.load_taught(cache, (X, Y)))) == 2


def test_what_is_missing_is_labelled_and_nothing_else(cache):
    told = Told(mean)
    options = {**SIZES, "part": (0, 1)}
    kd.precompute(told, X, cache, **options)
    before = files(cache)
    (cache / "00003.json").unlink()
    (cache / "00003.rows.npy").write_bytes(b"half")
    calls = told.calls
    kd.precompute(told, X, cache, **options)
    assert told.calls == calls + 1 + 2
    assert files(cache) == before
    (cache / "00001.rows.npy").write_bytes(b"half")
    with pytest.raises(ValueError, match=r"00001.rows.npy was changed or damaged"):
        kd.precompute(told, X, cache, **options)


def test_one_process_finishes_what_others_left(cache):
    told = Told(mean)
    kd.precompute(told, X, cache, part=(0, 2), **SIZES)
    assert len(kd.precompute(told, X, cache, **SIZES)) == 10
    assert sum(Ledger(cache).finished().values()) == 40
    assert manifest(cache)["parts"] == "5 of 8 samples"


def test_parts_of_another_size_are_refused(cache):
    told = Told(mean)
    kd.precompute(told, X, cache, part=(0, 2), **SIZES)
    with pytest.raises(FileExistsError, match="parts was 5 of 8 samples, now 4 of 12 samples"):
        kd.precompute(told, X, cache, part=(1, 2), **SIZES | {"shard_size": 12})


def test_writers_of_other_parts_are_let_in(cache):
    told = Told(mean)
    cache.mkdir()
    with writing(cache, (0, 2)):
        kd.precompute(told, X, cache, part=(1, 2), **SIZES)
        for part in ((0, 2), None):
            with pytest.raises(FileExistsError, match="is being written by"):
                kd.precompute(told, X, cache, part=part, **SIZES)
    assert len(Ledger(cache).finished()) == 2


def test_more_processes_than_parts(cache):
    with pytest.warns(UserWarning, match=r"part=\(3, 4\) labels nothing: the data makes 1 shard"):
        assert len(list(kd.precompute(Told(mean), X[:8], cache, part=(3, 4), **SIZES))) == 0
