"""Which output is scored, and by what."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_kd.compression.sensitivity.choosing import choose_yardstick
from keras_kd.compression.sensitivity.yardstick import runner_of

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 4)).astype("float32")
CLASSES, NUMBERS, YES = np.arange(40) % 3, RANDOM.normal(size=(40, 1)), np.arange(40) % 2


def model(compiled=None, **heads):
    """A model with a head of each size and activation, by name."""
    inputs = keras.Input((4,))
    outputs = {name: layers.Dense(*head, name=name)(inputs) for name, head in heads.items()}
    made = keras.Model(inputs, outputs if len(outputs) > 1 else next(iter(outputs.values())), name="net")
    if compiled:
        made.compile("sgd", **compiled)
    return made


def chosen(made, data, metric=None, samples=None, batch_size=16):
    return choose_yardstick(made, data, metric, samples, batch_size)


def classes(**compiled):
    return model(compiled, digit=(3,))


def numbers(**compiled):
    return model(compiled, price=(1,))


def both(**compiled):
    return model(compiled, digit=(3,), price=(1,))


LABELS = {"digit": CLASSES, "price": NUMBERS}
SOFT = {"digit": (3, "softmax"), "other": (3, "softmax")}


@pytest.mark.parametrize(
    ("made", "y", "metric", "score", "output"),
    [
        (classes(), CLASSES, None, "accuracy", "digit"),
        (classes(loss="mse", metrics=["mae"]), CLASSES, None, "accuracy", "digit"),
        (classes(), CLASSES, "sparse_categorical_crossentropy", "sparse_categorical_crossentropy", "digit"),
        (classes(), None, "accuracy", "agreement", "digit"),
        (model(digit=(3, "softmax")), None, None, "agreement", "digit"),
        (model(yes=(1, "sigmoid")), YES, None, "accuracy", "yes"),
        (numbers(loss="mse", metrics=["mae"]), NUMBERS, None, "mean_absolute_error", "price"),
        (numbers(), NUMBERS, keras.metrics.RootMeanSquaredError(name="rmse"), "rmse", "price"),
        (both(), LABELS, None, "accuracy", "digit"),
        (both(), LABELS, {"price": "mae"}, "mean_absolute_error", "price"),
        (both(loss="mse", metrics={"price": "mse"}), {"price": NUMBERS}, None, "mean_squared_error", "price"),
        (model(**SOFT), None, {"other": "accuracy"}, "agreement", "other"),
    ],
)
def test_the_score(made, y, metric, score, output):
    yardstick = chosen(made, X if y is None else (X, y), metric)
    assert (yardstick.score, yardstick.output) == (score, output)
    value = yardstick.measure(runner_of(made))
    if score == "agreement":
        assert value == 1.0
    elif score in ("accuracy", "mean_absolute_error", "mean_squared_error"):
        labels = y if not isinstance(y, dict) else y[output]
        out = made.predict(X, verbose=0)
        out = out[output] if isinstance(out, dict) else out
        kinds = {"mean_absolute_error": lambda: np.abs(out - labels).mean()}
        kinds["mean_squared_error"] = lambda: ((out - labels) ** 2).mean()
        kinds["accuracy"] = lambda: (
            (out.argmax(-1) == labels).mean() if output == "digit" else ((out[:, 0] > 0.5) == labels).mean()
        )
        assert value == pytest.approx(kinds[score](), rel=1e-5)


@pytest.mark.parametrize(
    ("made", "data", "metric", "message"),
    [
        (numbers(), (X, NUMBERS), None, "pass metric=, such as 'mean_absolute_error'"),
        (numbers(), X, None, "the data has no labels"),
        (numbers(), X, "mae", "needs labels"),
        (both(), (X, {"price": NUMBERS}), None, "pass metric="),
        (model(**SOFT), X, None, r"Several outputs.*'digit', 'other'.*metric=\{'digit': 'accuracy'\}"),
        (both(), (X, LABELS), {"prise": "mae"}, "Did you mean 'price'"),
        (classes(), (X, CLASSES), "acuracy", "Did you mean 'accuracy'"),
    ],
)
def test_what_cannot_be_scored_is_told_with_what_to_give(made, data, metric, message):
    with pytest.raises(ValueError, match=message):
        chosen(made, data, metric)


def test_rows_are_read_up_to_a_number():
    made = classes()
    assert chosen(made, (X, CLASSES)).samples == 40
    spread = chosen(made, (X, CLASSES), samples=10)
    np.testing.assert_array_equal(spread.inputs[0], X[::4])  # arrays may be sorted by class
    np.testing.assert_array_equal(spread.batches[0].labels, CLASSES[::4])
    dataset = tf.data.Dataset.from_tensor_slices((X, CLASSES)).batch(8)
    first = chosen(made, dataset, samples=10)
    np.testing.assert_array_equal(np.concatenate(first.inputs), X[:10])
    np.testing.assert_array_equal(np.concatenate([b.labels for b in first.batches]), CLASSES[:10])
    assert chosen(made, iter([(X, CLASSES)]), samples=500).samples == 40


def test_logits_of_a_yes_or_no_are_read_as_those_of_the_original():
    """Those of a changed model may all be between 0 and 1, as probabilities are."""
    made, rarely = model(yes=(1,)), np.arange(40) % 4 == 0
    yardstick = chosen(made, (X, rarely))
    made.layers[-1].set_weights([np.full((4, 1), 0.001), np.array([0.4])])
    assert yardstick.measure(runner_of(made)) == 0.25
