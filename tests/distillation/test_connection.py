"""Taps of both models, and what tracing tells of their signals."""

import keras
import numpy as np
import pytest

import keras_kd as kd
from tests.distillation.conftest import (
    convnet,
    cross_entropy,
    distance,
    mlp,
    one_step,
    predictions,
    weights_of,
)
from tests.oracles.logits import kl
from tests.selection import rest_slow
from tests.signals.models import TOKENS, attentive

HIDDEN_SOFTMAX = {
    "average": lambda x: keras.layers.Average()(
        [keras.layers.Dense(5, "softmax")(x), keras.layers.Dense(5, "softmax")(x)]
    ),
    "time distributed": lambda x: keras.layers.TimeDistributed(keras.layers.Dense(5, "softmax"))(x),
    "clipped": lambda x: keras.ops.clip(keras.layers.Dense(5, "softmax")(x), 1e-6, 1.0),
    "written out": lambda x: (lambda e: e / keras.ops.sum(e, -1, keepdims=True))(
        keras.ops.exp(keras.layers.Dense(5)(x))
    ),
}


@pytest.mark.parametrize("make", HIDDEN_SOFTMAX.values(), ids=HIDDEN_SOFTMAX)
def test_a_softmax_that_does_not_show_is_found(make):
    x = np.random.default_rng(0).normal(size=(8, 3, 4)).astype("float32")
    inputs = keras.Input((3, 4))
    teacher = keras.Model(inputs, make(inputs))
    student = keras.Model(inputs, keras.layers.Dense(5)(inputs))
    expected = kl(2.0)(np.log(predictions(teacher, x)), predictions(student, x)).mean()
    distiller = kd.Distiller(student, teacher, temperature=2.0)
    logs = one_step(distiller, x, np.zeros((8, 3), "int32"), loss=cross_entropy())
    np.testing.assert_allclose(logs["soft_targets"], expected, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["concatenate", "average", "clip", "time"])
def test_a_sigmoid_that_is_not_the_last_operation_is_undone(how):
    """By hand: KL of the binary distributions, whatever stands between the sigmoid and the output."""

    def model(width):
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(width, activation="tanh")(inputs)
        if how == "time":
            tokens = keras.layers.RepeatVector(2)(hidden)
            last = keras.layers.Dense(3, activation="sigmoid")
            return keras.Model(inputs, keras.layers.TimeDistributed(last)(tokens))
        heads = [keras.layers.Dense(3, activation="sigmoid")(hidden) for _ in range(2)]
        last = {
            "concatenate": lambda: keras.layers.Concatenate()(heads),
            "average": lambda: keras.layers.Average()(heads),
            "clip": lambda: keras.ops.clip(heads[0], 1e-4, 0.9999),
        }[how]
        return keras.Model(inputs, last())

    x, teacher, student = np.random.default_rng(0).normal(size=(8, 4)), model(8), model(4)
    value = one_step(kd.Distiller(student, teacher, [kd.losses.BinarySoftTargets(1.0)]), x)
    p, q = (m.predict(x, verbose=0).astype("float64") for m in (teacher, student))
    expected = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(-1).mean()
    np.testing.assert_allclose(value["binary_soft_targets"], expected, rtol=1e-4)
    with pytest.raises(ValueError, match="ends in a sigmoid"):
        kd.Distiller(student, teacher, [kd.losses.SoftTargets()])


@pytest.mark.slow
def test_subclassed_and_deferred_models(batch):
    x, y = batch

    class Net(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.hidden = keras.layers.Dense(units, "relu")
            self.head = keras.layers.Dense(10)

        def call(self, images):
            return self.head(self.hidden(keras.ops.reshape(images, (-1, 64))))

    teacher = Net(32)
    with pytest.raises(ValueError, match="has no weights yet"):
        kd.Distiller(Net(8), teacher)
    teacher(x)
    deferred = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(8, name="hidden")])
    deferred.add(keras.layers.Dense(10))
    for student in (Net(8), deferred):
        objectives = [
            kd.losses.SoftTargets(),
            kd.Objective("mse", student="hidden", teacher="hidden", project=True),
        ]
        distiller = kd.Distiller(student, teacher, objectives)
        distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
        logs = distiller.fit(x, y, epochs=2, batch_size=32, verbose=0).history
        assert logs["mse_hidden"][1] < logs["mse_hidden"][0]


def test_projections_of_a_subclassed_student_are_there_at_once(batch, tmp_path):
    x, y = batch

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.head = keras.layers.Dense(4), keras.layers.Dense(10)

        def call(self, images):
            return self.head(self.hidden(keras.ops.reshape(images, (-1, 64))))

    def made():
        student = Net()
        student(x)
        tap = kd.Objective("mse", student="hidden", teacher="hidden", project=True)
        distiller = kd.Distiller(student, mlp(8, "t"), [tap])
        distiller.compile("sgd", loss=cross_entropy(), run_eagerly=True)
        return distiller

    first, second = made(), made()
    first.train_on_batch(x, y)
    first.save_weights(tmp_path / "d.weights.h5")
    second.load_weights(tmp_path / "d.weights.h5")
    assert (
        distance(weights_of(first.objectives[0].projection), weights_of(second.objectives[0].projection)) == 0
    )


def test_weights_are_signals(batch):
    def kernels(teacher, student):
        (of_teacher, kernel), (of_student, own) = teacher, student
        difference = keras.ops.matmul(of_teacher, kernel) - keras.ops.matmul(of_student, own)
        return keras.ops.mean(difference**2, axis=-1)

    taps = ("pool", "head/kernel")
    teacher, student = convnet(16), convnet(4)
    distiller = kd.Distiller(student, teacher, [kd.Objective(kernels, student=taps, teacher=taps)])
    distiller.compile(keras.optimizers.SGD(0.1), loss=cross_entropy(), run_eagerly=True)
    before = [np.array(m.get_layer("head").kernel) for m in (teacher, student)]
    distiller.train_on_batch(*batch)
    after = [np.array(m.get_layer("head").kernel) for m in (teacher, student)]
    assert np.array_equal(before[0], after[0])
    assert np.abs(before[1] - after[1]).max() > 0


def test_a_weight_that_does_not_exist_is_no_tap():
    with pytest.raises(ValueError, match="No tap 'head/kernal'"):
        kd.Distiller(convnet(4), convnet(16), [kd.Objective("mse", student="head/kernal", teacher="pool")])


def test_parts_of_the_labels_are_signals(batch):
    x, y = batch
    student = convnet(4)
    outputs = {"digit": student.output, "size": keras.layers.Dense(1, name="size_of")(student.output)}
    student = keras.Model(student.input, outputs)
    objective = kd.Objective("mae", student="output/size", teacher="labels/size")
    labels = {"digit": y, "size": np.ones((32, 1), "float32")}
    distiller = kd.Distiller(student, None, [objective])
    logs = one_step(distiller, x, labels, loss={"digit": cross_entropy(), "size": "mse"})
    size = np.asarray(student(x, training=True)["size"])
    np.testing.assert_allclose(logs["mae_output_size"], np.abs(1 - size).mean(), rtol=1e-5)


def test_an_index_that_comes_with_the_data(batch):
    x, _ = batch

    class Indexed(keras.losses.Loss):
        def call(self, teacher, student):
            return keras.ops.cast(teacher[1], "float32") + 0 * keras.ops.sum(student, -1)

    def model(filters):
        image = keras.Input((8, 8, 1), name="image")
        index = keras.Input((), dtype="int32", name="index")
        return keras.Model({"image": image, "index": index}, convnet(filters)(image))

    objective = kd.Objective(Indexed(name="indexed"), teacher=("output", "input/index"))
    distiller = kd.Distiller(model(4), model(8), [objective])
    value = one_step(distiller, {"image": x, "index": np.arange(32)})["indexed"]
    assert value == pytest.approx(31 / 2)


@pytest.mark.parametrize("tokens", rest_slow({"padded": TOKENS, "whole": TOKENS + 1}, "padded"))
def test_tapped_scores_are_the_softmax_of_queries_and_keys(tokens):
    """The same loss, from the scores that the layer computes and from the queries and keys before it."""
    teacher, student = attentive(), attentive()
    for model in (teacher, student):
        model.set_weights([10 * weight for weight in model.get_weights()])
    inner = ("mha/query", "mha/key")
    terms = [
        kd.Objective(kd.losses.AttentionMaps("kl"), student=tap, teacher=tap, name=name)
        for name, tap in (("scores", "mha/scores"), ("products", inner))
    ]
    distiller = kd.Distiller(student, teacher, [*terms, kd.losses.SoftTargets()])
    logs = one_step(distiller, tokens)
    assert logs["products"] > 1e-3
    np.testing.assert_allclose(logs["scores"], logs["products"], rtol=1e-4)
