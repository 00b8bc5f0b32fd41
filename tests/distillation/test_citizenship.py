"""What `compile` and `fit` offer holds for the distillation terms too, as for a loss of plain Keras.

`test_equivalence.py` compares training with objectives of weight zero. Here they have a weight: the same
blend is written as one plain Keras loss of packed labels, `[class, teacher's logits...]`, and the student
trains on it alone.
"""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, distance, weights_of

layers, ops, optimizers = keras.layers, keras.ops, keras.optimizers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 6)).astype("float32")
Y = RANDOM.integers(0, 3, 48)
WEIGHTS = RANDOM.random(48).astype("float32")
SIZES = {0: 1.0, 1: 0.1, 2: 3.0}


def network(units=4, dtype=None):
    inputs = keras.Input((6,))
    x = layers.Dense(units, kernel_regularizer="l2", dtype=dtype, name="hidden")(inputs)
    x = layers.ReLU(dtype=dtype)(layers.BatchNormalization(dtype=dtype)(x))
    return keras.Model(inputs, layers.Dense(3, dtype=dtype)(layers.Dropout(0.3, dtype=dtype)(x)))


def blend(packed, logits):
    """0.5 x the cross-entropy + 2 x the squared distance to the teacher's logits, for each sample."""
    packed = ops.cast(packed, "float32")
    hard = keras.losses.sparse_categorical_crossentropy(packed[:, 0], logits, from_logits=True)
    return 0.5 * hard + 2.0 * ops.mean((packed[:, 1:] - ops.cast(logits, "float32")) ** 2, -1)


# Ways to compile that do not depend on each other stand together: each row traces two trainings.
WAYS = {
    "weights for samples": ({}, {"sample_weight": WEIGHTS}),
    "eager, clipped by the norm": ({"run_eagerly": True, "optimizer": {"clipnorm": 0.1}}, {}),
    "several steps at a time, clipped by value": (
        {"steps_per_execution": 3, "optimizer": {"clipvalue": 0.01}},
        {},
    ),
    "compiled by XLA, clipped by the global norm": (
        {"jit_compile": True, "optimizer": {"global_clipnorm": 0.1}},
        {},
    ),
    "accumulated gradients": ({"optimizer": {"gradient_accumulation_steps": 3}}, {}),
    "average of weights, part for validation": (
        {"optimizer": {"use_ema": True, "ema_momentum": 0.5}},
        {"validation_split": 0.25},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("compile", "fit"), WAYS.values(), ids=WAYS)
def test_distillation_is_plain_training_on_the_blend(compile, fit):
    teacher = network(8)
    of_teacher = teacher.predict(X, verbose=0)
    results = []
    for distil in (False, True):
        keras.utils.set_random_seed(1)
        model = student = network()
        loss, labels, options = blend, np.concatenate([Y[:, None], of_teacher], -1), {}
        if distil:
            model = kd.Distiller(student, teacher, [kd.Objective("mse", weight=2.0)])
            loss, labels, options = cross_entropy(), Y, {"loss_weights": 0.5}
        keras.utils.set_random_seed(2)
        optimizer = optimizers.SGD(0.1, momentum=0.9, **compile.get("optimizer", {}))
        model.compile(**(options | compile | {"optimizer": optimizer, "loss": loss}))
        logs = model.fit(X, labels, batch_size=8, epochs=2, shuffle=False, verbose=0, **fit).history
        results.append((weights_of(student), logs["loss"]))
    (plain, plain_loss), (ours, our_loss) = results
    # Not bit for bit: the same terms are summed in another order.
    np.testing.assert_allclose(our_loss, plain_loss, rtol=1e-5)
    for a, b in zip(plain, ours, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5)


@pytest.mark.slow
def test_weights_for_classes_are_weights_for_samples():
    results = []
    for fit in ({"class_weight": SIZES}, {"sample_weight": [SIZES[y] for y in Y]}):
        keras.utils.set_random_seed(1)
        student = network()
        distiller = kd.Distiller(student, network(8), [kd.losses.SoftTargets(), "mse"])
        distiller.compile("sgd", loss=cross_entropy(), weighted_metrics=["accuracy"])
        fit = {name: np.array(value) if name == "sample_weight" else value for name, value in fit.items()}
        logs = distiller.fit(X, Y, batch_size=8, shuffle=False, verbose=0, **fit).history
        results.append((weights_of(student), logs))
    assert distance(results[0][0], results[1][0]) == 0
    assert results[0][1] == results[1][1]


@pytest.mark.slow
def test_padded_tokens_do_not_count():
    """For any term: the plain loss of the same student on the teacher's words leaves them out as well."""

    def model(units):
        inputs = keras.Input((5,), dtype="int32")
        embedded = layers.Embedding(9, units, mask_zero=True)(inputs)
        return keras.Model(inputs, layers.Dense(3)(embedded))

    # As many in each: where they differ in length, our losses weigh samples alike, and Keras weighs tokens.
    tokens = RANDOM.permuted(np.tile([0, 0, 3, 5, 7], (16, 1)), axis=1)
    student, teacher = model(4), model(8)
    before, of_teacher = weights_of(student), teacher.predict(tokens, verbose=0)
    distiller = kd.Distiller(student, teacher, ["mse"])
    results = []
    for trained, data in ((distiller, (tokens,)), (student, (tokens, of_teacher))):
        student.set_weights(before)
        trained.compile(optimizers.SGD(0.1), loss=None if trained is distiller else "mse")
        logs = trained.train_on_batch(*data, return_dict=True)
        results.append((float(logs["loss"]), weights_of(student)))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    for ours, plain in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(ours, plain, atol=1e-6)


@pytest.mark.slow
def test_metrics_with_a_state_start_anew_and_see_the_student():
    inputs = keras.Input((6,))
    student, teacher = (
        keras.Model(inputs, layers.Dense(1, "sigmoid")(layers.Dense(units)(inputs))) for units in (4, 8)
    )
    labels = (Y > 0).astype("float32")
    distiller = kd.Distiller(student, teacher, [kd.losses.BinarySoftTargets()])
    made = {"metrics": [keras.metrics.AUC(name="auc"), keras.metrics.Recall(name="recall")]}
    distiller.compile(optimizers.SGD(0.0), loss="binary_crossentropy", **made)
    logs = distiller.fit(X, labels, batch_size=8, epochs=3, validation_data=(X, labels), verbose=0).history
    for name, metric in (("auc", keras.metrics.AUC()), ("recall", keras.metrics.Recall())):
        metric.update_state(labels[:, None], student.predict(X, verbose=0))
        # The rate is zero, so every epoch is the same, unless a state were carried over.
        np.testing.assert_allclose(logs[name], [float(metric.result())] * 3, rtol=1e-6)
        np.testing.assert_allclose(logs[f"val_{name}"], logs[name], rtol=1e-6)
    np.testing.assert_allclose(logs["binary_soft_targets"], logs["binary_soft_targets"][0], rtol=1e-6)


@pytest.mark.slow
def test_metrics_of_layers_are_logged():
    class Size(layers.Layer):
        def __init__(self):
            super().__init__()
            self.size = keras.metrics.Mean(name="size")

        def call(self, x):
            self.size.update_state(ops.mean(ops.abs(x)))
            return x

    inputs = keras.Input((6,))
    student = keras.Model(inputs, layers.Dense(3)(Size()(inputs)))
    distiller = kd.Distiller(student, network(8))
    distiller.compile("sgd", loss=cross_entropy())
    logs = distiller.fit(X, Y, batch_size=8, epochs=2, verbose=0).history
    np.testing.assert_allclose(logs["size"], [np.abs(X).mean()] * 2, rtol=1e-5)


POLICIES = [
    ("mixed_float16", "float32"),
    ("mixed_bfloat16", "mixed_float16"),
    ("float64", "float32"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("of_student", "of_teacher"), POLICIES, ids=["half", "halves", "double"])
def test_teacher_and_student_of_different_precision(of_student, of_teacher):
    """The losses are computed in float32, and their values are those of float32 models, nearly."""

    def model(units, policy):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            inputs = keras.Input((6,))
            return keras.Model(inputs, layers.Dense(3)(layers.Dense(units, name="hidden")(inputs)))
        finally:
            keras.config.set_dtype_policy(before)

    results, started = [], None
    for policies in ((of_student, of_teacher), ("float32", "float32")):
        keras.utils.set_random_seed(1)
        student, teacher = model(4, policies[0]), model(8, policies[1])
        if started is not None:  # draws depend on the precision
            student.set_weights(started[0])
            teacher.set_weights(started[1])
        started = weights_of(student), weights_of(teacher)
        feature = kd.Objective("mse", student="hidden", teacher="hidden", project=True, name="feature")
        distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(2.0), feature])
        distiller.compile(optimizers.Adam(0.01), loss=cross_entropy())
        scales = isinstance(distiller.optimizer, optimizers.LossScaleOptimizer)
        assert scales == (policies[0] == "mixed_float16")
        before = weights_of(student)
        logs = distiller.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history
        results.append(logs)
        assert distance(before, weights_of(student)) > 0.01
        assert all(w.dtype == ("float64" if policies[0] == "float64" else "float32") for w in student.weights)
    mixed, full = results
    for name in full:
        np.testing.assert_allclose(mixed[name], full[name], rtol=2e-2)


@pytest.mark.slow
def test_the_loss_scale_keeps_small_gradients_of_an_objective():
    """Without it, they would vanish in half precision."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input((6,))
        student = keras.Model(inputs, layers.Dense(3)(layers.Dense(4)(inputs)))
    finally:
        keras.config.set_dtype_policy("float32")
    tiny = kd.Objective("mse", weight=1e-7)
    distiller = kd.Distiller(student, network(8), [tiny])
    before = weights_of(student)
    distiller.compile(optimizers.SGD(1e6))
    distiller.fit(X, batch_size=48, verbose=0)
    assert min(np.abs(a - b).max() for a, b in zip(before, weights_of(student), strict=True)) > 1e-4
