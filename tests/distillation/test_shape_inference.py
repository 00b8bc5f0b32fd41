"""Objectives are built and traced on the shapes of two models."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.shape_inference import build_objective
from keras_kd.signals.tracing import SignalSpec
from tests.distillation.conftest import (
    convnet,
    mlp,
    one_step,
)


@pytest.mark.slow
def test_a_weight_may_be_any_number(batch):
    weights = {
        "integer": lambda step: 1 - step,
        "boolean": lambda step: step < 2,
        "double": lambda step: keras.ops.cast(step, "float64"),
    }
    objectives = [kd.Objective("soft_targets", weight=weight, name=name) for name, weight in weights.items()]
    distiller = kd.Distiller(mlp(4, "s"), mlp(8, "t"), objectives)
    distiller.compile(keras.optimizers.SGD(0.0))
    logs = distiller.train_on_batch(batch[0], return_dict=True)
    assert logs["loss"] == pytest.approx(logs["integer"] + logs["boolean"])  # at step 0


def test_a_temperature_that_decides_in_python_is_refused_before_training():
    loss = kd.losses.SoftTargets(lambda step: 4.0 if step < 3 else 1.0)
    with pytest.raises(ValueError, match="branches in Python on a tensor"):
        kd.Distiller(convnet(4), convnet(8), [loss])


def test_a_projection_to_the_width_of_the_labels(batch):
    objective = kd.Objective("mse", student="pool", teacher="labels", project=True)
    distiller = kd.Distiller(convnet(4), None, [objective])
    labels = np.eye(10, dtype="float32")[batch[1]]
    assert np.isfinite(one_step(distiller, batch[0], labels, loss="mse")["mse_pool"])
    assert objective.projection(np.ones((2, 4))).shape == (2, 10)


def of_shape(*shape, **known):
    return SignalSpec((None, *shape), "float32", None, **known)


def test_build_objective_waits_for_data_that_the_loss_reads():
    objective = kd.Objective("decoupled_kd", teacher=("output", "labels"))
    signals = Signals({"output": of_shape(3)}, {"output": of_shape(3)})
    assert not build_objective(objective, signals)
    assert build_objective(objective, dataclasses.replace(signals, data={"labels": of_shape()}))


def test_build_objective_names_the_signals_that_do_not_meet():
    signals = Signals({"output": of_shape(3)}, {"output": of_shape(5)})
    with pytest.raises(
        ValueError, match=r"'mse' \(student 'output' \(None, 3\), teacher 'output' \(None, 5\)\)"
    ):
        build_objective(kd.Objective("mse"), signals)
    with pytest.raises(ValueError, match="The student has 3 classes and the teacher 5"):
        build_objective(kd.Objective("soft_targets"), signals)


def test_build_objective_sizes_what_the_teachers_signal_goes_through():
    layer = keras.layers.Dense(3)
    objective = kd.Objective("mse", project_teacher=layer)
    assert build_objective(objective, Signals({"output": of_shape(3)}, {"output": of_shape(5)}))
    assert layer.kernel.shape == (5, 3)
