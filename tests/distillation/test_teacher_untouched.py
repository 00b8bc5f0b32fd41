"""What training does to a teacher and to the layers of a student: nothing that stays, also after an error."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, distance, weights_of
from tests.selection import rest_slow

layers = keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 6)).astype("float32")
Y = RANDOM.integers(0, 3, 48)


def network(units=4):
    inputs = keras.Input((6,))
    x = layers.BatchNormalization()(layers.Dense(units, "relu", name="hidden")(inputs))
    return keras.Model(inputs, layers.Dense(3)(layers.Dropout(0.3)(x)))


def fail_in_callback(distiller):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            raise ZeroDivisionError("stop")

    return {"x": X, "y": Y, "callbacks": [Stop()]}


def fail_in_data(distiller):
    def rows():
        yield X[:8], Y[:8]
        yield X[:8], Y[:8]
        raise ZeroDivisionError("stop")

    signature = tf.TensorSpec((8, 6), tf.float32), tf.TensorSpec((8,), tf.int64)
    return {"x": tf.data.Dataset.from_generator(rows, output_signature=signature)}


def fail_in_loss(distiller):
    def loss(y, logits):
        raise ZeroDivisionError("stop")

    distiller.compile("sgd", loss=loss)
    return {"x": X, "y": Y}


def fail_in_the_student(distiller):
    def call(inputs):
        raise ZeroDivisionError("stop")

    distiller.student.get_layer("hidden").activation = call
    return {"x": X, "y": Y}


def no_failure(distiller):
    return {"x": X, "y": Y, "validation_split": 0.25}


def all_of(model):
    """Everything of a model that a training could have changed."""
    every = [model, *model._flatten_layers(include_self=False)]
    return {
        "flags": [layer.trainable for layer in every],
        "of weights": [(w.path, w.trainable) for w in model.weights],
        "policies": [layer.dtype_policy.name for layer in every],
        "names": [sorted(vars(layer)) for layer in every],
        "methods": ["call" in vars(layer) for layer in every],
        "compiled": [id(model.optimizer), id(model.loss), model.compiled, model.train_function],
    }


# Where training ends, whether it runs eagerly, and whether the test is slow.
FAILURES = [
    (no_failure, False, True),
    (no_failure, True, True),
    (fail_in_callback, False, True),
    (fail_in_data, True, True),
    (fail_in_loss, False, False),
    (fail_in_the_student, True, True),
]


@pytest.mark.parametrize(
    ("failure", "run_eagerly"),
    [
        pytest.param(
            failure,
            eager,
            id=f"{failure.__name__}, {'eager' if eager else 'graph'}",
            marks=pytest.mark.slow if slow else (),
        )
        for failure, eager, slow in FAILURES
    ],
)
def test_the_teacher_is_untouched_whatever_happens(failure, run_eagerly):
    teacher, student = network(8), network()
    teacher.layers[2].trainable = False
    teacher.compile("adam", loss=cross_entropy(), metrics=["accuracy"], run_eagerly=True)
    teacher.train_on_batch(X, Y)
    evaluated = teacher.evaluate(X, Y, verbose=0)
    before, weights = all_of(teacher), weights_of(teacher)
    slots = [np.array(v) for v in teacher.optimizer.variables]
    feature = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), feature])
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=run_eagerly)
    data = failure(distiller)
    stopped = pytest.raises((ZeroDivisionError, tf.errors.OpError), match="stop")
    with contextlib.nullcontext() if failure is no_failure else stopped:
        distiller.fit(**data, verbose=0)
    assert all_of(teacher) == before
    assert distance(weights, weights_of(teacher)) == 0
    assert distance(slots, [np.array(v) for v in teacher.optimizer.variables]) == 0
    assert teacher.evaluate(X, Y, verbose=0) == evaluated
    assert not any("call" in vars(layer) for layer in student._flatten_layers())
    assert all(layer.trainable for layer in student.layers)


@pytest.mark.slow
def test_the_states_of_a_recurrent_teacher_are_put_back():
    inputs = keras.Input(batch_shape=(8, 5, 2))
    rnn = keras.layers.GRU(4, stateful=True)
    teacher = keras.Model(inputs, keras.layers.Dense(3)(rnn(inputs)))
    teacher.predict(np.ones((8, 5, 2)), verbose=0)
    before = np.asarray(rnn.states[0])
    student = keras.Sequential(
        [keras.Input(batch_shape=(8, 5, 2)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    x = np.random.default_rng(0).random((16, 5, 2)).astype("float32")
    distiller.fit(x, Y[:16], batch_size=8, verbose=0)
    np.testing.assert_array_equal(before, np.asarray(rnn.states[0]))


@pytest.mark.slow
def test_what_a_teacher_assigns_itself_is_put_back():
    class Counts(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.count.assign_add(1.0)
            return x

    counts = Counts()
    inputs = keras.Input((6,))
    teacher = keras.Model(inputs, keras.layers.Dense(3)(counts(inputs)))
    before = float(counts.count)
    distiller = kd.Distiller(network(), teacher)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.fit(X, Y, verbose=0)
    assert float(counts.count) == before


def ema(teacher, student):
    teacher.set_weights(
        [0.9 * t + 0.1 * s for t, s in zip(*map(weights_of, (teacher, student)), strict=True)]
    )


def load(teacher, student):
    teacher.load_weights("other.weights.h5")


def train(teacher, student):
    teacher.train_on_batch(X[:16], Y[:16])


@pytest.mark.parametrize("act", rest_slow({"ema": ema, "load": load, "train": train}, "ema"))
def test_what_a_callback_does_to_the_teacher_stays_as_without_a_distiller(act, tmp_path, monkeypatch):
    """The oracle is a second teacher, of plain Keras, to which the same is done at the same time."""
    monkeypatch.chdir(tmp_path)
    other, teacher, student = network(), network(), network()
    other.set_weights([weight + 1 for weight in other.get_weights()])
    other.save_weights("other.weights.h5")
    alone = keras.models.clone_model(teacher)
    alone.set_weights(teacher.get_weights())
    for model in (teacher, alone):
        model.layers[-2].seed_generator.state.assign([5, 0])
        if act is train:
            model.compile("adam", loss=cross_entropy(), run_eagerly=True)

    class Act(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            act(teacher, student)
            act(alone, student)

    distiller = kd.Distiller(student, teacher)
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    before = weights_of(teacher)
    distiller.fit(X, Y, epochs=2, verbose=0, callbacks=[Act()])
    assert distance(weights_of(alone), weights_of(teacher)) == 0
    moved = [not np.array_equal(*pair) for pair in zip(before, weights_of(teacher), strict=True)]
    assert all(moved)  # moving averages and variances, too


@pytest.mark.slow
def test_a_stateful_teacher_goes_on_from_batch_to_batch_and_each_fit_starts_anew():
    inputs = keras.Input(batch_shape=(8, 5, 2))
    teacher = keras.Model(inputs, layers.Dense(3)(layers.GRU(4, stateful=True)(inputs)))
    x = RANDOM.normal(size=(24, 5, 2)).astype("float32")
    logits = teacher.predict(x, batch_size=8, verbose=0)  # which goes on, too
    teacher.layers[1].reset_state()
    student = keras.Sequential([keras.Input((5, 2)), layers.Flatten(), layers.Dense(3)])
    distiller = kd.Distiller(student, teacher, [kd.losses.LogitsMSE()])
    distiller.compile(keras.optimizers.SGD(0.0))
    wanted = np.mean((logits - student.predict(x, verbose=0)) ** 2)
    for _ in range(2):
        history = distiller.fit(x, batch_size=8, shuffle=False, verbose=0).history
        np.testing.assert_allclose(history["loss"], wanted, rtol=1e-5)
