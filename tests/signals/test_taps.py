import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_kd.signals.taps import resolve
from tests.signals.models import NAMES, Subclassed, X, functional, nested, run, shared


@pytest.mark.parametrize(
    ("make", "names"), [(make, names) for make, names in NAMES.values()], ids=list(NAMES)
)
def test_every_listed_name_can_be_tapped(make, names):
    model = make()
    model(X)  # the first call of a model that is not built runs its layers twice
    names = [name for name in names if name != "idle"]
    signals = run(model, [*names, "output"], X)
    assert list(signals) == [*names, "output"]
    outputs = [signal.numpy() for signal in signals.values()]
    assert any(np.array_equal(outputs[-1], other) for other in outputs[:-1])


def test_signals_are_those_of_the_same_pass():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dropout(0.5, name="drop"), keras.layers.Dense(2, name="out")]
    )
    signals = run(model, ["drop", "output"], np.ones((8, 4), "float32"), training=True)
    np.testing.assert_allclose(model.get_layer("out")(signals["drop"]), signals["output"], rtol=1e-6)


def test_gradients_equal_those_of_a_second_model():
    model = functional()
    part = keras.Model(model.input, model.get_layer("first").output)
    with tf.GradientTape(persistent=True) as tape:
        tapped = tf.reduce_sum(run(model, ["first"], X)["first"] ** 2)
        plain = tf.reduce_sum(part(X) ** 2)
    weights = part.trainable_weights
    for a, b in zip(tape.gradient(tapped, weights), tape.gradient(plain, weights), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("jit", [False, True])
def test_recording_survives_graphs_and_xla(jit):
    model = nested()
    compiled = tf.function(lambda x: run(model, ["backbone/first"], x), jit_compile=jit)
    np.testing.assert_allclose(
        compiled(X)["backbone/first"], model.get_layer("backbone").get_layer("first")(X), rtol=1e-6
    )


def test_layers_that_keras_quantized_are_recorded():
    model = functional()
    model.get_layer("first").quantize("int8")
    assert run(model, ["first"], X)["first"].shape == (2, 3)


def test_named_and_listed_outputs():
    inputs = keras.Input((4,))
    a, b = keras.layers.Dense(2, name="a")(inputs), keras.layers.Dense(3, name="b")(inputs)
    by_name, listed = keras.Model(inputs, {"left": a, "right": b}), keras.Model(inputs, [a, b])
    assert run(by_name, ["output/right"], X)["output/right"].shape == (2, 3)
    assert run(listed, ["output/1"], X)["output/1"].shape == (2, 3)
    with pytest.raises(ValueError, match=r"outputs are \['output/left', 'output/right'\]"):
        run(by_name, ["output"], X)
    with pytest.raises(ValueError, match=r"outputs are \['output/0', 'output/1'\]"):
        run(listed, ["output/7"], X)
    single = keras.Model(inputs, {"only": a})
    assert run(single, ["output"], X)["output"].shape == (2, 2)


@pytest.mark.parametrize(
    ("make", "tap", "message"),
    [
        (nested, "backbone/frist", "Did you mean 'backbone/first'"),
        (nested, "first", "Did you mean 'backbone/first'"),
        (functional, "zzz", "Did you mean 'first', 'second'"),
        (shared, "twice", r"runs 2 times in one pass. Choose one of its calls: 'twice:0', 'twice:1'"),
        (shared, "twice:2", "runs 2 times, counted from 0"),
        (Subclassed, "idle", "does not run in the forward pass"),
        (functional, "output/9", r"outputs are \['output'\]"),
    ],
)
def test_errors_say_what_to_do(make, tap, message):
    model = make()
    model(X)
    with pytest.raises(ValueError, match=message):
        run(model, [tap], X)


def test_a_layer_with_several_outputs_is_refused():
    inputs = keras.Input((3, 4))
    states = keras.layers.LSTM(2, return_state=True, name="lstm")(inputs)
    model = keras.Model(inputs, states[0])
    with pytest.raises(ValueError, match=r"'lstm' .* returns 3 tensors"):
        run(model, ["lstm"], np.ones((2, 3, 4), "float32"))


def test_resolve_reads_the_index():
    assert resolve(shared(), "twice:1")[1] == 1
