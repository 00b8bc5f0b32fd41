"""A loss whose `from_logits` contradicts what the student ends in."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.distillation.logit_checks import warn_of_misread_outputs
from keras_kd.distillation.model_pair import ModelPair
from keras_kd.signals.batches import Batch
from tests.distillation.conftest import (
    CLASSES,
    VECTORS,
    as_set,
    cross_entropy,
    distance,
    perceptron,
    weights_of,
)

layers, losses = keras.layers, keras.losses
BATCH = Batch(tf.constant(VECTORS), tf.constant(CLASSES))


def ending(*last, policy=None, inputs=None):
    """A model with these layers at its end, after one that gives negative numbers, too."""
    inputs = keras.Input((4,)) if inputs is None else inputs
    x = layers.Dense(3, dtype=policy)(inputs)
    for layer in last:
        x = layer(x)
    return keras.Model(inputs, x, name="small")


def nested(*last):
    inputs = keras.Input((4,))
    return keras.Model(inputs, ending(*last)(layers.Dense(4)(inputs)), name="small")


def two_outputs(kind):
    inputs = keras.Input((4,))
    a, b = layers.Dense(3, "softmax", name="a")(inputs), layers.Dense(1, name="b")(inputs)
    return keras.Model(inputs, {"a": a, "b": b} if kind is dict else [a, b], name="small")


def experts():
    """Gates times probabilities: a distribution that comes from a product of matrices."""
    inputs = keras.Input((4,))
    each = layers.Reshape((2, 3))(layers.Concatenate()([layers.Dense(3, "softmax")(inputs) for _ in "ab"]))
    mixed = layers.Dot(1)([layers.Dense(2, "softmax")(inputs), each])
    return keras.Model(inputs, mixed, name="small")


class Subclassed(keras.Model):
    def __init__(self, activation):
        super().__init__(name="small")
        self.head = layers.Dense(3, activation)

    def call(self, x):
        return self.head(x)


def softmax(**options):
    return layers.Activation("softmax", **options)


def sparse(from_logits, **options):
    return losses.SparseCategoricalCrossentropy(from_logits=from_logits, **options)


TWICE = r"'small' ends in a softmax.*\(from_logits=False\)\.$"
CLIPPED = r"The student 'small' gives -\d.*takes probabilities.*pass keras.losses.{}\(from_logits=True\)"
SPARSE = CLIPPED.format("SparseCategoricalCrossentropy")
WRONG = {
    "softmax": (lambda: ending(softmax()), sparse(True), TWICE),
    "a layer": (lambda: ending(layers.Softmax()), sparse(True), TWICE),
    "nested": (lambda: nested(softmax()), losses.CategoricalCrossentropy(from_logits=True), TWICE),
    "half precision": (
        lambda: ending(softmax(dtype="mixed_float16"), policy="mixed_float16"),
        sparse(True),
        TWICE,
    ),
    "sequential": (
        lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3, "softmax")], name="small"),
        sparse(True, name="hard"),
        TWICE,
    ),
    "subclassed": (lambda: Subclassed("softmax"), sparse(True), TWICE),
    "sigmoid": (
        lambda: ending(layers.Activation("sigmoid")),
        losses.BinaryCrossentropy(from_logits=True),
        r"ends in a sigmoid.*Pass keras.losses.BinaryCrossentropy\(from_logits=False\)",
    ),
    "focal": (
        lambda: ending(softmax()),
        losses.CategoricalFocalCrossentropy(from_logits=True),
        r"keras.losses.CategoricalFocalCrossentropy\(from_logits=False\)",
    ),
    "one of two outputs": (
        lambda: two_outputs(dict),
        {"a": sparse(True), "b": "mse"},
        "The output 'a' of the student 'small' ends in a softmax",
    ),
    "one of a list, by name": (
        lambda: two_outputs(list),
        {"a": sparse(True), "b": "mse"},
        "The output '0' of the student 'small' ends in a softmax",
    ),
    "logits, object": (ending, sparse(False), SPARSE),
    "logits, name": (ending, "sparse_categorical_crossentropy", SPARSE),
    "logits, function": (ending, losses.categorical_crossentropy, CLIPPED.format("CategoricalCrossentropy")),
    "logits, binary": (ending, "binary_crossentropy", CLIPPED.format("BinaryCrossentropy")),
    "logits, suited to the labels": (ending, "crossentropy", SPARSE + ", or the one that the labels are for"),
    "logits, list of one": (ending, ["sparse_categorical_crossentropy"], SPARSE),
    "logits, subclassed": (lambda: Subclassed(None), sparse(False), SPARSE),
    "logits, half precision": (lambda: ending(policy="mixed_float16"), sparse(False), SPARSE),
}
RIGHT = {
    "logits": (ending, sparse(True)),
    "softmax": (lambda: ending(softmax()), sparse(False)),
    "named layers": (
        lambda: ending(layers.Activation("linear"), softmax()),
        "sparse_categorical_crossentropy",
    ),
    "scaled probabilities": (lambda: ending(softmax(), layers.Rescaling(0.5)), "categorical_crossentropy"),
    "scaled logits": (lambda: ending(layers.Rescaling(0.5)), sparse(True)),
    "sigmoid": (lambda: ending(layers.Activation("sigmoid")), "binary_crossentropy"),
    "smoothed": (lambda: ending(softmax()), losses.CategoricalCrossentropy(label_smoothing=0.1)),
    "focal": (lambda: ending(softmax()), losses.CategoricalFocalCrossentropy()),
    "hinge": (ending, "categorical_hinge"),
    "squares of probabilities": (lambda: ending(softmax()), "mse"),
    "the user's own": (lambda: ending(softmax()), lambda y, p: keras.ops.mean(p, -1)),
    "positive evidence": (lambda: ending(layers.Activation("softplus")), "categorical_crossentropy"),
    "experts": (experts, "sparse_categorical_crossentropy"),
    "a hidden sum": (lambda: ending(layers.Lambda(lambda x: keras.ops.exp(x))), "categorical_crossentropy"),
    "two outputs": (lambda: two_outputs(list), ["sparse_categorical_crossentropy", "mse"]),
    "only the other output": (lambda: two_outputs(dict), {"b": "mse"}),
    "none": (ending, None),
}


def check(make, loss):
    student = make()
    warn_of_misread_outputs(loss, ModelPair(student, student), {}, BATCH)


@pytest.mark.parametrize(("make", "loss", "message"), WRONG.values(), ids=WRONG)
def test_a_contradiction(make, loss, message):
    with pytest.warns(UserWarning, match=message) as told:
        check(make, loss)
    assert len(told) == 1


@pytest.mark.parametrize(("make", "loss"), RIGHT.values(), ids=RIGHT)
def test_no_contradiction(make, loss):
    check(make, loss)  # warnings are errors


class Noise(layers.Layer):
    """Draws random numbers in every pass."""

    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, x):
        return x + 0.1 * keras.random.normal(keras.ops.shape(x), seed=self.seeds)


def test_looking_at_a_student_leaves_it_as_it_was():
    noise = Noise()
    student = ending(noise)
    before = np.array(noise.seeds.state)
    with pytest.warns(UserWarning, match="takes probabilities"):
        check(lambda: student, sparse(False))
    np.testing.assert_array_equal(noise.seeds.state, before)


@pytest.mark.parametrize("how", ["fit", "train_on_batch"])
def test_told_before_the_first_step(how):
    distiller = kd.Distiller(perceptron(4, "small"), perceptron(8))
    distiller.compile("sgd", loss="sparse_categorical_crossentropy", run_eagerly=True)
    before = weights_of(distiller)
    with pytest.raises(UserWarning, match="takes probabilities"):  # warnings are errors
        getattr(distiller, how)(VECTORS, CLASSES)
    assert distance(before, weights_of(distiller)) == 0


def test_told_once():
    distiller = kd.Distiller(perceptron(4, "small"), perceptron(8))
    distiller.compile("sgd", loss="sparse_categorical_crossentropy", run_eagerly=True)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        distiller.fit(as_set(VECTORS, CLASSES), epochs=2, verbose=0)
    assert [str(one.message)[:19] for one in told if "probabilities" in str(one.message)] == [
        "The student 'small'"
    ]


def test_where_keras_misses_the_softmax_it_is_applied_twice():
    """Which is what the warning says; where Keras finds the logits behind it, it trains on them."""
    found = {}
    for policy in ("float32", "mixed_float16"):
        student = ending(softmax(dtype=policy), policy=policy)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras's own
            student.compile(loss=cross_entropy(), run_eagerly=True)
            value = student.evaluate(VECTORS, CLASSES, verbose=0)
        p = np.asarray(student(VECTORS), "float64")
        once = -np.log(p[np.arange(24), CLASSES]).mean()
        twice = np.log(np.exp(p).sum(-1)).mean() - p[np.arange(24), CLASSES].mean()
        found[policy] = np.argmin([abs(value - once), abs(value - twice)])
    assert found == {"float32": 0, "mixed_float16": 1}


def test_a_student_of_tf_keras():
    student = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3)], name="small")
    distiller = kd.tfmot.Distiller(student, perceptron(8))
    distiller.compile("sgd", loss="sparse_categorical_crossentropy", run_eagerly=True)
    with pytest.warns(
        UserWarning, match=r"pass tf_keras.losses.SparseCategoricalCrossentropy\(from_logits=True"
    ):
        distiller.train_on_batch(VECTORS, CLASSES)
