import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import convnet, cross_entropy, distance, mlp, predictions, weights_of


def test_projections_train_and_stay_out_of_the_student(batch):
    x, y = batch
    student = convnet(4)
    size = student.count_params()
    distiller = kd.Distiller(
        student, convnet(16, "t"), [kd.Objective("mse", student="block2", teacher="block2", project=True)]
    )
    projection = distiller.objectives[0].projection
    before = weights_of(projection)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)
    assert distance(before, weights_of(projection)) > 0
    assert student.count_params() == size
    assert len(distiller.trainable_weights) == len(student.trainable_weights) + 2


def test_without_a_compiled_loss_the_objectives_train(batch):
    x, y = batch
    student, teacher = mlp(8, "s"), mlp(32, "t")
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets()])
    distiller.compile(keras.optimizers.Adam(1e-2), metrics=["accuracy"], run_eagerly=True)
    logs = distiller.fit(x, y, epochs=3, verbose=0).history
    assert "student_loss" not in logs
    assert logs["loss"] == logs["soft_targets"]
    assert logs["loss"][-1] < logs["loss"][0]
    assert list(distiller.evaluate(x, y, return_dict=True, verbose=0)) == ["accuracy"]
    distiller.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    assert distiller.fit(x, verbose=0).history["loss"][0] > 0  # no labels at all


def trained(batch, optimizer=None, batch_size=16, **compiled):
    keras.utils.set_random_seed(1)
    student, teacher = mlp(8, "s"), mlp(16, "t")
    tap = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), tap])
    distiller.compile(optimizer or keras.optimizers.SGD(0.1), loss=cross_entropy(), **compiled)
    distiller.fit(*batch, batch_size=batch_size, shuffle=False, verbose=0)
    return weights_of(student)


WAYS = {
    "XLA": lambda: {"jit_compile": True},
    "eager": lambda: {"run_eagerly": True},
    "two steps at once": lambda: {"steps_per_execution": 2},
    "accumulated gradients": lambda: {
        "optimizer": keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
        "batch_size": 8,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [("eager",), ("XLA", "accumulated gradients", "two steps at once")], ids=" and ".join
)
def test_ways_to_run_agree(batch, names):
    expected = trained(batch)
    gaps = {name: distance(expected, trained(batch, **WAYS[name]())) for name in names}
    assert gaps == pytest.approx(dict.fromkeys(names, 0), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "of_teacher"),
    [("mixed_float16", "float32"), ("mixed_bfloat16", None)],
)
def test_mixed_precision(batch, policy, of_teacher):
    x, y = batch
    keras.config.set_dtype_policy(policy)
    try:
        student = convnet(4)
        keras.config.set_dtype_policy(of_teacher or policy)
        teacher = convnet(16, "t")
    finally:
        keras.config.set_dtype_policy("float32")
    tap = kd.Objective("mse", student="block2", teacher="block2", project=True)
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), tap])
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
    scales = isinstance(distiller.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scales == (policy == "mixed_float16")
    before = weights_of(student)
    logs = distiller.fit(x, y, verbose=0).history
    assert all(np.isfinite(values).all() for values in logs.values())
    assert distance(before, weights_of(student)) > 1e-4


@functools.cache
def pair():
    """A student and a teacher that no test changes: making them takes longer than the error."""
    return convnet(4), convnet(8, "t")


TEACHER_ERRORS = {
    "classes": (
        lambda: kd.Distiller(mlp(4, "s"), convnet(4, "t", classes=12)),
        "student has 10 classes and the teacher 12",
    ),
    "unknown student tap": (
        lambda: kd.Distiller(*pair(), [kd.Objective("mse", student="blok2")]),
        "No tap 'blok2' in model 'net'. Did you mean 'block2'",
    ),
    "unknown teacher tap": (
        lambda: kd.Distiller(*pair(), [kd.Objective("mse", teacher="hed")]),
        "in model 't'. Did you mean 'head'",
    ),
    "width": (
        lambda: kd.Distiller(*pair(), [kd.Objective("mse", student="block2", teacher="block2")]),
        "With project=True the student's signal gets the teacher's width",
    ),
    "rank": (
        lambda: kd.Distiller(*pair(), [kd.Objective("mse", student="block2")]),
        r"Expected signals of the same shape",
    ),
    "attention of vectors": (
        lambda: kd.Distiller(
            *pair(),
            [kd.Objective("attention_transfer", student="pool", teacher="block2")],
        ),
        "tap a layer before pooling",
    ),
    "kl of logits": (
        lambda: kd.Distiller(*pair(), ["kl_divergence"]),
        r"takes probabilities.*Use kd.losses.SoftTargets\(\)",
    ),
    "cross-entropy instance of logits": (
        lambda: kd.Distiller(*pair(), [keras.losses.CategoricalCrossentropy(from_logits=True)]),
        "takes probabilities",
    ),
    "kl under another name": (
        lambda: kd.Distiller(*pair(), [keras.losses.KLDivergence(name="mine")]),
        "takes probabilities",
    ),
    "sigmoid": (
        lambda: kd.Distiller(convnet(4, activation="sigmoid"), convnet(8, "t", activation="sigmoid")),
        "ends in a sigmoid",
    ),
    "one unit": (
        lambda: kd.Distiller(convnet(4, classes=1), convnet(8, "t", classes=1)),
        "two or more classes",
    ),
    "empty objectives": (lambda: kd.Distiller(*pair(), []), "nothing to distil"),
    "names": (
        lambda: kd.Distiller(*pair(), ["mse", "mse"]),
        "'mse' is taken. Give each its own `name`",
    ),
    "alpha": (lambda: kd.Distiller(*pair(), alpha=2), "from 0 to 1"),
    "temperature": (
        lambda: kd.Distiller(*pair(), temperature=0),
        "must be a positive number",
    ),
    "weight that decides in Python": (
        lambda: kd.Distiller(
            *pair(),
            [kd.Objective("soft_targets", weight=lambda step: 1.0 if step < 10 else 0.0)],
        ),
        r"Use keras\.ops\.where",
    ),
    "weight of several numbers": (
        lambda: kd.Distiller(
            *pair(),
            [kd.Objective("soft_targets", weight=lambda step: keras.ops.ones((2,)))],
        ),
        "must be one number",
    ),
    "teacher is the student": (
        lambda: (lambda model: kd.Distiller(model, model))(convnet(4)),
        "Distill from a copy",
    ),
    "temperature and objectives": (
        lambda: kd.Distiller(*pair(), ["mse"], temperature=4.0),
        "`temperature` and `alpha` belong to the blend",
    ),
}


@pytest.mark.parametrize(("make", "message"), TEACHER_ERRORS.values(), ids=TEACHER_ERRORS)
def test_errors_come_when_the_distiller_is_made(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_savedmodel_export_is_of_the_student(batch, tmp_path):
    x, y = batch
    distiller = kd.Distiller(convnet(4), convnet(64, "t"))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)
    distiller.export(tmp_path / "saved", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(served.serve(x), predictions(distiller.student, x), atol=1e-5)
