"""Which engine labels: the one that is named, or the fastest that agrees; and what is told of it."""

import json
import time

import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.teachers.taught.answering import HostAnswer, ModelAnswer
from keras_kd.teachers.taught.engines import engine as engines
from keras_kd.teachers.taught.engines.engine import ENGINES, Engine, check_engine, measure
from keras_kd.teachers.taught.engines.exported import CannotServe
from tests.teachers.taught.conftest import Told, X, classifier


def own():
    return ModelAnswer(classifier(), ["output"], tf.TensorSpec([None, *X.shape[1:]]), None)


def known(answer, x):
    """Answers at once: what it was asked before."""
    answers = {each.tobytes(): answer(each) for each in BATCHES}
    return lambda x: answers[x.tobytes()]


def slow(answer, x):
    def run(x):
        time.sleep(0.05)
        return answer(x)

    return run


def other(answer, x):
    return lambda x: {"output": 2 * answer(x)["output"]}


def unable(answer, x):
    raise CannotServe("it lacks an operator.")


BATCHES = [X[start : start + 8] for start in (0, 8, 16)]


def test_the_fastest_that_agrees_is_taken(monkeypatch):
    """What is exported is in test_exported.py; here it is known who wins."""
    exported = {"known": known, "slow": slow, "other": other, "unable": unable}
    monkeypatch.setattr(engines, "EXPORTED", exported)
    answer = own()
    tried = Engine("auto", answer)
    for x in [*BATCHES, BATCHES[1]]:
        assert tried.record == {"name": "tensorflow"}
        np.testing.assert_array_equal(tried(x)["output"], answer(x)["output"])
        if x is BATCHES[2]:
            break
    record = tried.record
    assert record["name"] == "known"
    assert set(record["samples per second"]) == {"tensorflow", "known", "slow"}
    assert record["refused"]["other"].startswith("its answers differ from TensorFlow's: KL")
    assert record["refused"]["unable"] == "it lacks an operator"
    assert json.loads(json.dumps(record)) == record
    np.testing.assert_array_equal(tried(BATCHES[0])["output"], answer(BATCHES[0])["output"])
    with pytest.raises(KeyError):
        tried(X[30:38])  # it is the one that answers now


@pytest.mark.parametrize("name", ["other", "unable"])
def test_an_engine_that_is_named_must_serve(monkeypatch, name):
    monkeypatch.setattr(engines, "EXPORTED", {"other": other, "unable": unable})
    monkeypatch.setattr(engines, "ENGINES", ("other", "unable"))
    with pytest.raises(CannotServe, match=rf"engine='{name}': (its answers differ|it lacks an operator\.$)"):
        Engine(name, own())(X[:8])


def test_too_little_data_is_not_measured(teacher, cache):
    kd.precompute(teacher, X, cache, engine="auto", verbose=False)  # it has two batches
    assert json.loads((cache / "manifest.json").read_text())["engine"] == {"name": "tensorflow"}


def test_a_teacher_of_its_own_needs_no_engine():
    answer = HostAnswer(Told(lambda x: x.mean((1, 2))), ["output"], None)
    assert Engine("auto", answer).record == {"name": "the teacher's own"}
    with pytest.raises(ValueError, match="leave out engine='litert'"):
        Engine("litert", answer)


def test_rates_are_of_all_samples():
    rates = measure({"a": lambda x: time.sleep(0.01), "b": lambda x: time.sleep(0.02)}, BATCHES)
    assert 1000 > rates["a"] > rates["b"] > 0


def test_names():
    for name in ENGINES:
        check_engine(name)
    with pytest.raises(ValueError, match="Did you mean 'onnxruntime'"):
        check_engine("onnxruntim")


@pytest.mark.slow
def test_a_cache_by_each_engine(teacher, tmp_path):
    """The whole way, and what a manifest tells of it."""
    found = {}
    for name in ("tensorflow", "litert", "auto"):
        options = {"engine": name, "batch_size": 8, "dtype": "float32", "shuffle": False, "verbose": False}
        batches = kd.precompute(teacher, X, tmp_path / name, **options)
        found[name] = np.concatenate([batch.signals["output"] for (batch,) in batches])
        record = json.loads((tmp_path / name / "manifest.json").read_text())["engine"]
        assert record["name"] == name or (name == "auto" and record["name"] in record["samples per second"])
        np.testing.assert_allclose(found[name], found["tensorflow"], atol=1e-5)
    kd.precompute(teacher, X, tmp_path / "auto", dtype="float32", verbose=False)  # nothing is labelled
    assert json.loads((tmp_path / "auto" / "manifest.json").read_text())["engine"] == record
