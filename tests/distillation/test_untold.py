"""Models that tell nothing of themselves: what a check does not know, it does not refuse."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.distillation import data_checks, label_checks, model_checks, model_inputs
from keras_kd.signals import batches, tracing
from keras_kd.signals.taps import Taps
from keras_kd.tfmot import checks as tfmot_checks
from keras_kd.training import preserved_state
from tests.distillation.conftest import CLASSES, VECTORS, cross_entropy, distance, weights_of
from tests.selection import rest_slow

Pair = collections.namedtuple("Pair", "p q")
INPUTS = {
    "one": VECTORS,
    "dict": {"p": VECTORS, "q": VECTORS + 1},
    "list": [VECTORS, VECTORS + 1],
    "tuple": (VECTORS, VECTORS + 1),
    "named": Pair(VECTORS, VECTORS + 1),
    "nested": {"both": [VECTORS, {"q": VECTORS + 1}]},
}


def subclass(library):
    class Untold(library.Model):
        """Takes tensors in any structure."""

        def __init__(self):
            super().__init__()
            self.body, self.head = library.layers.Dense(4), library.layers.Dense(3)

        def call(self, inputs, training=None):
            return self.head(sum(self.body(part) for part in keras.tree.flatten(inputs)))

    return Untold


Untold, UntoldTf = subclass(keras), subclass(tf_keras)


class Owner(Untold):
    """Has attributes that Keras's functional models have too."""

    def __init__(self):
        super().__init__()
        self.inputs, self.outputs = ["p", "q"], 3


def called(model, x=VECTORS):
    model(keras.tree.map_structure(tf.constant, x))
    return model


def called_on_symbols():
    """Twice, so that it has no single input."""
    model = Untold()
    for _ in range(2):
        model(keras.Input((4,)))
    return model


def deferred(library):
    return library.Sequential([library.layers.Dense(3)])


MODELS = {
    "not built": Untold,
    "built": lambda: called(Untold()),
    "built on a dict": lambda: called(Untold(), INPUTS["dict"]),
    "called on symbols": called_on_symbols,
    "inputs of its own": lambda: called(Owner()),
    "sequential, not built": lambda: deferred(keras),
    "sequential, built": lambda: called(deferred(keras)),
    "tf_keras, not built": UntoldTf,
    "tf_keras, built": lambda: called(UntoldTf()),
    "tf_keras, sequential, not built": lambda: deferred(tf_keras),
}
CHECKS = {
    "check_inputs": lambda model, x: data_checks.check_inputs(model, x),
    "check_arrays": lambda model, x: data_checks.check_arrays(data_checks.find_arrays({"x": x})),
    "check_labels": lambda model, x: label_checks.check_labels(CLASSES, model, cross_entropy()),
    "check_loss": lambda model, x: label_checks.check_loss(cross_entropy(), CLASSES, model),
    "check_loss by name": lambda model, x: label_checks.check_loss({"a": "mse"}, {"a": CLASSES}, model),
    "check_sharing": lambda model, x: model_checks.check_sharing(model, Untold()),
    "check_own_training": lambda model, x: model_checks.check_own_training(model),
    "take_inputs": lambda model, x: model_inputs.take_inputs(model, x),
    "take_teacher_inputs": lambda model, x: model_inputs.take_teacher_inputs(model, x, x),
    "awaits_data": lambda model, x: model_inputs.awaits_data(model, model),
    "input_spec": lambda model, x: tracing.input_spec(model),
    "tap_names": lambda model, x: kd.tap_names(model),
    "Taps": lambda model, x: Taps(model, ["output"]),
    "find_specs, require_ranks": lambda model, x: batches.require_ranks(
        batches.Batch(*batches.find_specs(x, None))
    ),
    "recurrent_states": lambda model, x: preserved_state.recurrent_states(model),
    "find_pruned_layers": lambda model, x: tfmot_checks.find_pruned_layers(model),
}


@pytest.fixture(scope="module")
def models():
    return [make() for make in MODELS.values()]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_check_passes_over_what_it_does_not_know(check, models):
    for model in models:
        for x in INPUTS.values():
            check(model, x)


def test_a_check_that_needs_to_know_says_so():
    with pytest.raises(ValueError, match="is not built, so it has no weights yet"):
        kd.sparsity(Untold())
    with pytest.raises(ValueError, match="are not known before it sees data"):
        kd.pair_taps(called(Untold()), called(Untold()))
    with pytest.raises(TypeError, match="The student must be a tf_keras"):
        kd.tfmot.Distiller(Owner())


TRAINED = {
    "dict": ("not built", INPUTS["dict"]),
    "named tuple": ("built", INPUTS["named"]),
    "nested": ("not built", INPUTS["nested"]),
    "inputs of its own": ("inputs of its own", INPUTS["list"]),
}


@pytest.mark.parametrize(
    ("kind", "x"),
    rest_slow(TRAINED, "dict"),
)
def test_a_student_with_structured_inputs_trains_as_in_keras(kind, x):
    """Without a weight on the objective, it is plain Keras to the last bit, however the data comes."""
    results = []
    for distil in (False, True):
        keras.utils.set_random_seed(0)
        student, teacher = called(MODELS[kind](), x), called(Untold(), x)
        model = kd.Distiller(student, teacher, [kd.Objective("mse", weight=0.0)]) if distil else student
        model.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), run_eagerly=True)
        model.train_on_batch(x, CLASSES)
        model.fit(x, CLASSES, batch_size=12, shuffle=False, verbose=0)
        results.append((weights_of(student), model.predict(x, verbose=0)))
    (plain, predicted), (ours, of_ours) = results
    assert distance(plain, ours) == 0
    np.testing.assert_array_equal(predicted, of_ours)


@pytest.mark.parametrize("kind", ["not built", pytest.param("built on a dict", marks=pytest.mark.slow)])
def test_in_a_data_set_and_with_signals_that_come_with_it(kind):
    x = INPUTS["dict"]
    taught = kd.Taught(x, {"output": np.zeros((24, 3), "float32")})
    distiller = kd.Distiller(MODELS[kind]())
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices((taught, CLASSES)).batch(12)
    distiller.fit(data, validation_data=data, verbose=0)
    distiller.train_on_batch(taught, CLASSES)
    assert distiller.predict(data, verbose=0).shape == (24, 3)


@pytest.mark.parametrize(
    "kind", ["tf_keras, not built", pytest.param("tf_keras, sequential, not built", marks=pytest.mark.slow)]
)
def test_with_tf_keras(kind):
    x = VECTORS if "sequential" in kind else INPUTS["tuple"]
    distiller = kd.tfmot.Distiller(MODELS[kind](), called(Untold(), x))
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    distiller.compile("sgd", loss=loss, run_eagerly=True)
    distiller.fit(x, CLASSES, batch_size=12, verbose=0)
    assert distiller.predict(x, verbose=0).shape == (24, 3)


class Unranked(keras.Model):
    """Ends in a function of NumPy, which hides how many axes there are."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(3)

    def call(self, x):
        return tf.numpy_function(lambda values: values, [self.head(x)], tf.float32)


def test_a_signal_of_unknown_rank_is_named():
    distiller = kd.Distiller(Untold(), called(Unranked()))
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(ValueError, match=r"'output' of 'unranked.*unknown number of axes.*tf.ensure_shape"):
        distiller.fit(VECTORS, CLASSES, verbose=0)


@pytest.mark.parametrize(
    ("which", "part"),
    [("x", "`x`"), ("y", "`y`"), ("w", "`sample_weight`"), ("s", r"`Taught.signals\['output'\]`")],
)
def test_a_part_of_the_data_of_unknown_rank_is_named(which, part):
    """Plain Keras trains on none of these either, and names neither part nor remedy."""

    def hide(x, y, w):
        parts = {"x": x, "y": y, "w": w, "s": x[:, :3]}
        parts[which] = tf.numpy_function(lambda values: values, [parts[which]], parts[which].dtype)
        x = kd.Taught(parts["x"], {"output": parts["s"]}) if which == "s" else parts["x"]
        return x, parts["y"], parts["w"]

    data = tf.data.Dataset.from_tensor_slices((VECTORS, CLASSES, np.ones(24, "float32"))).batch(8).map(hide)
    distiller = kd.Distiller(Untold(), None if which == "s" else called(Untold()))
    distiller.compile("sgd", loss=cross_entropy())
    with pytest.raises(
        ValueError, match=f"{part} of the data has an unknown number of axes.*tf.ensure_shape"
    ):
        distiller.fit(data, verbose=0)


def upsampler(width):
    """Reads in Python how large its inputs are, which it leaves free."""
    layers = [keras.layers.UpSampling2D(interpolation="bilinear"), keras.layers.Conv2D(width, 1, name="c")]
    return keras.Sequential([keras.Input((None, None, 3)), *layers])


def branching():
    """Reads values in Python, so that it runs only eagerly; counts its calls."""

    class Branching(keras.Model):
        def __init__(self):
            super().__init__()
            self.body = keras.layers.Dense(4, name="body")
            self.head = keras.layers.Dense(3)
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1.0)
            return self.head(self.body(x if float(keras.ops.max(x)) < 1e9 else 0 * x))

    return called(Branching())


IMAGES = np.random.default_rng(0).random((8, 5, 6, 3)).astype("float32")


@pytest.mark.parametrize(
    ("student", "teacher"),
    rest_slow({"both": (upsampler, upsampler), "teacher": (None, upsampler)}, "both"),
)
def test_models_that_read_free_sizes_train_once_there_is_data(student, teacher):
    pixels = keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.UpSampling2D(), keras.layers.Conv2D(3, 1, name="c")]
    )
    hint = kd.Objective("mse", student="c", teacher="c", project=True)
    distiller = kd.Distiller(student(3) if student else pixels, teacher(4), [hint])
    distiller.compile("sgd", run_eagerly=True)
    logs = distiller.fit(IMAGES, epochs=2, batch_size=8, verbose=0).history
    assert logs["mse_c"][1] < logs["mse_c"][0]


def test_taps_of_models_that_read_free_sizes():
    assert kd.tap_names(upsampler(3))[1:] == ["c"]
    with pytest.raises(ValueError, match=r"cannot be traced: .* build it with fixed ones to find pairs"):
        kd.pair_taps(upsampler(3), upsampler(3))
    with pytest.raises(ValueError, match="'d'"):  # what is wrong in any case is told at once
        kd.Distiller(upsampler(3), upsampler(4), [kd.Objective("mse", student="d", teacher="c")])


@pytest.mark.parametrize("kind", rest_slow(["student", "teacher", "both"], "both"))
def test_models_that_only_run_eagerly(kind):
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="body"), keras.layers.Dense(3)])
    student = branching() if kind != "teacher" else plain
    teacher = branching() if kind != "student" else keras.models.clone_model(plain)
    body = kd.Objective("mse", student="body", teacher="body", project=True)
    distiller = kd.Distiller(student, teacher, [kd.losses.SoftTargets(), body])
    before = [np.array(weight) for weight in teacher.weights]
    distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
    logs = distiller.fit(VECTORS, CLASSES, epochs=2, batch_size=24, verbose=0).history
    assert logs["loss"][1] < logs["loss"][0]
    for then, now in zip(before, teacher.weights, strict=True):
        np.testing.assert_array_equal(then, now)  # its count, too
