"""Parts that are labelled by any process, and what does not go together with that."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_kd as kd
from keras_kd.teachers.taught.bulk import check_division
from keras_kd.teachers.taught.shards import Ledger
from tests.teachers.taught.conftest import Told, X, Y
from tests.teachers.taught.test_filling import SIZES, files, manifest, mean

ROOT = Path(__file__).parent.parent.parent.parent
WORKER = """
import os, signal, sys
import keras_kd as kd
from tests.teachers.taught.conftest import X, Y, Told
from tests.teachers.taught.test_filling import SIZES, mean

folder, index = sys.argv[1], int(sys.argv[2])

def dies(x):
    if index == 1 and told.calls == 5:  # after its first shard, in the middle of the second
        os.kill(os.getpid(), signal.SIGKILL)
    return mean(x)

told = Told(dies)
kd.precompute(told, (X, Y), folder, part=(index, 2), **SIZES)
"""


@pytest.mark.slow
def test_a_job_array_one_of_whose_processes_is_killed(cache, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", WORKER, cache, str(index)], env=environment, stderr=-3)
        for index in range(2)
    ]
    assert [process.wait(300) for process in started] == [0, -signal.SIGKILL]
    assert set(Ledger(cache).finished()) == {0, 2, 4, 1}
    assert manifest(cache)["samples"] is None
    told = Told(mean)
    kd.precompute(told, (X, Y), cache, part=(1, 2), **SIZES)  # the scheduler starts it again
    assert told.calls == 1 + 2
    kd.precompute(told, (X, Y), tmp_path / "alone", **SIZES)
    assert files(cache) == files(tmp_path / "alone")
    assert manifest(cache)["samples"] == 40


def test_an_interrupted_part_is_not_there(cache):
    def fails(x):
        if (x[0] == X[12]).all():
            raise KeyboardInterrupt
        return mean(x)

    with pytest.raises(KeyboardInterrupt):
        kd.precompute(Told(fails), X, cache, part=(0, 1), **SIZES)
    assert Ledger(cache).finished() == {0: 8}


def test_errors_name_the_part(cache):
    def fails(x):
        return np.where((x == X[21]).all((1, 2, 3))[:, None], np.nan, mean(x))

    with pytest.raises(ValueError, match=r"Part 2 of the data: Sample 5 of the data .*NaN"):
        kd.precompute(Told(fails), X, cache, part=(0, 1), **SIZES)


def test_equal_samples_in_other_parts_are_joined_and_other_samples_with_their_key_refused(cache, tmp_path):
    twice = np.concatenate([X[:8], X[:8]])
    kd.precompute(Told(mean), twice, cache, part=(0, 1), **SIZES)
    assert Ledger(cache).finished() == {0: 8, 1: 8}
    assert manifest(cache)["samples"] == 8
    assert len(list(kd.load_taught(cache, twice))) == 1
    data = {"id": np.arange(40) % 16, "image": X}
    told = Told(lambda x: mean(x["image"]))
    with pytest.raises(ValueError, match=r"Two different samples have one key \(0\), one of them in shard"):
        kd.precompute(told, data, tmp_path / "other", key="id", part=(0, 1), **SIZES)


DIVISIONS = {
    "no engine": ({"engine": "tensorflw"}, ValueError, "Did you mean 'tensorflow'"),
    "part": ({"part": (3, 2)}, ValueError, "from 0 to count - 1"),
    "auto": ({"engine": "auto"}, ValueError, "another engine to be the fastest"),
    "index": ({"key": "index"}, ValueError, "does not know the index"),
    "both": ({"engine": "ray", "part": (0, 2)}, ValueError, "engine='ray' starts them"),
    "workers": ({"workers": 2}, ValueError, "those of engine='ray'. Received: engine='tensorflow'"),
    "no workers": ({"engine": "ray", "workers": 0}, ValueError, "`workers` must be a whole number"),
}


@pytest.mark.parametrize(("options", "kind", "message"), DIVISIONS.values(), ids=DIVISIONS)
def test_what_does_not_go_together(options, kind, message):
    given = {"divided": True, "part": None, "engine": "tensorflow", "workers": None, "key": None}
    with pytest.raises(kind, match=message):
        check_division(**given | options)
    check_division(**given)


def test_ray_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-kd\[ray\]'"):
        check_division(True, None, "ray", None, None)
