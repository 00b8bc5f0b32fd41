"""Every projection inside an objective: it is sized, trains, lowers its loss, and comes back from a file."""

import functools

import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd import projections as p

STAGES = ("stage1", "stage2", "stage3", "pool")
OBJECTIVES = {
    "true": lambda: kd.Objective("mse", student="stage2", teacher="stage2", project=True),
    "linear": lambda: kd.Objective("mse", student="pool", teacher="pool", project=p.Linear(use_bias=False)),
    "conv norm": lambda: kd.Objective(
        "mse", student="stage2", teacher="stage2", project=p.ConvNorm(kernel_size=3, activation="relu")
    ),
    "regressor": lambda: kd.Objective(
        "mse", student="stage3", teacher="stage3", project=p.Regressor(layers=3)
    ),
    "projector": lambda: kd.Objective("mse", student="stage3", teacher="stage3", project=p.SimKDProjector()),
    "head": lambda: kd.Objective(
        kd.losses.VariationalInformation(), student="stage2", teacher="stage2", project=p.VariationalHead()
    ),
    "generator": lambda: kd.Objective(
        kd.losses.MaskedGeneration(),
        student="stage2",
        teacher="stage2",
        project=p.MaskedGenerator(ratio=0.3, seed=1),
        weight=1e-3,
    ),
    "fusion": lambda: kd.Objective(
        kd.losses.HierarchicalContext(), student=STAGES, teacher=STAGES, project=p.ReviewFusion()
    ),
}


def distilled(objective, teacher, student, epochs, samples, **options):
    distiller = kd.Distiller(student, teacher, [objective])
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(True)
    distiller.compile(keras.optimizers.Adam(0.01), loss=cross_entropy, **options)
    x, y, _ = kd.datasets.digits().arrays["train"]
    history = distiller.fit(x[:samples], y[:samples], epochs=epochs, verbose=0).history
    return distiller, history[objective.name]


def small_model(width, name):
    """With the stages that the objectives tap, and little else to trace."""
    inputs = keras.Input((8, 8, 1))
    x = inputs
    convolve = functools.partial(
        keras.layers.Conv2D, width, 3, padding="same", activation="relu", kernel_initializer="he_normal"
    )
    for stage, strides in (("stage1", 1), ("stage2", 2), ("stage3", 2)):
        x = convolve(strides=strides, name=stage)(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, keras.layers.Dense(10, dtype="float32", name="logits")(x), name=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_it_trains_in_an_objective_and_a_file_holds_it(name, tmp_path):
    objective = OBJECTIVES[name]()
    teacher, student = small_model(24, "teacher"), small_model(8, "student")
    distiller, values = distilled(objective, teacher, student, epochs=6, samples=256)
    # a variance that starts at 5 shrinks by steps of the learning rate, and the value with it
    assert values[-1] < (0.96 if name == "head" else 0.9) * values[0]
    assert objective.trainable_weights
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    (again,) = loaded.objectives
    for x, y in zip(again.get_weights(), objective.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)
    loaded.teacher = distiller.teacher
    x, y, _ = kd.datasets.digits().arrays["train"]
    loaded.run_eagerly = True  # for three steps
    onward = loaded.fit(x[:96], y[:96], verbose=0).history[objective.name]
    assert onward[0] < values[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_mixed_precision_models(name):
    objective = OBJECTIVES[name]()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        teacher, student = small_model(8, "teacher"), small_model(4, "student")
    finally:
        keras.config.set_dtype_policy("float32")
    _, values = distilled(objective, teacher, student, epochs=1, samples=64, run_eagerly=True)
    assert np.isfinite(values).all()
    assert {weight.dtype for weight in objective.trainable_weights} == {"float32"}


def with_number(model):
    """A model that is also given the number of each sample, and ignores it."""
    inputs = {
        "image": keras.Input((8, 8, 1), name="image"),
        "index": keras.Input((), dtype="int32", name="index"),
    }
    return keras.Model(inputs, model(inputs["image"]))


@pytest.mark.slow
@pytest.mark.parametrize("labels", [False, True])
def test_a_memory_bank_gives_negatives_by_number(labels, tmp_path):
    teacher, student = (with_number(small_model(width, name)) for width, name in ((24, "big"), (8, "small")))
    taps = ("big/pool", "input/index", *(["labels"] if labels else []))
    objective = kd.Objective(
        kd.losses.ContrastiveRepresentation(),
        student="small/pool",
        teacher=taps,
        project=True,
        project_teacher=p.MemoryBank(300),
        name="crd",
    )
    distiller = kd.Distiller(student, teacher, [objective])
    distiller.compile(keras.optimizers.Adam(0.01), loss=keras.losses.SparseCategoricalCrossentropy(True))
    x, y, _ = kd.datasets.digits().arrays["train"]
    data = {"image": x[:256], "index": np.arange(256, dtype="int32")}
    history = distiller.fit(data, y[:256], epochs=6, verbose=0).history["crd"]
    bank = objective.project_teacher
    assert np.asarray(bank.written)[:300].sum() == 256
    assert int(bank.ignored) == 0
    assert history[-1] < history[1]  # in the first epoch the bank fills, and the task grows
    distiller.save(tmp_path / "distiller.keras")
    (again,) = keras.models.load_model(tmp_path / "distiller.keras").objectives
    np.testing.assert_array_equal(again.project_teacher.rows, bank.rows)
