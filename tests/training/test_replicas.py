"""Two replicas on one machine train as one device does on the same batches: same weights, same figures.

The replicas are two logical CPU devices, which must be made before TensorFlow starts. So all cases run in one
process of their own, `python -m tests.training.test_replicas FILE`, which writes what it found.
"""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.training import replicas
from tests.distillation.cases import CASES, PARTS, Case, X, Y, gaps, layers, made, network, results
from tests.distillation.conftest import distance, weights_of
from tests.sharing import made_once

ROOT = Path(__file__).parent.parent.parent

PLAIN = Case()


def message(function):
    try:
        function()
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def fitted(strategy, case=PLAIN, samples=40, **options):
    distiller = made(case, strategy, **options)
    distiller.fit(case.x[:samples], case.y[:samples], batch_size=8, shuffle=False, verbose=0)
    return distiller


def own_parts(strategy):
    """A relation loss of one step, and the same of each replica's half of the batch."""
    loss = kd.losses.RelationalDistance()
    case = Case(objectives=lambda: [kd.Objective(loss, student="hidden", teacher="hidden")])
    distiller = made(case, strategy)
    taps = [
        keras.Model(model.input, model.get_layer("hidden").output)(X[:8])
        for model in (distiller.teacher, distiller.student)
    ]
    halves = [float(loss(taps[0][half], taps[1][half])) for half in (slice(0, 4), slice(4, 8))]
    logged = distiller.fit(X[:8], Y[:8], batch_size=8, shuffle=False, verbose=0).history
    return [logged[distiller.objectives[0].name][0], float(np.mean(halves)), float(loss(*taps))]


def zero_teacher():
    teacher = network(9, "teacher")
    teacher.set_weights([np.zeros_like(w) for w in teacher.get_weights()])
    return teacher


def warned(strategy):
    """What is said of a teacher that always answers the same; the weights of some samples are 0."""
    distiller = made(Case(teacher=zero_teacher), strategy)
    x, y = np.tile(X, (10, 1)), np.tile(Y, 10)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        distiller.fit(x, y, sample_weight=np.tile([1.0, 1.0, 0.0, 1.0], 100), batch_size=8, verbose=0)
    return [str(one.message) for one in told if "teacher" in str(one.message)]


# Keras takes the mean of the replicas' means. Samples, and what each weighs in that.
UNEVEN = {"two and one": (3, [0.75, 0.75, 1.5]), "one and none": (1, [0.5])}


def uneven(strategy):
    """A step on fewer samples than fill the replicas, and the same on one device with these weights."""
    replicated, alone = made(PLAIN, strategy), made(PLAIN, None)
    found = {}
    for name, (samples, weights) in UNEVEN.items():
        scores = []
        for distiller, given in ((replicated, None), (alone, np.array(weights, "float32"))):
            distiller.fit(X[:samples], Y[:samples], sample_weight=given, verbose=0)
            x, y = X[: 32 + samples], Y[: 32 + samples]
            scores.append(distiller.evaluate(x, y, batch_size=8, verbose=0))
        weights = distance(weights_of(replicated), weights_of(alone))
        found[name] = {"weights": weights, "scores": distance(*scores)}
    return found


NORMED = Case(student=lambda: network(4, "student", norm=layers.BatchNormalization()))


def broken():
    teacher = network(9, "teacher")
    teacher.set_weights([w * np.nan for w in teacher.get_weights()])
    return teacher


def student_outside(strategy):
    student = network(4, "student")
    with strategy.scope():
        kd.Distiller(student, network(9, "teacher"))


def distiller_outside(strategy):
    with strategy.scope():
        student = network(4, "student")
    kd.Distiller(student, network(9, "teacher"))


def no_batch(strategy):
    nothing = tf.data.Dataset.from_tensor_slices((X, Y)).filter(lambda x, y: False).batch(8)
    made(PLAIN, strategy).fit(nothing, verbose=0)


OTHER_SCOPE = "must be created under the same strategy"
# What is refused: how it comes about, and what the error says.
REFUSED = {
    "student outside": (student_outside, OTHER_SCOPE),
    "distiller outside": (distiller_outside, OTHER_SCOPE),
    "steps_per_execution": (lambda s: fitted(s, steps_per_execution=2), "steps_per_execution=...) under a"),
    "jit_compile": (lambda s: fitted(s, jit_compile=True), "jit_compile=True) under a"),
    "accumulation": (
        lambda s: fitted(s, optimizer=keras.optimizers.SGD(gradient_accumulation_steps=2)),
        "gradient_accumulation_steps under a",
    ),
    "NaN teacher": (lambda s: fitted(s, Case(teacher=broken)), "The teacher 'teacher': 'output' holds NaN"),
    "no batch": (no_batch, "gave no batch"),
    "BatchNorm of nothing": (lambda s: fitted(s, NORMED, samples=33), "got no sample"),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    def find(folder):
        file = folder / "found.json"
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.training.test_replicas", str(file)]
        result = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return json.loads(file.read_text())

    found = made_once(tmp_path_factory, "replicas", find)
    assert found["replicas"] == 2
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_replicas_are_one_device(found, name):
    assert found["cases"][name] == pytest.approx(dict.fromkeys(PARTS, 0), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_anything_is_spoiled(found, name):
    assert REFUSED[name][1] in found["refused"][name]


@pytest.mark.slow
@pytest.mark.parametrize("name", UNEVEN)
def test_an_uneven_batch_trains_on_the_mean_of_means(found, name):
    assert found["uneven"][name] == pytest.approx({"weights": 0, "scores": 0}, abs=1e-6)


@pytest.mark.slow
def test_a_relation_loss_sees_its_own_part_of_the_batch(found):
    logged, of_halves, of_batch = found["own parts"]
    assert logged == pytest.approx(of_halves, abs=1e-6)
    assert abs(logged - of_batch) > 1e-3


@pytest.mark.slow
def test_the_answers_of_all_replicas_are_counted(found):
    alone, replicated = found["warned"]
    assert len(alone) == 1
    assert "of the 300 samples of epoch 1" in alone[0]
    assert replicated == alone


def test_adapt_step_leaves_a_step_alone_without_a_strategy():
    model = network(4, "student")
    assert replicas.adapt_step(model, model.train_step) == model.train_step
    assert not replicas.is_replicated(None)
    assert not replicas.is_replicated(model.distribute_strategy)


def test_logs_of_replicas_are_the_metrics_where_all_that_is_logged_is_one():
    model = network(4, "student")
    model.compile("sgd", loss="mse")
    model.train_on_batch(X[:4], np.zeros((4, 3)))
    logged = model.get_metrics_result()
    assert replicas.logs_of_replicas(model, {"loss": -1.0}) == {"loss": logged["loss"]}
    assert replicas.logs_of_replicas(model, {"loss": -1.0, "own": 2.0}) == {"loss": -1.0, "own": 2.0}


def main(file):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    found = {"replicas": strategy.num_replicas_in_sync}
    found["cases"] = {
        name: gaps(results(case, None), results(case, strategy)) for name, case in CASES.items()
    }
    found["refused"] = {name: message(lambda f=f: f(strategy)) for name, (f, _) in REFUSED.items()}
    found["own parts"] = own_parts(strategy)
    found["uneven"] = uneven(strategy)
    found["warned"] = [warned(each) for each in (None, strategy)]
    Path(file).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
