"""With objectives of weight zero, the Distiller trains the student as plain Keras does, bit for bit.

One table of ways to train. What does not depend on each other, such as an optimizer, data and a student,
stands in one row, because each row traces two trainings. They start from the same seeds: the student by
itself, and in a Distiller. Every weight, every variable of the optimizer and every figure in the logs must be
equal.
"""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from tests.distillation.conftest import cross_entropy

layers, optimizers = keras.layers, keras.optimizers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 6)).astype("float32")
Y = RANDOM.integers(0, 3, 48)
TOKENS = RANDOM.integers(0, 9, (48, 5))
WEIGHTS = RANDOM.random(48).astype("float32")
TOKEN_WEIGHTS = RANDOM.random((48, 5)).astype("float32")


def network(units=4, head=None, added=None):
    """BatchNorm, dropout and a regulariser: all that has a state, a draw or a loss of its own."""
    inputs = keras.Input((6,))
    x = layers.Dense(units, kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = added(x) if added else x
    return keras.Model(inputs, (head or layers.Dense(3))(layers.Dropout(0.3)(x)))


class Penalty(layers.Layer):
    def call(self, x):
        self.add_loss(0.1 * keras.ops.mean(x**2))
        return x


def partly_frozen():
    model = network()
    model.layers[1].trainable = False
    return model


def of_tokens(layer):
    inputs = keras.Input((5,), dtype="int32")
    embedded = layers.Embedding(9, 4, mask_zero=True)(inputs)
    return keras.Model(inputs, layers.Dense(3)(layer(embedded)))


def subclassed():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.Sequential([layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.3)])
            self.head = layers.Dense(3, activity_regularizer="l2")

        def call(self, x, training=None):
            return self.head(self.inner(x, training=training))

    return Net()


def two_outputs(second):
    inputs = keras.Input((6,))
    x = layers.Dropout(0.3)(layers.BatchNormalization()(layers.Dense(4)(inputs)))
    return keras.Model(inputs, {"a": layers.Dense(3, name="a")(x), "b": second(x)})


def sgd(**options):
    return lambda: {"optimizer": optimizers.SGD(0.1, **options)}


def batches(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48, seed=1).batch(8)


def generator(x, y):
    for start in range(0, 480, 8):
        yield x[start % 48 :][:8], y[start % 48 :][:8]


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return X[8 * index :][:8], Y[8 * index :][:8], WEIGHTS[8 * index :][:8]


def way(compile=dict, make=network, fit=None, data=lambda: {"x": X, "y": Y}, policy="float32"):
    """How to compile, the student, the other arguments of `fit`, its data, and the policy of the student."""
    return compile, make, fit or {}, data, policy


TWO = {"x": X, "y": {"a": Y, "b": Y[:, None].astype("float32")}}
FAST = {
    "metrics, clipped by the global norm": way(
        lambda: {
            "optimizer": optimizers.SGD(0.1, global_clipnorm=0.01),
            "metrics": ["accuracy", keras.metrics.SparseTopKCategoricalAccuracy(2)],
            "weighted_metrics": ["accuracy"],
        },
        fit={"sample_weight": WEIGHTS, "validation_split": 0.25},
    ),
}
SLOW = {
    "eager, an output without a loss": way(
        lambda: {"run_eagerly": True, "loss": {"a": cross_entropy(), "b": None}},
        make=lambda: two_outputs(layers.Identity()),
        data=lambda: TWO,
    ),
    "momentum, a data set, activity": way(
        sgd(momentum=0.9, nesterov=True),
        make=lambda: network(head=layers.Dense(3, activity_regularizer="l1")),
        data=lambda: {"x": batches(X, Y)},
        fit={"batch_size": None},
    ),
    "average of weights, now and then, class weights, noise": way(
        sgd(use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=4),
        make=lambda: network(added=layers.GaussianNoise(0.5)),
        fit={"class_weight": {0: 1.0, 1: 0.1, 2: 3.0}},
    ),
    "average of weights, at the end, a generator, partly frozen": way(
        sgd(use_ema=True, ema_momentum=0.5),
        make=partly_frozen,
        data=lambda: {"x": generator(X, Y)},
        fit={"batch_size": None, "steps_per_epoch": 6},
    ),
    "accumulated gradients, weights in a sequence, add_loss": way(
        sgd(gradient_accumulation_steps=3),
        make=lambda: network(added=Penalty()),
        data=lambda: {"x": Sequence()},
        fit={"batch_size": None},
    ),
    "clipped by the norm, shuffled arrays, spectral": way(
        sgd(clipnorm=0.01),
        make=lambda: network(added=layers.SpectralNormalization(layers.Dense(4))),
        fit={"shuffle": True},
    ),
    "clipped by value, later epochs, subclassed, built by fit": way(
        sgd(clipvalue=0.001), make=subclassed, fit={"initial_epoch": 2, "epochs": 4}
    ),
    "several steps at a time, compiled by XLA": way(lambda: {"jit_compile": True, "steps_per_execution": 3}),
    "several steps at a time, validation data": way(
        lambda: {"steps_per_execution": 3, "metrics": ["accuracy"]},
        fit={
            "validation_data": (X[:9], Y[:9], WEIGHTS[:9]),
            "validation_freq": 2,
            "validation_batch_size": 4,
        },
    ),
    "weight decay, a weighted loss, recurrent, masked": way(
        lambda: {"optimizer": optimizers.AdamW(0.01, weight_decay=0.1), "loss_weights": 0.3},
        make=lambda: of_tokens(layers.LSTM(4, dropout=0.2, recurrent_dropout=0.2)),
        data=lambda: {"x": TOKENS, "y": Y},
    ),
    "a schedule, a masked output": way(
        lambda: {
            "optimizer": optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 12, warmup_steps=3)),
            "metrics": ["accuracy"],
            "weighted_metrics": ["accuracy"],
        },
        make=lambda: of_tokens(layers.Dropout(0.3)),
        data=lambda: {"x": TOKENS, "y": TOKENS % 3},
    ),
    "lion by name, two outputs": way(
        lambda: {
            "optimizer": "lion",
            "loss": {"a": cross_entropy(), "b": "mse"},
            "loss_weights": {"a": 0.3, "b": 2.0},
            "metrics": {"a": ["accuracy"], "b": ["mae"]},
            "weighted_metrics": {"b": ["mae"]},
        },
        make=lambda: two_outputs(layers.Dense(1)),
        data=lambda: TWO | {"sample_weight": {"a": WEIGHTS, "b": 1 - WEIGHTS}},
    ),
    "bfloat16, weights for tokens": way(
        lambda: {"weighted_metrics": ["accuracy"]},
        make=lambda: of_tokens(layers.Dropout(0.3)),
        data=lambda: {"x": TOKENS, "y": TOKENS % 3, "sample_weight": TOKEN_WEIGHTS},
        policy="mixed_bfloat16",
    ),
    "half precision, clipped and accumulated": way(
        sgd(gradient_accumulation_steps=2, clipnorm=0.1), policy="mixed_float16"
    ),
    "a loss scale that overflows": way(
        lambda: {"optimizer": optimizers.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=2.0**60)},
        policy="mixed_float16",
    ),
    "a loss in double precision": way(
        lambda: {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")}
    ),
    "add_loss alone, no labels": way(
        lambda: {"loss": None},
        make=lambda: network(head=layers.Activation("tanh"), added=Penalty()),
        data=lambda: {"x": X},
    ),
}
WAYS = [
    *(pytest.param(row, id=name) for name, row in FAST.items()),
    *(pytest.param(row, id=name, marks=pytest.mark.slow) for name, row in SLOW.items()),
]


@contextlib.contextmanager
def precision(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def objectives(student):
    outputs = getattr(student, "output", None)
    tap = "output/a" if isinstance(outputs, dict) else "output"
    return [kd.Objective(kd.losses.SoftTargets(4.0), student=tap, teacher=tap, weight=0.0, name="zero")]


def train(way, distil):
    """The numbers that training leaves behind: weights, state of the optimizer, logs."""
    compile, make, fit, data, policy = way
    keras.utils.set_random_seed(1)
    with precision(policy):
        student = make()
    model = student
    if distil:
        teacher = make()
        if not teacher.built:
            teacher(X)
        model = kd.Distiller(student, teacher, objectives(student))
    keras.utils.set_random_seed(2)
    model.compile(**{"optimizer": optimizers.Adam(0.01), "loss": cross_entropy(), **compile()})
    options = {"batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0, **data(), **fit}
    history = model.fit(**{name: value for name, value in options.items() if value is not None}).history
    weights = [np.array(w) for w in student.weights]
    return weights, [np.array(v) for v in model.optimizer.variables], history


def compare(way):
    weights, slots, logs = train(way, distil=False)
    our_weights, our_slots, our_logs = train(way, distil=True)
    for plain, ours in zip(weights + slots, our_weights + our_slots, strict=True):
        np.testing.assert_array_equal(plain, ours)
        assert plain.dtype == ours.dtype
    assert {name: our_logs[name] for name in logs} == logs
    assert set(our_logs) - set(logs) <= {"zero", "student_loss"}


@pytest.mark.parametrize("way", WAYS)
def test_training_is_that_of_the_student(way):
    compare(way)


@pytest.mark.slow
def test_training_in_double_precision():
    keras.config.set_floatx("float64")
    try:
        compare(way(policy="float64"))
    finally:
        keras.config.set_floatx("float32")
