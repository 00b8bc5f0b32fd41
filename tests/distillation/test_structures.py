"""Models and layers of every build, as students and as teachers."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import cross_entropy, distance, weights_of

layers, ops = keras.layers, keras.ops
RANDOM = np.random.default_rng(0)
A = RANDOM.normal(size=(24, 3)).astype("float32")
Y = RANDOM.integers(0, 3, 24)


@keras.saving.register_keras_serializable("test_structures")
class Block(layers.Layer):
    """A layer with layers, a weight and a call that takes more than inputs."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense, self.norm = layers.Dense(units, "relu"), layers.BatchNormalization()

    def build(self, shape):
        self.dense.build(shape)
        self.norm.build((*shape[:-1], self.units))
        self.gain = self.add_weight(shape=(self.units,), initializer="ones", name="gain")

    def call(self, x, shift=0.0, training=None):
        return self.gain * self.norm(self.dense(x), training=training) + shift


class Net(keras.Model):
    """A subclassed model that keeps layers in a list, a dict and an attribute."""

    def __init__(self, units):
        super().__init__()
        self.blocks = [Block(units), Block(units)]
        self.by_name = {"deep": layers.Dense(units, "relu", name="deep")}
        self.head = layers.Dense(3)

    def call(self, x, training=None):
        for block in self.blocks:
            x = block(x, shift=0.5, training=training)
        return self.head(self.by_name["deep"](x))


class Bare(keras.Model):
    """A model whose `call` does not ask whether it trains."""

    def __init__(self, units):
        super().__init__()
        self.hidden, self.head = layers.Dense(units, name="hidden"), layers.Dense(3)

    def call(self, x):
        return self.head(self.hidden(x))


class Extended(keras.Model):
    """A functional model with a class of its own, and a method that Keras does not know."""

    def __init__(self, units):
        inputs = keras.Input((3,))
        hidden = layers.Dense(units, "relu", name="hidden")(inputs)
        super().__init__(inputs, layers.Dense(3)(hidden))

    def count(self):
        return len(self.weights)


def functional(middle, head=3):
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Dense(head)(middle(inputs)))


def nested(units):
    inner = keras.Sequential(
        [keras.Input((3,)), layers.Dense(units, name="deep"), layers.Dropout(0.2)], name="inner"
    )
    outer = keras.Model(inner.inputs, inner(inner.inputs[0]), name="outer")
    return functional(outer)


def siamese(units):
    """One layer in two branches."""
    stem = layers.Dense(units, "relu", name="stem")
    return functional(lambda x: layers.Concatenate(name="both")([stem(x), stem(-x)]))


def wrapped(units):
    return functional(layers.SpectralNormalization(layers.Dense(units, name="inside"), name="wrapper"))


# How to make a model, and what is tapped of it.
MODELS = {
    "custom layer, inside of it": (
        lambda units: functional(Block(units, name="block")),
        "block",
        "block/norm",
    ),
    "subclassed, a list": (Net, "blocks/1"),
    "subclassed, inside a list, a dict": (Net, "blocks/0/dense", "deep"),
    "no training argument": (Bare, "hidden"),
    "a class of its own": (Extended, "hidden"),
    "nested twice, a whole nested model": (nested, "outer/inner/deep", "outer"),
    "shared, second call": (siamese, "stem:1"),
    "wrapper": (wrapped, "wrapper"),
}
RUN_FAST = ("no training argument",)


def cases(table, fast):
    return [
        pytest.param(row, id=name, marks=() if name in fast else pytest.mark.slow)
        for name, row in table.items()
    ]


@pytest.mark.parametrize("row", cases(MODELS, RUN_FAST))
def test_any_model_teaches_any_other(row):
    """Student and teacher are both of this kind, of different widths; only the student learns."""
    make, *taps = row
    student, teacher = make(4), make(8)
    teacher(A)
    of_teacher = weights_of(teacher)
    features = [
        kd.Objective("mse", student=tap, teacher=tap, project=True, name=f"feature{i}")
        for i, tap in enumerate(taps)
    ]
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), *features])
    distiller.compile(keras.optimizers.Adam(0.01), loss=cross_entropy())
    logs = distiller.fit(A, Y, epochs=4, batch_size=8, shuffle=False, verbose=0).history
    assert all(logs[feature.name][-1] < logs[feature.name][0] for feature in features)
    assert distance(of_teacher, weights_of(teacher)) == 0
    assert isinstance(student.predict(A, verbose=0), np.ndarray)  # and it is a model by itself


def test_teacher_and_student_may_be_of_different_kinds():
    teacher, student = Net(8), siamese(4)
    teacher(A)
    tap = kd.Objective("mse", student="both", teacher="blocks/1")
    distiller = kd.Distiller(student, teacher, [tap, "mse"])
    distiller.compile("sgd")
    expected = np.mean((both(student) - np.asarray(after_blocks(teacher))) ** 2)
    assert distiller.train_on_batch(A, return_dict=True)["mse_both"] == pytest.approx(expected, rel=1e-5)


def both(student):
    return np.asarray(keras.Model(student.input, student.get_layer("both").output)(A))


def after_blocks(net):
    x = A
    for block in net.blocks:
        x = block(x, shift=0.5, training=False)
    return x


def test_layers_that_teacher_and_student_share():
    """The stem is the student's too, so it learns; gradients reach it through the student alone."""
    stem = layers.Dense(4, "relu", activity_regularizer="l2", name="stem")
    inputs = keras.Input((3,))
    shared, own = stem(inputs), layers.Dense(3)
    teacher = keras.Model(inputs, layers.Dense(3)(shared))
    student = keras.Model(inputs, own(shared))
    outputs = np.asarray(teacher(A, training=False))

    with pytest.warns(UserWarning, match="2 weights that the teacher shares"):
        distiller = kd.Distiller(student, teacher, [kd.Objective("mse", name="soft")])
    distiller.compile(keras.optimizers.SGD(0.1))
    before, of_stem = weights_of(student), stem.get_weights()
    distiller.train_on_batch(A)
    learnt, of_teacher = weights_of(student), teacher.layers[-1].get_weights()

    student.set_weights(before)
    student.compile(keras.optimizers.SGD(0.1), loss="mse")
    student.train_on_batch(A, outputs)
    for ours, plain in zip(learnt, weights_of(student), strict=True):
        np.testing.assert_allclose(ours, plain, atol=1e-6)
    assert distance(of_stem, learnt[:2]) > 0
    assert distance(of_teacher, teacher.layers[-1].get_weights()) == 0
    assert stem.trainable


@pytest.mark.slow
def test_a_student_learns_from_its_own_earlier_self():
    """Born again: each generation is taught by a copy of the one before, which no longer moves."""
    student = Net(4)
    student(A)
    distiller = kd.Distiller(student)
    for _ in range(2):
        earlier = Net(4)
        earlier(A)
        earlier.set_weights(student.get_weights())
        distiller.teacher = earlier
        distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy())
        of_teacher = weights_of(earlier)
        distiller.fit(A, Y, verbose=0)
        assert distance(of_teacher, weights_of(earlier)) == 0
        assert distance(of_teacher, weights_of(student)) > 0
