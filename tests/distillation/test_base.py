"""The teacher of a Distiller, what is fixed, and the first batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import (
    CLASSES,
    FORMS,
    VECTORS,
    as_set,
    check_refused,
    convnet,
    cross_entropy,
    distance,
    hinton,
    mlp,
    perceptron,
    weights_of,
)


def test_teacher_preprocess(batch):
    x, y = batch
    inputs = keras.Input((16, 16, 1))
    flat = keras.layers.Flatten()(inputs)
    teacher = keras.Model(inputs, keras.layers.Dense(10)(flat), name="large")
    with pytest.raises(ValueError, match=r"'large' cannot take the student's inputs.*teacher_preprocess"):
        kd.Distiller(mlp(8, "s"), teacher)

    def enlarge(images):
        return keras.ops.image.resize(images, (16, 16))

    distiller = kd.Distiller(mlp(8, "s"), teacher, teacher_preprocess=enlarge)
    assert distiller.teacher_preprocess is enlarge
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)
    distiller.teacher_preprocess = keras.layers.Resizing(16, 16)
    assert np.isfinite(distiller.train_on_batch(x, y, return_dict=True)["loss"])
    assert "resizing" not in str(distiller.get_config())


def test_self_distillation_and_a_new_teacher(batch):
    x, y = batch
    model = mlp(8, "m")
    distiller = kd.Distiller(model, keras.models.clone_model(model))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(x, y)
    second = mlp(32, "second")
    distiller.teacher = second
    assert distiller.teacher is second
    _, _, soft = hinton(model, second, x, y, 4.0, 0.1)
    distiller.reset_metrics()
    logs = distiller.train_on_batch(x, y, return_dict=True)
    np.testing.assert_allclose(logs["soft_targets"], soft, rtol=1e-5)


def test_what_is_trained_on_is_fixed_and_unknown_attributes_are_unknown():
    distiller = kd.Distiller(perceptron(4), perceptron(8))
    for name in ("student", "alpha", "temperature", "objectives"):
        with pytest.raises(AttributeError, match=f"`{name}` is fixed when a Distiller is made"):
            setattr(distiller, name, getattr(distiller, name))
    with pytest.raises(AttributeError, match="no attribute 'taecher'"):
        _ = distiller.taecher


def test_prepared_tells_whether_the_projections_are_there():
    hint = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(perceptron(4), None, [hint])
    assert not distiller.prepared  # without a teacher, the data tells the width
    distiller.teacher = perceptron(8)
    assert distiller.prepared


def test_a_new_teacher_of_another_width_is_refused():
    objective = kd.Objective("mse", student="pool", teacher="pool", project=True)
    distiller = kd.Distiller(convnet(4), convnet(8), [objective])
    with pytest.raises(ValueError, match="mse_pool_projection"):
        distiller.teacher = convnet(16)


def broken_teacher(layer="head", weight="bias"):
    teacher = perceptron(8, "big")
    variable = getattr(teacher.get_layer(layer), weight)
    variable.assign(np.full(variable.shape, np.nan))
    return teacher


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_teacher_that_returns_nan_is_named(form):
    distiller = kd.Distiller(perceptron(4), broken_teacher())
    distiller.compile("sgd", loss=cross_entropy())
    check_refused(distiller, "The teacher 'big': 'output' holds NaN or infinity", **form(VECTORS, CLASSES))


def test_a_single_batch_is_validated():
    distiller = kd.Distiller(perceptron(4), broken_teacher())
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match="The teacher 'big': 'output' holds NaN"):
        distiller.train_on_batch(VECTORS, CLASSES)
    distiller.make_train_function()
    check_refused(distiller, "The teacher 'big': 'output' holds NaN", x=VECTORS, y=CLASSES)


def test_a_feature_that_is_nan_is_named():
    objective = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(perceptron(4), broken_teacher("hidden"), [objective])
    distiller.compile("sgd", loss=cross_entropy())
    check_refused(distiller, "The teacher 'big': 'hidden' holds NaN or infinity", x=VECTORS, y=CLASSES)


def test_signals_of_the_data_that_are_nan_are_named():
    distiller = kd.Distiller(perceptron(4))
    distiller.compile("sgd", loss=cross_entropy())
    taught = kd.Taught(tf.constant(VECTORS), {"output": tf.fill((24, 3), np.nan)})
    check_refused(distiller, "The data's teacher signals: 'output' holds NaN", x=as_set(taught, CLASSES))


def test_a_new_teacher_is_validated_too():
    distiller = kd.Distiller(perceptron(4), perceptron(8))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.train_on_batch(VECTORS, CLASSES)
    distiller.teacher = broken_teacher()
    with pytest.raises(ValueError, match="The teacher 'big': 'output' holds NaN"):
        distiller.train_on_batch(VECTORS, CLASSES)


class At(keras.callbacks.Callback):
    """Sets attributes of the Distiller after an epoch, or after the first batch of the epoch that follows."""

    def __init__(self, epoch, mid_epoch=False, **attributes):
        super().__init__()
        self.due, self.mid_epoch, self.attributes = epoch, mid_epoch, attributes
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.mid_epoch and self.batches == 3 * self.due + 1:
            self.apply()

    def on_epoch_end(self, epoch, logs=None):
        if not self.mid_epoch and epoch + 1 == self.due:
            self.apply()

    def apply(self):
        for name, value in self.attributes.items():
            setattr(self.model, name, value)


def gap(teacher, student, x):
    return np.mean((np.asarray(teacher(x)) - np.asarray(student(x))) ** 2)


@pytest.mark.slow
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_callback_replaces_the_teacher_while_fit_runs(run_eagerly):
    student, first, assistant = (perceptron(units) for units in (4, 8, 6))
    distiller = kd.Distiller(student, first, [kd.losses.LogitsMSE()])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=run_eagerly)
    changes = [
        At(1, teacher=assistant),
        At(2, teacher_preprocess=lambda x: 3 * x),
        At(3, True, teacher=first),
    ]
    fit = {"epochs": 4, "batch_size": 8, "shuffle": False, "verbose": 0}
    losses = distiller.fit(VECTORS, callbacks=changes, **fit).history["loss"]
    of_assistant, of_first = (lambda x, model=model: model(3 * x) for model in (assistant, first))
    last = gap(of_assistant, student, VECTORS[:8]) + 2 * gap(of_first, student, VECTORS[8:])
    wanted = [gap(first, student, VECTORS), gap(assistant, student, VECTORS)]
    wanted += [gap(of_assistant, student, VECTORS), last / 3]
    np.testing.assert_allclose(losses, wanted, rtol=1e-5)


@pytest.mark.slow
def test_a_teacher_that_a_callback_brings_is_checked():
    hint = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(perceptron(4), perceptron(8), [hint, kd.losses.SoftTargets()])
    distiller.compile("sgd", run_eagerly=True)
    broken = broken_teacher("hidden")
    with pytest.raises(ValueError, match="The teacher 'big': 'hidden' holds NaN"):
        distiller.fit(VECTORS, epochs=2, verbose=0, callbacks=[At(1, teacher=broken)])
    wide = perceptron(16)
    distiller.teacher = good = perceptron(8)
    with pytest.raises(ValueError, match="mse_hidden_projection"):
        distiller.fit(VECTORS, epochs=2, verbose=0, callbacks=[At(1, teacher=wide)])
    assert distiller.teacher is good  # what cannot teach is not taken
    distiller.fit(VECTORS, verbose=0)


class Sums(keras.Model):
    """Takes dense, sparse and ragged tensors."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(3)

    def call(self, x):
        return self.head(tf.reduce_sum(x, axis=1) if isinstance(x, tf.RaggedTensor) else x)


def of_sparse():
    inputs = keras.Input((4,), sparse=True)
    return keras.Model(inputs, keras.layers.Dense(3)(inputs))


SPARSE = tf.sparse.from_dense(VECTORS * (VECTORS > 0.5))
RAGGED = tf.RaggedTensor.from_row_lengths(np.repeat(VECTORS, 2, axis=0), [1, 3] * 12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "x"),
    [(of_sparse, SPARSE), (Sums, RAGGED), (Sums, SPARSE)],
    ids=["sparse, functional", "ragged, subclassed", "sparse, subclassed"],
)
def test_batches_of_sparse_and_ragged_tensors_train_as_in_keras(make, x):
    """Without a weight on the objective, plain Keras to the last bit."""
    results = []
    for distil in (False, True):
        keras.utils.set_random_seed(0)
        student, teacher = make(), make()
        student(x)
        teacher(x)
        model = kd.Distiller(student, teacher, [kd.Objective("mse", weight=0.0)]) if distil else student
        model.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), metrics=["accuracy"])
        logs = [model.train_on_batch(x, CLASSES, return_dict=True), model.test_on_batch(x, CLASSES)]
        results.append((logs, weights_of(student)))
    (logs, plain), (ours, learnt) = results
    assert distance(plain, learnt) == 0
    assert {name: ours[0][name] for name in logs[0]} == logs[0]
    assert ours[1] == logs[1]


def test_nan_in_a_ragged_tensor_is_found():
    distiller = kd.Distiller(Sums(), None, [kd.Objective("mse", teacher="labels")])
    distiller.compile("sgd")
    with pytest.raises(ValueError, match="The data holds NaN or infinity: 4 of 192"):
        distiller.train_on_batch(
            RAGGED.with_flat_values(np.vstack([RAGGED.flat_values[1:], VECTORS[:1] * np.nan])), VECTORS[:, :3]
        )


@pytest.mark.parametrize("step", ["train_step", "test_step"])
def test_a_step_asks_for_compile(step):
    with pytest.raises(ValueError, match=r"`compile\(\)`"):
        getattr(kd.Distiller(perceptron(4), perceptron(8)), step)((VECTORS, CLASSES))
