"""Every scheme that trains in one step, made from the same seed each time, compiled, and its data."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_kd as kd
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, perceptron


class Scheme(NamedTuple):
    make: Callable[[], keras.Model]
    logs: set[str]  # what it logs, besides the total and the hard loss
    data: tuple[Any, ...] = (VECTORS, CLASSES)
    loss: Callable[[], Any] = cross_entropy


def normed() -> keras.Model:
    """Its statistics are averaged, too; those of a synchronized layer are the same in all replicas."""
    norm = keras.layers.BatchNormalization(momentum=0.5, synchronized=True)
    hidden = [keras.layers.Dense(5, use_bias=False), norm, keras.layers.ReLU()]
    return keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(3)], name="s")


SCHEMES = {
    "mutual": Scheme(
        lambda: kd.Mutual([perceptron(5, "a"), perceptron(6, "b")]),
        {"a_loss", "b_loss", "a_soft_targets_from_b", "b_soft_targets_from_a"},
    ),
    "adversarial": Scheme(
        lambda: kd.Adversarial(
            *(perceptron(5, "s"), perceptron(9, "t")),
            clean_objectives=[kd.Objective("mse", student="hidden", teacher="hidden", project=True)],
            **{"epsilon": 0.2, "step_size": 0.1, "steps": 3, "random_start": False},
        ),
        {"soft_targets", "mse_hidden"},
    ),
    "data-free": Scheme(  # each replica would take the entropy of its own part of the batch
        lambda: kd.DataFree(
            *(perceptron(5, "s"), perceptron(9, "t")),
            keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, "sigmoid")]),
            **{"feature": "hidden", "entropy": 0.0},
        ),
        {"soft_targets", "generator_loss"},
        (np.random.default_rng(0).normal(size=(24, 8)).astype("float32"),),
        lambda: None,
    ),
    "mean teacher": Scheme(lambda: kd.MeanTeacher(normed(), momentum=0.9), {"soft_targets"}),
}


def compiled(
    name: str, scope: Any = contextlib.nullcontext, policy: str = "float32", **options: Any
) -> keras.Model:
    """The model of a scheme, from the same seed each time."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    with scope():
        keras.config.set_dtype_policy(policy)
        model = SCHEMES[name].make()
        optimizer = options.pop("optimizer", None) or keras.optimizers.SGD(0.1, momentum=0.9)
        model.compile(optimizer, loss=SCHEMES[name].loss(), **options)
        keras.config.set_dtype_policy("float32")
    return model


def values(model: keras.Model) -> list[Any]:
    """All weights and the optimizer's variables."""
    return [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)]
