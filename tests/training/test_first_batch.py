"""What would spoil a student is refused before the first step, and looking costs the data nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.training.first_batch import validate_first
from tests.distillation.conftest import convnet, cross_entropy, distance, weights_of


def mlp(width, name="net"):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(width, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(3, name="head")(x), name=name)


X = np.random.default_rng(0).random((24, 4)).astype("float32")
Y = np.random.default_rng(1).integers(0, 3, 24)


def sick(layer="head", weight="bias"):
    teacher = mlp(8, "big")
    variable = getattr(teacher.get_layer(layer), weight)
    variable.assign(np.full(variable.shape, np.nan))
    return teacher


def as_set(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(8)


def as_generator(x, y):
    while True:
        yield x[:8], y[:8]


def as_generator_with_none(x, y):
    while True:
        yield x[:8], y[:8], None


FORMS = {
    "arrays": lambda x, y: {"x": x, "y": y},
    "set": lambda x, y: {"x": as_set(x, y)},
    "generator": lambda x, y: {"x": as_generator(x, y), "steps_per_epoch": 2},
    "generator with None": lambda x, y: {"x": as_generator_with_none(x, y), "steps_per_epoch": 2},
}


def check_refused(distiller, message, **data):
    before = weights_of(distiller.student)
    for _ in range(2):  # a cell of a notebook is run twice
        with pytest.raises(ValueError, match=message):
            distiller.fit(**data, verbose=0)
    assert distance(before, weights_of(distiller.student)) == 0
    assert int(distiller.optimizer.iterations) == 0


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_teacher_that_returns_nan_is_named(form):
    distiller = kd.Distiller(mlp(4), sick())
    distiller.compile("sgd", loss=cross_entropy())
    check_refused(distiller, "The teacher 'big': 'output' holds NaN or infinity", **form(X, Y))


def test_a_single_batch_is_looked_at():
    distiller = kd.Distiller(mlp(4), sick())
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match="The teacher 'big': 'output' holds NaN"):
        distiller.train_on_batch(X, Y)
    distiller.make_train_function()
    check_refused(distiller, "The teacher 'big': 'output' holds NaN", x=X, y=Y)


def test_a_feature_that_is_nan_is_named():
    objective = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
    distiller = kd.Distiller(mlp(4), sick("hidden"), [objective])
    distiller.compile("sgd", loss=cross_entropy())
    check_refused(distiller, "The teacher 'big': 'hidden' holds NaN or infinity", x=X, y=Y)


def test_signals_of_the_data_that_are_nan_are_named():
    distiller = kd.Distiller(mlp(4))
    distiller.compile("sgd", loss=cross_entropy())
    taught = kd.Taught(tf.constant(X), {"output": tf.fill((24, 3), np.nan)})
    check_refused(distiller, "The data's teacher signals: 'output' holds NaN", x=as_set(taught, Y))


@pytest.mark.parametrize("form", [FORMS["set"], FORMS["generator"]], ids=["set", "generator"])
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y + 5, r"`y` holds the label [5-7], and the student has 3 classes, 0 to 2"),
        (np.where(X > 0.9, np.nan, X), Y, "The data holds NaN or infinity: .* in the first batch"),
    ],
)
def test_data_that_is_known_only_when_it_runs(form, x, y, message):
    distiller = kd.Distiller(mlp(4), mlp(8))
    distiller.compile("sgd", loss=cross_entropy())
    check_refused(distiller, message, **form(x, y))


one_hot = np.eye(3, dtype="float32")[Y]
LOSSES = {
    "one-hot, sparse": (cross_entropy(), one_hot, r"reads labels \(None,\).*CategoricalCrossentropy"),
    "sparse, one-hot": ("categorical_crossentropy", Y, "For integer labels use Sparse"),
    "broadcast": ("mse", Y.astype("float32"), r"reads labels \(None, 3\), and the data has \(None,\)"),
    "a class": (keras.losses.BinaryCrossentropy, Y[:, None], "binary_crossentropy.*does not match"),
    "no labels": (cross_entropy(), None, "needs labels, and the data has none"),
}


@pytest.mark.parametrize(("loss", "labels", "message"), LOSSES.values(), ids=LOSSES)
def test_a_compiled_loss_that_does_not_match_the_outputs(loss, labels, message):
    distiller = kd.Distiller(mlp(4, "small"), mlp(8))
    distiller.compile("sgd", loss=loss)
    check_refused(distiller, message, x=X, y=labels)


def two_heads():
    inputs = keras.Input((4,))
    outputs = {"kind": keras.layers.Dense(3, name="kind")(inputs), "size": keras.layers.Dense(1)(inputs)}
    return keras.Model(inputs, outputs)


def test_one_of_several_losses_does_not_match():
    distiller = kd.Distiller(
        two_heads(), two_heads(), [kd.Objective("mse", student="output/size", teacher="output/size")]
    )
    distiller.compile("sgd", loss={"kind": cross_entropy(), "size": "mse"})
    check_refused(
        distiller,
        r"mean_squared_error.*\(None, 1\), and the data has \(None, 3\)",
        x=X,
        y={"kind": Y, "size": one_hot},
    )


def test_labels_that_metrics_miss():
    distiller = kd.Distiller(mlp(4), mlp(8), [kd.losses.SoftTargets()])
    distiller.compile("sgd", metrics=["accuracy"])
    check_refused(distiller, r"compile\(metrics=...\) needs labels", x=X)


def test_losses_that_keras_names_by_the_shape_of_the_output():
    distiller = kd.Distiller(mlp(4, "net"), mlp(8))
    distiller.compile("sgd", loss="crossentropy")
    distiller.fit(X, one_hot, verbose=0)


def test_labels_that_an_objective_misses():
    distiller = kd.Distiller(
        mlp(4), mlp(8), [kd.Objective(kd.losses.DecoupledKD(), teacher=("output", "labels"))]
    )
    distiller.compile("sgd")
    check_refused(distiller, "'labels' is read by an objective, and the data has no labels", x=X)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        ("mse", np.ones((24, 3))),
        (
            lambda y, p: keras.ops.mean((p - keras.ops.cast(y, p.dtype)) ** 2, -1),
            np.ones((24, 1)),
        ),  # the user's own
        (keras.losses.CategoricalCrossentropy(from_logits=True), one_hot),
        (cross_entropy(), Y[:, None]),
    ],
)
def test_what_matches_or_cannot_be_known_is_trained(loss, labels):
    distiller = kd.Distiller(mlp(4), mlp(8))
    distiller.compile("sgd", loss=loss)
    assert np.isfinite(distiller.fit(X, labels, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("steps", [1, 2])
def test_no_batch_is_lost_or_seen_twice(steps):
    """In the order of the data, which another iterator would have changed."""
    seen = []

    def rows(iterator):
        taken = [int(batch) for _, batch in zip(range(steps), iterator, strict=False)]
        if not taken:
            raise StopIteration
        seen.extend(taken)

    def data():
        return tf.data.Dataset.range(7).shuffle(7, seed=1)

    looked = []
    iterator = iter(data())
    validate_first(iterator, rows, looked.append, steps)
    while len(seen) < 7:
        rows(iterator)
    assert seen == [int(row) for row in data()]
    assert [int(row) for row in looked] == seen[:1]
    with pytest.raises(StopIteration):
        validate_first(iterator, rows, looked.append, steps)


def test_looking_is_done_once_and_traces_nothing():
    teacher, runs = mlp(8), []

    class Counted(keras.layers.Layer):
        def call(self, x):
            runs.append(tf.executing_eagerly())
            return x

    inputs = keras.Input((4,))
    teacher = keras.Model(inputs, keras.layers.Dense(3)(Counted()(inputs)))
    distiller = kd.Distiller(mlp(4), teacher)
    distiller.compile("sgd", loss=cross_entropy())
    runs.clear()
    distiller.fit(as_set(X, Y), epochs=3, verbose=0)
    assert runs.count(True) == 1  # the look
    assert runs.count(False) == 1  # the trace of the step
    distiller.fit(as_set(X, Y), verbose=0)
    assert (runs.count(True), runs.count(False)) == (1, 1)
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(as_set(X, Y), verbose=0)
    assert (runs.count(True), runs.count(False)) == (2, 2)


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
    distiller.compile("sgd", loss=cross_entropy())
    x = np.random.default_rng(0).random((16, 5, 2)).astype("float32")
    distiller.fit(x, Y[:16], batch_size=8, verbose=0)
    np.testing.assert_array_equal(before, np.asarray(rnn.states[0]))


def test_what_a_teacher_assigns_itself_is_put_back():
    class Counts(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.count.assign_add(1.0)
            return x

    counts = Counts()
    inputs = keras.Input((4,))
    teacher = keras.Model(inputs, keras.layers.Dense(3)(counts(inputs)))
    before = float(counts.count)
    distiller = kd.Distiller(mlp(4), teacher)
    distiller.compile("sgd", loss=cross_entropy())
    distiller.fit(X, Y, verbose=0)
    assert float(counts.count) == before


@pytest.mark.parametrize("method", ["train_step", "compute_loss"])
def test_a_training_of_the_students_own_is_announced(method):
    class Own(keras.Model):
        pass

    setattr(Own, method, lambda self, *args, **kwargs: None)
    getattr(Own, method).__module__ = __name__
    inputs = keras.Input((4,))
    student = Own(inputs, keras.layers.Dense(3)(inputs))
    with pytest.warns(UserWarning, match=f"The student's own '{method}' is not used"):
        kd.Distiller(student, mlp(8))


def test_a_shared_layer_that_is_trained_is_announced():
    teacher = convnet(4)
    student = keras.Model(teacher.input, keras.layers.Dense(10)(teacher.get_layer("pool").output))
    with pytest.warns(UserWarning, match="The student trains 4 weights that are the teacher's too"):
        kd.Distiller(student, teacher)
    for layer in student.layers[:-1]:
        layer.trainable = False
    kd.Distiller(student, teacher)  # frozen, nothing is to be said
