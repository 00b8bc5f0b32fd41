"""A teacher that knows nothing and a student that has collapsed, told by their answers."""

import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.distillation.answers import Answers
from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.tapped import Tapped
from keras_kd.signals.batches import Batch
from keras_kd.signals.tracing import SignalSpec
from tests.distillation.conftest import cross_entropy
from tests.selection import rest_slow

CLASSES = 4
RANDOM = np.random.default_rng(0)
Y = RANDOM.integers(0, CLASSES, 1000)
X = (np.eye(CLASSES)[Y] + 0.1 * RANDOM.normal(size=(1000, CLASSES))).astype("float32")
GOOD = np.eye(CLASSES)[Y] + RANDOM.normal(size=(1000, CLASSES))  # right for three of four
CHANCE = RANDOM.normal(size=(1000, CLASSES))
ONE = np.eye(CLASSES)[np.ones(1000, int)]
RARE = np.where(np.arange(1000) % 10, 0, Y)  # nine of ten are of class 0

OF_TEACHER = (
    r"The teacher 'big' gives the label of 2\d\.\d % of the 1,000 samples of epoch 1, hardly more than "
    r"guesses would, and class \d alone would be right for 2\d\.\d %: there is next to nothing to learn\. "
    "Is it trained"
)
OF_STUDENT = (
    r"The student 'small' gives nearly all samples of a batch the same class, 100.0 % of those in the 125 "
    "batches of epoch {} whose labels differ: it has collapsed"
)


def linear(name, kernel=None, classes=CLASSES, policy=None):
    """A model that answers with the inputs times a matrix."""
    inputs = keras.Input((CLASSES,))
    model = keras.Model(inputs, keras.layers.Dense(classes, name="head", dtype=policy)(inputs), name=name)
    if kernel is not None:
        model.get_layer("head").set_weights([kernel, np.zeros(classes)])
    return model


def dead(policy=None):
    """A student whose hidden units are zero for all inputs, so that its outputs are the same for all."""
    inputs = keras.Input((CLASSES,))
    below = keras.initializers.Constant(-100.0)
    hidden = keras.layers.Dense(4, "relu", bias_initializer=below, dtype=policy)(inputs)
    return keras.Model(inputs, keras.layers.Dense(CLASSES, dtype=policy)(hidden), name="small")


GOOD_KERNEL, USELESS = 5 * np.eye(CLASSES), np.ones((CLASSES, CLASSES))


def told(run):
    """What it warned of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        run()
    return [text for one in found if re.match("The (teacher|data|student)", text := str(one.message))]


# ---- what is judged, without training


def answered(
    student=GOOD,
    teacher=GOOD,
    labels=Y,
    loss=None,
    objectives=None,
    weights=None,
    epochs=3,
    samples=1000,
    precomputed=False,
    logs=None,
    between=lambda teacher: None,
):
    """What is said of models that give these scores, in batches of eight."""
    model = None if precomputed else linear("big")
    answers = Answers(linear("small"), model)
    spec = SignalSpec((None, teacher.shape[-1]), "float32", None)
    signals = Signals({"output": SignalSpec((None, student.shape[-1]), "float32", None)}, {"output": spec})
    answers.prepare(loss or cross_entropy(), signals, objectives or [kd.Objective("mse")], labels[:8])
    weights = np.ones(1000, "float32") if weights is None else weights

    @tf.function(autograph=False)
    def count(labels, weights, student, teacher):
        answers.count(Batch(None, labels, weights), student, Tapped({"output": teacher}, {}, {}))

    def run():
        answers.restart()
        for epoch in range(epochs):
            for start in range(0, samples, 8):
                rows = slice(start, start + 8)
                count(*(tf.constant(each[rows]) for each in (labels, weights, student, teacher)))
            between(model)
            answers.end_epoch(epoch, logs)

    return told(run)


def soft(share):
    """Labels mixed with those of other samples."""
    one_hot = np.eye(CLASSES)[Y]
    return share * one_hot + (1 - share) * np.roll(one_hot, 1, axis=0)


def train(teacher):
    teacher.get_layer("head").kernel.assign_add(np.full((CLASSES, CLASSES), 1e-3))


SORTED = np.sort(Y)
# Of each batch, seven samples are of one class, and the student gives it to the eighth, too.
BLOCKS = np.where(np.arange(1000) % 8, np.arange(1000) // 8, np.arange(1000) // 8 + 1) % CLASSES
BLOCKED = np.eye(CLASSES)[np.arange(1000) // 8 % CLASSES]
# Right for four of five samples of either class; always answering class 0 would be for nine of ten.
RARE_OF_2 = (np.arange(1000) % 10 == 0).astype(int)
WEIGHTED = np.eye(CLASSES)[RARE_OF_2 ^ (RANDOM.random(1000) < 0.2)]
TO_CATEGORICAL = keras.losses.CategoricalCrossentropy(from_logits=True)
SILENT = {
    "both good": {},
    "few samples": {"teacher": CHANCE, "student": ONE, "samples": 192},
    "few labels": {"teacher": CHANCE, "student": ONE, "weights": (np.arange(1000) < 150).astype("float32")},
    "mostly one class": {"labels": RARE, "teacher": np.eye(CLASSES)[RARE], "student": ONE},
    "mostly one class, by a teacher that finds the rare": {"labels": RARE_OF_2, "teacher": WEIGHTED},
    "batches of mostly one class": {"labels": BLOCKS, "teacher": np.eye(CLASSES)[BLOCKS], "student": BLOCKED},
    "sorted by class": {"labels": SORTED, "teacher": np.eye(CLASSES)[SORTED], "student": ONE},
    "mixed labels": {"labels": soft(0.6), "loss": TO_CATEGORICAL},
    "several labels": {
        "labels": np.ones((1000, 4)),
        "loss": TO_CATEGORICAL,
        "teacher": CHANCE,
        "student": ONE,
    },
    "no classes": {"labels": CHANCE, "loss": "mse", "teacher": CHANCE, "student": ONE},
    "the user's own loss": {"loss": lambda y, p: p, "teacher": CHANCE, "student": ONE},
    "a teacher of more classes": {"teacher": RANDOM.normal(size=(1000, 9))},
    "classes in another order": {
        "teacher": np.roll(GOOD, 1, -1),
        "objectives": [kd.Objective("mse", project_teacher=kd.projections.ClassSubset([1, 2, 3, 0]))],
    },
    "hidden layers": {"teacher": CHANCE, "objectives": [kd.Objective("mse", student="head", teacher="head")]},
    "a teacher that learns, too": {"teacher": CHANCE, "between": train},
    "losses that are not finite": {"teacher": CHANCE, "student": ONE, "logs": {"loss": np.nan}},
    "the first epoch of a student": {"student": ONE, "epochs": 1},
    "the first steps of a student": {"student": ONE, "epochs": 2, "samples": 320},
}


@pytest.mark.parametrize("case", SILENT.values(), ids=SILENT)
def test_nothing_is_said(case):
    assert answered(**case) == []


SAID = {
    "a teacher by chance": ({"teacher": CHANCE}, [OF_TEACHER]),
    "of one class": ({"teacher": ONE}, [OF_TEACHER]),
    "in another order": ({"teacher": np.roll(GOOD, 1, -1)}, ["there is next to nothing to learn"]),
    "signals that come with the data": (
        {"teacher": GOOD[::-1], "precomputed": True},
        ["The data's teacher signals give the label of .* Are they of the same samples"],
    ),
    "one-hot labels": ({"labels": soft(1.0), "loss": TO_CATEGORICAL, "teacher": CHANCE}, [OF_TEACHER]),
    "named losses": ({"loss": "crossentropy", "teacher": CHANCE}, [OF_TEACHER]),
    "mostly one class, and never it": (
        {"labels": RARE, "teacher": ONE},
        [r"class 0 alone would be right for 92\.\d %"],
    ),
    "a student": ({"student": ONE}, [OF_STUDENT.format(2)]),
    "a student, after some steps": (
        {"student": ONE, "samples": 320, "epochs": 5},
        ["100.0 % of those in the 40 batches of epoch 4"],
    ),
    "a student that gives another class to five of a thousand": (
        {"student": np.where(np.arange(1000)[:, None] % 200, ONE, ONE[:, ::-1])},
        ["99.5 % of those in the 125 batches of epoch 2"],
    ),
    "both": ({"student": ONE, "teacher": CHANCE}, [OF_TEACHER, OF_STUDENT.format(2)]),
}


@pytest.mark.parametrize(("case", "messages"), SAID.values(), ids=SAID)
def test_what_is_said_once(case, messages):
    found = answered(**case)
    assert len(found) == len(messages), found
    for sentence, message in zip(found, messages, strict=True):
        assert re.search(message, sentence), sentence


# ---- in training


def trained(student, teacher, epochs=2, x=X, kind=kd.Distiller, **options):
    distiller = kind(student, teacher)
    distiller.compile("sgd", loss=options.pop("loss", None) or cross_entropy(), **options)
    distiller.fit(x, Y, batch_size=8, epochs=epochs, verbose=0)
    return distiller


class Own(kd.Distiller):
    """A step of the user's own around ours."""

    def train_step(self, data):
        return super().train_step(data)


class Other(kd.Distiller):
    """A step of the user's own in place of ours."""

    def train_step(self, data):
        return keras.Model.train_step(self, data)


WAYS = {
    "as by default": {},
    "eager": {"run_eagerly": True},
    "XLA": {"jit_compile": True},
    "no XLA": {"jit_compile": False},
    "several steps at a time": {"steps_per_execution": 10},
    "a step around ours": {"kind": Own},
}


@pytest.mark.parametrize("options", rest_slow({name: [way] for name, way in WAYS.items()}, "as by default"))
def test_a_useless_teacher_and_a_dead_student(options):
    [options] = options
    found = told(lambda: trained(dead(), linear("big", USELESS), **options))
    assert len(found) == 2
    assert re.search(OF_TEACHER, found[0])
    assert re.search(OF_STUDENT.format(2), found[1])


def test_good_models_and_a_step_that_counts_nothing():
    trained(linear("small"), linear("big", GOOD_KERNEL))  # warnings are errors
    trained(dead(), linear("big", USELESS), kind=Other, epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    trained(linear("small", policy=policy), linear("big", GOOD_KERNEL, policy=policy))
    found = told(lambda: trained(dead(policy), linear("big", USELESS, policy=policy)))
    assert len(found) == 2


def test_once_for_each_teacher():
    """Also where `fit` is called for each epoch, and a teacher is replaced."""
    distiller = kd.Distiller(dead(), linear("big", USELESS))
    distiller.compile("sgd", loss=cross_entropy())

    def run(epochs):
        return lambda: [distiller.fit(X, Y, batch_size=8, verbose=0) for _ in range(epochs)]

    assert [sentence[:11] for sentence in told(run(2))] == ["The teacher", "The student"]
    assert told(run(1)) == []
    distiller.teacher = linear("other", USELESS)
    assert [sentence[:19] for sentence in told(run(1))] == ["The teacher 'other'"]


def test_what_others_trained_on_does_not_count():
    distiller = kd.Distiller(linear("small"), linear("big", GOOD_KERNEL))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    for start in range(0, 1000, 100):  # with labels that the teacher does not know
        distiller.train_on_batch(X[start : start + 100], (Y[start : start + 100] + 1) % CLASSES)
    distiller.fit(X[:240], Y[:240], verbose=0)


def test_a_loss_that_comes_or_goes():
    distiller = kd.Distiller(linear("small"), linear("big", USELESS))
    for loss, labels, said in ((cross_entropy(), Y, 1), ("mse", X, 0), (cross_entropy(), Y, 0)):
        distiller.compile("sgd", loss=loss, run_eagerly=True)
        assert len(told(lambda y=labels: distiller.fit(X, y, batch_size=100, verbose=0))) == said


def test_nothing_is_added_to_the_model_or_its_files(tmp_path):
    distiller = kd.Distiller(linear("small"), linear("big", GOOD_KERNEL))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    names, metrics = [v.path for v in distiller.variables], [m.name for m in distiller.metrics]
    distiller.fit(X[:240], Y[:240], verbose=0)
    assert distiller._answers._counts is not None
    # Of SGD: the steps and the rate. What was there stays as it was.
    added = [v.path for v in distiller.variables if v.path not in names]
    assert all(path.startswith(("sgd/", "iteration", "learning_rate")) for path in added), added
    assert [m.name for m in distiller.metrics] == metrics
    distiller.save(tmp_path / "distiller.keras")
    loaded = keras.models.load_model(tmp_path / "distiller.keras")
    assert len(loaded.get_weights()) == len(distiller.get_weights())
    checkpoint = tf.train.Checkpoint(model=distiller).save(str(tmp_path / "checkpoint"))
    stored = {tuple(shape) for _, shape in tf.train.list_variables(checkpoint)}
    assert tuple(distiller._answers._counts._variable.shape) not in stored


ZERO = {
    "alpha": ({"alpha": 0.0}, None),
    "loss_weights": ({}, 0.0),
    "of outputs": ({"objectives": [kd.Objective("mse")]}, [0.0]),
}


@pytest.mark.parametrize(
    "kind", [kd.Distiller, pytest.param(kd.tfmot.Distiller, marks=pytest.mark.slow)], ids=["keras", "tfmot"]
)
@pytest.mark.parametrize(("options", "weights"), ZERO.values(), ids=ZERO)
def test_labels_that_are_not_used_may_be_anything(kind, options, weights):
    layers = keras if kind is kd.Distiller else tf_keras
    student = layers.Sequential([layers.Input((CLASSES,)), layers.layers.Dense(CLASSES)])
    distiller = kind(student, linear("big", GOOD_KERNEL), **options)
    loss = layers.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("sgd", loss=loss, loss_weights=weights, run_eagerly=True)
    distiller.fit(X, RANDOM.permutation(Y), batch_size=100, verbose=0)  # warnings are errors


@pytest.mark.slow
def test_a_distiller_of_tf_keras():
    layers = tf_keras.layers
    below = tf_keras.initializers.Constant(-100.0)
    hidden = layers.Dense(4, "relu", bias_initializer=below)
    student = tf_keras.Sequential([layers.Input((CLASSES,)), hidden, layers.Dense(CLASSES)], name="small")
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = told(
        lambda: trained(student, linear("big", USELESS), kind=kd.tfmot.Distiller, loss=loss, epochs=3)
    )
    assert len(found) == 2
    assert re.search(OF_TEACHER, found[0])
    assert re.search(OF_STUDENT.format(2), found[1])
