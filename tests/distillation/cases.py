"""Ways to distil, and what is compared of them between one device and several replicas."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_kd as kd
from tests.distillation.conftest import cross_entropy

layers = keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 6)).astype("float32")
Y = RANDOM.integers(0, 3, 40)
WEIGHTS = RANDOM.random(40).astype("float32")
LOGITS = RANDOM.normal(size=(40, 3)).astype("float32")
TOKENS = RANDOM.integers(1, 9, (40, 5))
TOKENS[:, 3:] = 0  # each replica has as many tokens as the other
OF_TOKENS = RANDOM.uniform(0, 3, (40, 5)).astype("float32")


def network(units, name, norm=None, dropout=0.0, regularizer=None):
    inputs = keras.Input((6,))
    x = layers.Dense(units, "relu", kernel_regularizer=regularizer, name="hidden")(inputs)
    x = norm(x) if norm else x
    x = layers.Dropout(dropout)(x) if dropout else x
    return keras.Model(inputs, layers.Dense(3, name="head")(x), name=name)


def of_tokens(units, name):
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(9, units, mask_zero=True)(inputs)
    return keras.Model(inputs, layers.Dense(3)(layers.SimpleRNN(units, return_sequences=True)(x)), name=name)


def two_outputs(units, name):
    inputs = keras.Input((6,))
    x = layers.Dense(units, "relu")(inputs)
    return keras.Model(
        inputs, {"a": layers.Dense(3, name="a")(x), "b": layers.Dense(1, name="b")(x)}, name=name
    )


class Deferred(keras.Model):
    """Knows its inputs once it is given data."""

    def __init__(self):
        super().__init__(name="student")
        self.hidden, self.head = layers.Dense(4, "relu"), layers.Dense(3)

    def call(self, x):
        return self.head(self.hidden(x))


def projected():
    return [
        kd.Objective(kd.losses.SoftTargets(4.0), weight=0.5),
        kd.Objective("mse", student="hidden", teacher="hidden", project=True),
    ]


class Case(NamedTuple):
    student: Callable[[], keras.Model] = lambda: network(4, "student")
    teacher: Callable[[], keras.Model | None] = lambda: network(9, "teacher")
    objectives: Callable[[], Any] = lambda: None
    loss: Callable[[], Any] = cross_entropy
    metrics: Any = ("accuracy",)
    x: Any = X
    y: Any = Y
    weights: Any = None
    inside: bool = False  # the teacher is made under the strategy too


CASES = {
    "blend, synchronized BatchNorm": Case(
        student=lambda: network(4, "student", norm=layers.BatchNormalization(synchronized=True)),
        weights=WEIGHTS,
    ),
    "projection, penalty, teacher in scope": Case(
        student=lambda: network(4, "student", regularizer="l2"),
        teacher=lambda: network(9, "teacher", norm=layers.BatchNormalization(), dropout=0.5),
        objectives=projected,
        inside=True,
    ),
    "masks, weights of tokens": Case(
        student=lambda: of_tokens(4, "student"),
        teacher=lambda: of_tokens(6, "teacher"),
        metrics=(),
        x=TOKENS,
        y=TOKENS % 3,
        weights=OF_TOKENS,
    ),
    "two outputs": Case(
        student=lambda: two_outputs(4, "student"),
        teacher=lambda: two_outputs(6, "teacher"),
        objectives=lambda: [kd.Objective(kd.losses.SoftTargets(), student="output/a", teacher="output/a")],
        loss=lambda: {"a": cross_entropy(), "b": "mse"},
        metrics={"a": ["accuracy"], "b": ["mae"]},
        y={"a": Y, "b": X[:, :1]},
    ),
    "an ensemble with weights of each sample, and a member by itself": Case(
        teacher=lambda: kd.ensemble([network(9, "a"), network(7, "b")], weights="entropy"),
        objectives=lambda: [
            kd.Objective(kd.losses.SoftTargets(4.0)),
            kd.Objective(kd.losses.SoftTargets(), teacher="a", name="of_a"),
            kd.Objective("mse", student="hidden", teacher="b/hidden", project=True),
        ],
    ),
    "a teacher on the host": Case(
        teacher=lambda: kd.as_teacher(lambda x: 2 * x[:, :3], inputs=(6,), host=True)
    ),
    "subclassed, not built, signals that come with the data": Case(
        student=Deferred, teacher=lambda: None, x=kd.Taught(X, {"output": LOGITS})
    ),
}


PARTS = "logs", "scores", "weights", "predictions"


def made(case, strategy, **options):
    """A compiled distiller, from the same seed each time."""
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)
    scope = strategy.scope if strategy else contextlib.nullcontext
    with scope() if case.inside else contextlib.nullcontext():
        teacher = case.teacher()
    with scope():
        distiller = kd.Distiller(case.student(), teacher, case.objectives())
        distiller.compile(
            options.pop("optimizer", None) or keras.optimizers.SGD(0.1, momentum=0.9),
            loss=case.loss(),
            metrics=case.metrics,
            weighted_metrics=list(case.metrics) if case.weights is not None else None,
            **options,
        )
    return distiller


def results(case, strategy):
    """All that training, evaluation and prediction return, by name."""
    distiller = made(case, strategy)
    data = {"x": case.x, "y": case.y, "sample_weight": case.weights, "batch_size": 8, "verbose": 0}
    held_out = (case.x, case.y) if case.weights is None else (case.x, case.y, case.weights)
    logs = distiller.fit(**data, epochs=2, shuffle=False, validation_data=held_out).history
    scores = distiller.evaluate(**data, return_dict=True)
    weights = [*distiller.get_weights(), *(v.numpy() for v in distiller.optimizer.variables)]
    outputs = keras.tree.flatten(distiller.predict(case.x, batch_size=8, verbose=0))
    return dict(zip(PARTS, (logs, scores, weights, outputs), strict=True))


def gaps(one, two):
    """The greatest difference of each thing, by its size if that is above 1: float32 has seven digits."""
    keras.tree.assert_same_structure(one, two)
    return {
        what: max(
            float((np.abs(np.subtract(a, b)) / np.maximum(1, np.abs(a))).max())
            for a, b in zip(keras.tree.flatten(one[what]), keras.tree.flatten(two[what]), strict=True)
        )
        for what in one
    }
