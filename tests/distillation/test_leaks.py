"""Training leaves nothing behind: memory stays flat, models are let go, and a step is traced once."""

import ast
import gc
import os
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy
from tests.sharing import made_once


def distiller_of(model=kd.Distiller, teacher=None, metrics=("accuracy",), **compiled):
    objectives = [
        kd.Objective(kd.losses.SoftTargets(4.0)),
        kd.Objective("mse", student="block2", teacher="block2", project=True, name="hint"),
    ]
    distiller = model(convnet(4), teacher or convnet(16, "teacher"), objectives)
    distiller.compile("sgd", loss=cross_entropy(), metrics=list(metrics), **compiled)
    return distiller


def data(samples):
    random = np.random.default_rng(0)
    return random.random((samples, 8, 8, 1)).astype("float32"), random.integers(0, 10, samples)


def bytes_in_memory():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def kept(kind=object):
    """How many objects of a kind Python keeps."""
    gc.collect()
    return sum(issubclass(type(thing), kind) for thing in gc.get_objects())


class Keeps(keras.losses.Loss):
    """A loss that leaks what it reads."""

    kept: list = []  # noqa: RUF012

    def call(self, teacher, student):
        self.kept.append(teacher)
        return keras.ops.mean(teacher - student, axis=-1)


# How to compile, steps, samples in a batch, and how many objects a second `fit` may leave, however many its
# steps are. One tapped map of the teacher is 1 KB a sample: kept in each step these are 32 MB, and 25 MB.
MODES = {"graph": ({}, 125, 256, 1000), "eager": ({"run_eagerly": True}, 50, 512, 100)}


def growth(mode):
    """Bytes and Python objects that a second `fit` adds."""
    compiled, steps, samples, _ = MODES[mode]
    distiller = distiller_of(**compiled)
    endless = tf.data.Dataset.from_tensors(data(samples)).repeat()
    distiller.fit(endless, epochs=5, steps_per_epoch=5, verbose=0)
    memory, objects = bytes_in_memory(), kept()
    distiller.fit(endless, epochs=5, steps_per_epoch=steps // 5, verbose=0)
    return bytes_in_memory() - memory, kept() - objects


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """In a process of its own: that of the tests holds gigabytes, which come and go."""
    script = "from tests.distillation.test_leaks import MODES, growth; print({m: growth(m) for m in MODES})"

    def measure(folder):
        result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        return ast.literal_eval(result.stdout)

    return made_once(tmp_path_factory, "grown", measure)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_memory_is_flat(grown, mode):
    memory, objects = grown[mode]
    assert memory < 16e6
    assert objects < MODES[mode][-1]


@pytest.mark.slow
def test_what_is_kept_would_be_noticed():
    objective = kd.Objective(Keeps(), student="block2", teacher="block2", project=True)
    distiller, (x, y) = kd.Distiller(convnet(4), convnet(16, "teacher"), [objective]), data(32)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.fit(x, y, batch_size=8, verbose=0)
    tensors = kept(tf.Tensor)
    distiller.fit(x, y, batch_size=8, epochs=5, verbose=0)
    assert kept(tf.Tensor) - tensors >= 20
    Keeps.kept.clear()


@pytest.mark.slow
def test_further_fits_keep_no_tensor():
    distiller, (x, y) = distiller_of(), data(24)
    for _ in range(2):
        distiller.fit(x, y, batch_size=8, validation_data=(x, y), verbose=0)
    tensors, objects = kept(tf.Tensor), kept()
    for _ in range(5):
        distiller.fit(x, y, batch_size=8, validation_data=(x, y), verbose=0)
    assert kept(tf.Tensor) - tensors == 0
    assert kept() - objects < 5 * 60  # tf.data keeps the functions of a generator


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*triggered tf.function retracing")
def test_distillers_are_let_go():
    (x, y), made = data(16), []
    teacher = convnet(16, "teacher")

    def make(shared_teacher=None):
        distiller = distiller_of(teacher=shared_teacher)
        distiller.fit(x, y, batch_size=8, verbose=0)
        parts = [distiller, distiller.student, distiller.objectives[1].projection, distiller.optimizer]
        parts += [distiller.teacher] if shared_teacher is None else []
        made.extend(weakref.ref(part) for part in parts)

    for _ in range(2):
        make()
        make(teacher)  # which outlives them
    gc.collect()
    assert [ref() for ref in made if ref() is not None] == []
    assert "call" not in vars(teacher.get_layer("block2"))


def counted(kind, traces):
    """A class of models that notes each time its train step is traced."""

    class Counted(kind):
        def train_step(self, data):
            traces.append(data)
            return super().train_step(data)

    return Counted


TRACED = {"metrics": {"metrics": ("accuracy",)}, "no metrics": {"metrics": ()}}
TRACED["two steps at once"] = {"metrics": (), "steps_per_execution": 2}


@pytest.mark.slow
@pytest.mark.parametrize("compiled", TRACED.values(), ids=TRACED)
def test_a_step_is_traced_once(compiled):
    (x, y), traces, of_keras = data(20), [], []
    inputs = keras.Input((8, 8, 1))
    plain = counted(keras.Model, of_keras)(inputs, convnet(4)(inputs))
    plain.compile("sgd", loss=cross_entropy(), **{**compiled, "metrics": list(compiled["metrics"])})
    distiller = distiller_of(counted(kd.Distiller, traces), **compiled)
    for model in (plain, distiller):
        fit = {"batch_size": 8, "epochs": 3, "validation_data": (x, y), "verbose": 0}
        model.fit(x, y, **fit)  # the last batch has 4 samples
        after_one = len(traces), len(of_keras)
        model.fit(x, y, **fit)
        assert (len(traces), len(of_keras)) == after_one
    assert len(traces) == 1
    # Metrics make their variables in the first trace, and TensorFlow then traces once more.
    assert len(of_keras) == (2 if compiled["metrics"] else 1)
