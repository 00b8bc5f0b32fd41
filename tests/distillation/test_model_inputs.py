"""A student and a teacher that read different parts of the data."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.distillation.model_inputs import (
    awaits_data,
    can_run,
    check_keys,
    explain_misfit,
    have_same_parts,
    named_specs,
    require_student_inputs,
    take_inputs,
    take_teacher_inputs,
)
from tests.distillation.conftest import cross_entropy, predictions
from tests.oracles.logits import kl

RANDOM = np.random.default_rng(0)
SMALL = RANDOM.random((12, 4, 4, 1)).astype("float32")
LARGE = RANDOM.random((12, 8, 8, 1)).astype("float32")
Y = RANDOM.integers(0, 3, 12)
X = {"id": np.arange(12), "large": LARGE, "small": SMALL}


def image_model(size, name=None, library=keras, key=None):
    """A linear classifier of square images, whose input has a name, or a key in a dictionary."""
    inputs = library.Input((size, size, 1), name=name)
    outputs = library.layers.Dense(3)(library.layers.Flatten()(inputs))
    return library.Model({key: inputs} if key else inputs, outputs)


class Reads(keras.Model):
    """A subclassed model, which reads one part of its inputs, or all of them."""

    def __init__(self, key=None):
        super().__init__()
        self.key, self.flat, self.head = key, keras.layers.Flatten(), keras.layers.Dense(3)

    def call(self, x):
        return self.head(self.flat(x if self.key is None else x[self.key]))


def reads_keys(model):
    return type(model) is Reads or isinstance(getattr(model, "input", None), dict)


def built(model, x):
    model(x)
    return model


def sequential(size):
    return keras.Sequential(
        [keras.Input((size, size, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name=f"images{size}"
    )


def select_large(x):
    return x["large"]


# A student, a teacher, and what else a Distiller is told.
PAIRS = {
    "both by the names of their inputs": lambda: (image_model(4, "small"), image_model(8, "large"), {}),
    "both by keys": lambda: (image_model(4, "small", key="small"), image_model(8, "large", key="large"), {}),
    "the teacher by a function": lambda: (
        image_model(4, "small"),
        sequential(8),
        {"teacher_preprocess": select_large},
    ),
    "both are told": lambda: (
        sequential(4),
        sequential(8),
        {"student_inputs": "small", "teacher_preprocess": select_large},
    ),
    "subclassed, in need of all": lambda: (
        Reads("small"),
        built(Reads("large"), {"large": LARGE}),
        {},
    ),
    "subclassed and built, with a functional teacher": lambda: (
        built(Reads("small"), {"small": SMALL}),
        image_model(8, "large"),
        {},
    ),
    "functional, with a subclassed teacher": lambda: (
        image_model(4, "small"),
        built(Reads("large"), {"large": LARGE}),
        {},
    ),
}


FAST = (
    "both by the names of their inputs",
    "functional, with a subclassed teacher",
)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(pair, id=name, marks=() if name in FAST else pytest.mark.slow)
        for name, pair in PAIRS.items()
    ],
)
def test_each_model_takes_its_own_part(make):
    """By NumPy: the divergence of what the student says of small images and the teacher of large ones."""
    student, teacher, options = make()
    distiller = kd.Distiller(student, teacher, temperature=2.0, alpha=0.0, **options)
    distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy(), run_eagerly=True)
    logs = distiller.fit(X, Y, batch_size=12, verbose=0).history
    of_student = distiller.predict(X, verbose=0)
    of_teacher = predictions(teacher, {"large": LARGE} if reads_keys(teacher) else LARGE)
    expected = kl(2.0)(of_teacher, of_student.astype("float64")).mean()
    np.testing.assert_allclose(logs["soft_targets"][0], expected, rtol=1e-4)
    alone = predictions(student, {"small": SMALL} if reads_keys(student) else SMALL)
    np.testing.assert_allclose(of_student, alone, rtol=1e-5)
    hard = cross_entropy()(Y, alone)
    assert distiller.evaluate(X, Y, verbose=0) == pytest.approx(float(hard), rel=1e-5)
    assert distiller.test_on_batch(X, Y) == pytest.approx(float(hard), rel=1e-5)
    assert distiller.train_on_batch(X, Y)[0] == pytest.approx(expected, rel=1e-4)


def test_an_objective_reads_a_part_of_the_data_that_the_student_does_not_take():
    """By NumPy, with a teacher of the same inputs, so that the models are connected before there is data."""
    target = RANDOM.random((12, 3)).astype("float32")
    of_data = kd.Objective("mse", teacher="input/target", name="of_data")
    student = image_model(4, "small")
    distiller = kd.Distiller(student, image_model(4, "small"), ["mse", of_data])
    distiller.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    logs = distiller.train_on_batch(X | {"target": target}, return_dict=True)
    expected = ((predictions(student, SMALL) - target) ** 2).mean()
    np.testing.assert_allclose(logs["of_data"], expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"No tap 'input/target': the data has \['input/id'"):
        distiller.fit(X, verbose=0)


@pytest.mark.slow
def test_in_a_compiled_step_on_a_data_set():
    distiller = kd.Distiller(image_model(4, "small"), image_model(8, "large"))
    distiller.compile("sgd", loss=cross_entropy(), metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices((X, Y)).batch(6)
    logs = distiller.fit(data, validation_data=data, verbose=0).history
    assert {"accuracy", "val_accuracy"} <= logs.keys()
    assert distiller.predict(data, verbose=0).shape == (12, 3)


@pytest.mark.slow
def test_by_position_and_in_a_structure():
    """A tuple has positions for keys; a dictionary of keys gives the parts other names."""
    a, b = keras.Input((4, 4, 1), name="a"), keras.Input((), name="b", dtype="int64")
    numbers = keras.layers.Reshape((1,))(keras.ops.cast(b, "float32"))
    both = keras.layers.Concatenate()([keras.layers.Flatten()(a), numbers])
    student = keras.Model({"a": a, "b": b}, keras.layers.Dense(3)(both))
    for x, keys in ((X, {"a": "small", "b": "id"}), ((LARGE, (SMALL, X["id"])), {"a": "1/0", "b": "1/1"})):
        distiller = kd.Distiller(
            student,
            sequential(8),
            student_inputs=keys,
            teacher_preprocess=lambda x: x["large"] if isinstance(x, dict) else x[0],
        )
        distiller.compile(keras.optimizers.SGD(0.0), loss=cross_entropy(), run_eagerly=True)
        distiller.train_on_batch(x, Y)
        expected = predictions(student, {"a": SMALL, "b": X["id"]})
        np.testing.assert_allclose(distiller.predict(x, verbose=0), expected, rtol=1e-5)
        own = {"a": SMALL, "b": X["id"]}  # without the rest
        np.testing.assert_allclose(distiller.predict(own, verbose=0), expected, rtol=1e-5)


@pytest.mark.slow
def test_signals_that_come_with_inputs_of_which_the_student_takes_some():
    distiller = kd.Distiller(image_model(4, "small"))
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    distiller.fit(kd.Taught(X, {"output": np.zeros((12, 3), "float32")}), Y, verbose=0)
    assert distiller.predict(X, verbose=0).shape == (12, 3)


@pytest.mark.slow
def test_with_tf_keras():
    teacher = image_model(8, "large")
    student = image_model(4, None, tf_keras)
    distiller = kd.tfmot.Distiller(student, teacher, temperature=2.0, student_inputs="small")
    hard = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile(tf_keras.optimizers.SGD(0.0), loss=hard, run_eagerly=True)
    logs = distiller.fit(X, Y, batch_size=12, verbose=0).history
    expected = kl(2.0)(predictions(teacher, LARGE), predictions(student, SMALL)).mean()
    np.testing.assert_allclose(logs["soft_targets"][0], expected, rtol=1e-4)
    np.testing.assert_allclose(distiller.predict(X, verbose=0), student(SMALL), rtol=1e-5)


def test_student_inputs_are_saved_and_fixed(tmp_path):
    distiller = kd.Distiller(sequential(4), student_inputs=["small"])
    distiller.save(tmp_path / "d.keras")
    assert keras.models.load_model(tmp_path / "d.keras").student_inputs == ["small"]
    with pytest.raises(AttributeError, match="`student_inputs` is fixed"):
        distiller.student_inputs = "large"


MISTAKES = {
    "a student of another name": (
        lambda: (image_model(4, "smell"), image_model(8, "large"), {}),
        r"takes 'smell', and `x` holds \['small', .*\]. Did you mean 'small'\? .*student_inputs='small'",
    ),
    "a student of another name, and a function": (
        lambda: (image_model(4, "foo"), sequential(8), {"teacher_preprocess": select_large}),
        r"takes 'foo', and `x` holds \['small', .*\]. `kd.Distiller\(student_inputs='small'\)` would say",
    ),
    "no such key": (
        lambda: (
            sequential(4),
            sequential(8),
            {"student_inputs": "smal", "teacher_preprocess": select_large},
        ),
        r"'images4' takes 'smal' of the data .* `x` holds \['small', 'large', 'id'\]. Did you mean 'small'",
    ),
    "a name that the data does not have": (
        lambda: (image_model(4, "small"), image_model(8, "lrage"), {}),
        r"Its input 'lrage' is not in `x`, which holds \[.*\]. Did you mean 'large'\? Give a `teacher_prep",
    ),
    "a function that reads another key": (
        lambda: (image_model(4, "small"), sequential(8), {"teacher_preprocess": lambda x: x["huge"]}),
        r"`teacher_preprocess` \(.*<lambda>\) raised KeyError: 'huge'. It received .*'large': '\(None, 8,",
    ),
    "a function that returns something else": (
        lambda: (image_model(4, "small"), sequential(8), {"teacher_preprocess": lambda x: x["small"]}),
        r"'images8' cannot take what `teacher_preprocess` returns \(\(None, 4, 4, 1\) float32\)",
    ),
}


@pytest.mark.parametrize(("make", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told_before_the_first_step(make, message):
    student, teacher, options = make()
    distiller = kd.Distiller(student, teacher, **options)
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match=message):
        distiller.fit({name: X[name] for name in ("small", "large", "id")}, Y, verbose=0)
    assert int(distiller.optimizer.iterations) == 0


def test_keys_are_names_and_positions():
    assert check_keys({"a": ["b", 0]}) == {"a": ["b", 0]}
    with pytest.raises(TypeError, match="`student_inputs` is the key of `x`"):
        kd.Distiller(sequential(4), student_inputs=select_large)


def test_take_inputs_leaves_alone_what_does_not_hold_more():
    model = image_model(4, "small")
    assert take_inputs(model, SMALL) is SMALL
    assert take_inputs(model, X) is SMALL
    assert take_inputs(model, {"small": SMALL}) is SMALL  # Keras does so too, and warns
    exact = {"small": SMALL}
    assert take_inputs(image_model(4, "small", key="small"), exact) is exact
    assert take_inputs(sequential(4), X) is X
    assert take_inputs(Reads(), X) is X
    assert take_inputs(Reads(), SMALL, "small") is SMALL
    assert take_inputs(Reads(), (SMALL, LARGE), 1) is LARGE
    assert take_inputs(Reads(), {"pair": [SMALL, LARGE]}, "pair") == [SMALL, LARGE]


def test_a_teacher_without_names_takes_what_the_student_takes():
    assert take_teacher_inputs(image_model(8, "large"), X, SMALL) is LARGE
    assert take_teacher_inputs(sequential(4), X, SMALL) is SMALL
    assert take_teacher_inputs(Reads("large"), X, SMALL) is X


def test_what_is_known_of_models_before_there_is_data():
    assert named_specs(image_model(4, "small")) == {"small": tf.TensorSpec((None, 4, 4, 1), "float32")}
    assert named_specs(Reads()) == {}
    assert awaits_data(image_model(8, "large"), image_model(4, "small"))
    assert awaits_data(Reads(), image_model(4, "small"))
    assert not awaits_data(sequential(8), sequential(4))
    spec = tf.TensorSpec((None, 4, 4, 1), "float32")
    assert can_run(Reads(), spec)
    assert not can_run(Reads("small"), spec)
    assert have_same_parts({"a": 1}, {"a": spec})
    assert not have_same_parts({"a": 1}, spec)


def test_explain_misfit_without_a_preprocess():
    error = explain_misfit(sequential(8), SMALL, SMALL, False, ValueError("wrong."))
    assert str(error) == (
        "The teacher 'images8' cannot take the student's inputs ((12, 4, 4, 1) float32): wrong. Give a "
        "`teacher_preprocess` that selects, resizes or converts `x`."
    )


class First(keras.Sequential):
    """Takes a part of a dictionary, whatever it was built with."""

    def call(self, x, training=None, mask=None):
        return super().call(x["a"], training=training)


def test_a_call_of_ones_own_takes_what_it_likes():
    model = First([keras.Input((4,), name="c"), keras.layers.Dense(3)])
    require_student_inputs(model, {"a": 1})
    assert take_inputs(model, {"a": 1, "c": 2}) == {"a": 1, "c": 2}
    one, two = keras.Input((4,), name="q"), keras.Input((4,), name="r")
    nested = keras.Model({"p": {"q": one}, "r": two}, keras.layers.Add()([one, two]))
    require_student_inputs(nested, {"a": 1, "b": 2})  # Keras goes by their order


def test_a_student_without_named_inputs_says_which_keys_there_are():
    model = keras.Model(one := keras.Input((4,)), keras.layers.Dense(3)(one))
    with pytest.raises(ValueError, match=r"`x` holds \['a', 'b'\]\. `kd\.Distiller\(student_inputs='a'\)`"):
        require_student_inputs(model, {"a": 1, "b": 2})
