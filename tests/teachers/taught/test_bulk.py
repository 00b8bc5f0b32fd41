"""Parts that are labelled by any process, and what does not go together with that."""

import functools
import pickle
import runpy
import shutil
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.teachers.taught.bulk import Bulk, check_division
from keras_kd.teachers.taught.manifest import Manifest
from keras_kd.teachers.taught.parts import Parts
from keras_kd.teachers.taught.shards import Ledger
from tests.teachers.taught.conftest import Told, X
from tests.teachers.taught.test_filling import SIZES, files, manifest, mean
from tests.teachers.test_host_files import KERNEL, linear

ROOT = Path(__file__).parent.parent.parent.parent
EXAMPLE = ROOT / "examples" / "teach_at_scale"
# In place of the script of the example: one of its processes dies in the middle of its second shard, once.
TEACH = f"""
import os, runpy, signal, sys
from pathlib import Path

if __name__ == "__main__":
    module = runpy.run_path("{EXAMPLE / "teach.py"}")
    read = module["read"]

    def dies(path):
        for i, batch in enumerate(read(path)):
            if path.name == "train-3.npz" and i == 1 and Path("train-3").exists():
                Path("train-3").unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    module["main"].__globals__["read"] = dies
    module["main"]()
"""


@pytest.mark.slow
def test_the_example_one_of_whose_processes_is_killed(
    tmp_path, monkeypatch, capfd, plain_teacher, traced_once
):
    scripts = shutil.copytree(EXAMPLE, tmp_path / "scripts")
    (scripts / "teach.py").write_text(TEACH)
    (tmp_path / "train-3").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(sys, "argv", ["launch.py", "--short"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as little an error as in a process of its own
        runpy.run_path(str(scripts / "launch.py"), run_name="__main__")
    printed = capfd.readouterr().out
    assert "Started again: parts [1] of 2" in printed
    assert "test digits are right" in printed
    data = tmp_path / "runs" / "teach_at_scale_short"
    read = runpy.run_path(str(EXAMPLE / "teach.py"))["read"]
    parts = [functools.partial(read, path) for path in sorted(data.glob("train-*.npz"))]
    teacher = keras.saving.load_model(data / "teacher.keras", compile=False)
    kd.precompute(teacher, parts, tmp_path / "alone", top_k=5, verbose=False)
    assert files(data / "taught") == files(tmp_path / "alone")
    assert manifest(data / "taught")["samples"] == manifest(tmp_path / "alone")["samples"] > 1000


def test_a_path_is_opened_by_the_process_that_labels(tmp_path, cache):
    pytest.importorskip("onnxruntime", reason="the package onnxruntime runs .onnx files")
    x, path = X.reshape(40, 36)[:, :4], linear(tmp_path / "net.onnx", "batch", KERNEL)
    kd.precompute(path, x, cache, part=(0, 2), **SIZES)
    bulk = Bulk(path, None, "ray", Parts(x, 4, 8), None, None, cache, Manifest.load(cache))
    bulk = pickle.loads(pickle.dumps(bulk))  # as it comes to a worker
    np.testing.assert_allclose(bulk.answer()(x)["output"], x @ KERNEL, atol=1e-5)
    linear(path, "batch", -KERNEL)
    with pytest.raises(ValueError, match="another teacher: its fingerprint differs"):
        bulk.answer()


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
