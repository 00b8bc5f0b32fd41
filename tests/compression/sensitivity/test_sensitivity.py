"""`kd.sensitivity`: what it measures is what the tools themselves would make."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from tests.conftest import classifier

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def trained(digits):
    keras.utils.set_random_seed(0)
    model = classifier("net", 8)
    model.compile("adam", loss=LOSS, metrics=["accuracy"])
    train = digits.arrays["train"]
    model.fit(train.x, train.y, epochs=2, batch_size=64, verbose=0)
    made = kd.recalibrate(model, train.x)
    made.compile("adam", loss=LOSS, metrics=["accuracy"])
    return made


@pytest.fixture(scope="module")
def data(digits):
    test = digits.arrays["test"]
    return test.x[:200], test.y[:200]


def accuracy(model, data):
    return float((np.asarray(model(data[0], training=False)).argmax(-1) == data[1]).mean())


def shrunk(model, layer, amount):
    return kd.shrink(model, amount, layers=[layer], scope="layer", multiple_of=1, floor=0)


def factorized(model, layer, amount):
    return kd.factorize(model, amount, layers=[layer])


def pruned(model, layer, amount):
    return trained_with(model, kd.Prune(amount, layers=[layer], schedule="constant", begin=0))


def clustered(model, layer, amount):
    return trained_with(model, kd.Cluster(amount, layers=[layer]))


def trained_with(model, callback):
    """A copy that a callback has changed, and one step of training at no learning rate has not."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=True)
    x = np.zeros((1, 8, 8, 1), "float32")
    for norm in (part for part in copy.layers if isinstance(part, layers.BatchNormalization)):
        norm.trainable = False  # its statistics stay
    copy.fit(x, np.zeros((1, 10)), verbose=0, callbacks=[callback])
    return copy


@pytest.mark.parametrize(
    ("by", "amounts", "made"),
    [
        ("channels", [0.5, 0.25], shrunk),
        ("rank", [0.25, 2], factorized),
        ("sparsity", [0.9], pruned),
        ("clusters", [3], clustered),
    ],
)
def test_the_scores_are_those_of_models_really_made(by, amounts, made, trained, data):
    before = [np.array(weight) for weight in trained.get_weights()]
    found = kd.sensitivity(trained, data, by=by, amounts=amounts)
    assert found.baseline == pytest.approx(trained.evaluate(*data, verbose=0, return_dict=True)["accuracy"])
    assert found.metric == "accuracy"
    assert found.amounts == tuple(amounts)
    assert len(found.layers) >= 2
    layer = found.layers[-2]
    for row in found.rows:
        if row.layer == layer:
            assert row.score == pytest.approx(accuracy(made(trained, layer, row.amount), data))
    assert min(row.score for row in found.rows) < found.baseline
    for weight, was in zip(trained.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_recalibrated_scores_are_those_of_recalibrated_models(trained, data):
    norm = next(layer for layer in trained.layers if isinstance(layer, layers.BatchNormalization))
    stale = norm.moving_mean.numpy()
    norm.moving_mean.assign(stale + 5)
    try:
        found = kd.sensitivity(trained, data, amounts=0.5, recalibrate=True)
        assert found.recalibrated
        assert found.baseline == pytest.approx(accuracy(kd.recalibrate(trained, data[0]), data))
        for row in found.rows:
            small = kd.recalibrate(shrunk(trained, row.layer, row.amount), data[0])
            assert row.score == pytest.approx(accuracy(small, data))
        with pytest.warns(UserWarning, match="BatchNorm statistics") as caught:
            stale_one = kd.sensitivity(trained, data, amounts=0.5, layers=[found.layers[0]])
        assert caught[0].filename == __file__
        assert stale_one.warnings == (str(caught[0].message),)
        assert found.warnings == ()
    finally:
        norm.moving_mean.assign(stale)


def test_without_labels_the_answers_of_the_original_are_right(trained, data):
    answers = np.asarray(trained(data[0], training=False)).argmax(-1)
    found = kd.sensitivity(trained, data[0], by="sparsity", amounts=0.9)
    assert (found.metric, found.baseline) == ("agreement", 1.0)
    assert found.rows == kd.sensitivity(trained, (data[0], answers), by="sparsity", amounts=0.9).rows


def test_frozen_layers_are_measured_and_stay_frozen(trained, data):
    trained.trainable = False
    try:
        found = kd.sensitivity(trained, data, by="sparsity", amounts=0.5, samples=20)
        assert len(found.layers) >= 2
        assert found.samples == 20
        assert not trained.trainable_variables
    finally:
        trained.trainable = True


def subclassed():
    class Own(keras.Model):
        def call(self, x):
            return x

    return Own()


def dense(name="net"):
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(10, name="head")], name=name
    )


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        (subclassed, {}, ValueError, "subclassed|graph"),
        (lambda: keras.Sequential([layers.Dense(2)]), {}, ValueError, "built"),
        (lambda: "net", {}, TypeError, "keras.Model"),
        (dense, {"by": "chanels"}, ValueError, "Did you mean 'channels'"),
        (dense, {}, ValueError, "no channels that can be removed"),
        (dense, {"by": "sparsity", "layers": ["haed"]}, ValueError, "Did you mean 'head'"),
        (dense, {"by": "rank", "layers": ["haed"]}, ValueError, "Did you mean 'head'"),
        (dense, {"by": "rank", "skip": "head"}, ValueError, "leave nothing"),
        (dense, {"by": "sparsity", "data": np.zeros((3, 5))}, ValueError, "does not fit 'net'"),
        (dense, {"by": "sparsity", "data": np.zeros((3, 8, 8, 1))}, ValueError, "metric='accuracy' if it is"),
    ],
)
def test_errors_come_before_anything_is_measured(model, options, error, message, data):
    options = {"data": data, **options}
    with pytest.raises(error, match=message):
        kd.sensitivity(model(), options.pop("data"), **options)
