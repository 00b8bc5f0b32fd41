"""Inputs, outputs, labels and sample weights in every structure that Keras takes."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, distance, weights_of

layers = keras.layers
RANDOM = np.random.default_rng(0)
A = RANDOM.normal(size=(24, 3)).astype("float32")
B = RANDOM.normal(size=(24, 5)).astype("float32")
Y = RANDOM.integers(0, 3, 24)
SIZE = RANDOM.normal(size=(24, 1)).astype("float32")


def two_inputs(structure):
    a, b = keras.Input((3,), name="a"), keras.Input((5,), name="b")
    x = layers.Dense(4, name="hidden")(layers.Concatenate()([a, b]))
    return keras.Model(structure(a, b), layers.Dense(3)(x))


INPUTS = {
    "list, not in the order of the names": lambda a, b: [b, a],
    "nested": lambda a, b: {"pair": [{"b": b}, a]},
}
OUTPUTS = {
    "list": lambda a, b: [a, b],
    "dict": lambda a, b: {"a": a, "b": b},
}


def compare(make, data, compile, objectives):
    """Train the student alone, and in a distiller whose objectives have no weight."""
    results = []
    for distil in (False, True):
        keras.utils.set_random_seed(1)
        student = make()
        model = kd.Distiller(student, make(), objectives) if distil else student
        model.compile("adam", **compile())
        logs = model.fit(**data, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        results.append((weights_of(student), logs, model.evaluate(**data, verbose=0, return_dict=True)))
    (plain, logs, evaluated), (ours, our_logs, our_evaluated) = results
    assert distance(plain, ours) == 0
    assert {name: our_logs.get(name) for name in logs} == logs
    assert our_evaluated == evaluated


@pytest.mark.slow
@pytest.mark.parametrize("structure", INPUTS.values(), ids=INPUTS)
def test_inputs_in_any_structure(structure):
    zero = kd.Objective("mse", student="hidden", teacher="hidden", weight=0.0)
    data = {"x": structure(A, B), "y": Y}
    compare(lambda: two_inputs(structure), data, lambda: {"loss": cross_entropy()}, [zero])


def two_outputs(structure):
    inputs = keras.Input((3,))
    x = layers.Dense(4, "relu")(inputs)
    return keras.Model(inputs, structure(layers.Dense(3, name="a")(x), layers.Dense(1, name="b")(x)))


@pytest.mark.slow
def test_a_dict_of_outputs_and_all_that_comes_by_name():
    names = {"a": 0.5, "b": 2.0}
    zero = [
        kd.Objective(kd.losses.SoftTargets(), student="output/a", teacher="output/a", weight=0.0),
        kd.Objective("mae", student="output/b", teacher="output/b", weight=0.0),
    ]
    data = {
        "x": A,
        "y": {"a": Y, "b": SIZE},
        "sample_weight": {name: RANDOM.random(24).astype("float32") for name in names},
    }
    compare(
        lambda: two_outputs(OUTPUTS["dict"]),
        data,
        lambda: {
            "loss": {"a": cross_entropy(), "b": "mse"},
            "loss_weights": names,
            "metrics": {"a": ["accuracy"], "b": ["mae", "mse"]},
            "weighted_metrics": {"a": ["accuracy"], "b": ["mae"]},
        },
        zero,
    )


@pytest.mark.parametrize(
    ("structure", "taps"),
    [pytest.param("list", "01", id="list", marks=pytest.mark.slow), pytest.param("dict", "ab", id="dict")],
)
def test_each_output_has_its_own_teacher_signal(structure, taps):
    """Distilling two outputs without labels is plain training on what the teacher says."""
    student, teacher = two_outputs(OUTPUTS[structure]), two_outputs(OUTPUTS[structure])
    before, of_teacher = weights_of(student), keras.tree.map_structure(np.asarray, teacher(A))
    both = [
        kd.Objective("mse", student=f"output/{tap}", teacher=f"output/{tap}", weight=weight)
        for tap, weight in zip(taps, (0.3, 2.0), strict=True)
    ]
    distiller = kd.Distiller(student, teacher, both)
    distiller.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    logs = distiller.fit(A, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    learnt = weights_of(student)

    student.set_weights(before)
    weights = dict(zip(taps, (0.3, 2.0), strict=True)) if structure == "dict" else [0.3, 2.0]
    losses = keras.tree.map_structure(lambda _: "mse", weights)
    student.compile(keras.optimizers.SGD(0.1), loss=losses, loss_weights=weights, run_eagerly=True)
    plain = student.fit(A, of_teacher, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    np.testing.assert_allclose(logs["loss"], plain["loss"], rtol=1e-5)
    for ours, theirs in zip(learnt, weights_of(student), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
def test_an_output_without_an_objective_learns_from_its_labels_alone():
    """And an output without a loss learns from the teacher alone."""

    def apart(scale):
        inputs = keras.Input((3,))
        return keras.Model(
            inputs, {name: layers.Dense(1, name=name, bias_initializer=scale)(inputs) for name in "ab"}
        )

    student, teacher = apart("zeros"), apart("ones")
    before, of_teacher = weights_of(student), keras.tree.map_structure(np.asarray, teacher(A))
    distiller = kd.Distiller(student, teacher, [kd.Objective("mse", student="output/a", teacher="output/a")])
    distiller.compile(keras.optimizers.SGD(0.1), loss={"a": None, "b": "mse"}, run_eagerly=True)
    distiller.fit(A, {"a": SIZE, "b": SIZE}, batch_size=8, shuffle=False, verbose=0)
    learnt = weights_of(student)
    student.set_weights(before)
    student.compile(keras.optimizers.SGD(0.1), loss={"a": "mse", "b": "mse"}, run_eagerly=True)
    student.fit(A, {"a": of_teacher["a"], "b": SIZE}, batch_size=8, shuffle=False, verbose=0)
    for ours, plain in zip(learnt, weights_of(student), strict=True):
        np.testing.assert_allclose(ours, plain, atol=1e-6)
