import contextlib
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_kd as kd
from keras_kd.signals.taps import Taps, record, resolve
from keras_kd.signals.tracing import output_activation, tap_shapes


def functional():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(3, name="first")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="second")(x), name="functional")


def nested():
    backbone = functional()
    backbone.name = "backbone"
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.layers.Dense(5, name="head")(backbone(inputs)), name="nested")


def shared():
    dense = keras.layers.Dense(4, name="twice")
    inputs = keras.Input((4,))
    return keras.Model(inputs, dense(dense(inputs)), name="shared")


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, x):
        return self.dense(x)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.entry = keras.layers.Dense(4)
        self.blocks = [Block(), Block()]
        self.idle = keras.layers.Dense(9)
        self.idle.build((None, 4))

    def call(self, x):
        x = self.entry(x)
        for block in self.blocks:
            x = block(x)
        return x


NAMES = {
    "functional": (functional, ["first", "second"]),
    "nested": (nested, ["backbone/first", "backbone/second", "backbone", "head"]),
    "shared": (shared, ["twice:0", "twice:1"]),
    "sequential": (
        lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="only")]),
        ["only"],
    ),
    "deferred": (lambda: keras.Sequential([keras.layers.Dense(3, name="only")]), ["only"]),
    "subclassed": (
        Subclassed,
        ["entry", "blocks/0", "blocks/0/dense", "blocks/1", "blocks/1/dense", "idle"],
    ),
}


@pytest.mark.parametrize(("make", "names"), NAMES.values(), ids=NAMES)
def test_tap_names(make, names):
    model = make()
    assert sorted(kd.tap_names(model)) == sorted(names)
    if getattr(model, "inputs", None):
        assert kd.tap_names(model) == names


def test_shapes_come_without_running():
    assert tap_shapes(nested()) == {
        "backbone/first": (None, 3),
        "backbone/second": (None, 2),
        "backbone": (None, 2),
        "head": (None, 5),
    }


def run(model, names, x, **call):
    taps = Taps(model, names)
    with taps.record() as recording:
        outputs = model(x, **call)
    return taps.signals(outputs, recording)


X = np.arange(8, dtype="float32").reshape(2, 4)


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


def test_a_layer_is_left_as_it_was_also_after_an_error():
    model = functional()
    layer = model.get_layer("first")
    before = dict(layer.__dict__)
    with record([layer, layer]):
        assert "call" in layer.__dict__
        model(X)
    with contextlib.suppress(ZeroDivisionError), record([layer]):
        raise ZeroDivisionError
    assert "call" not in layer.__dict__
    assert set(layer.__dict__) == set(before)


def test_a_call_replaced_on_the_instance_is_put_back():
    layer = keras.layers.Dense(3)
    own = layer.call

    def doubled(x):
        return 2 * own(x)

    layer.__dict__["call"] = doubled
    with record([layer]) as recording:
        value = layer(X)
    assert layer.__dict__["call"] is doubled
    np.testing.assert_array_equal(recording.of(layer)[0].outputs, value)


def test_recordings_nest_and_threads_do_not_mix():
    layer = keras.layers.Dense(3)
    layer(X)
    seen = []

    def other():
        with record([layer]) as recording:
            layer(2 * X)
            seen.append(len(recording.calls))

    with record([layer]) as outer:
        with record([layer]) as inner:
            layer(X)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        layer(X)
    assert (len(outer.calls), len(inner.calls), seen) == (2, 1, [1])
    assert "call" not in layer.__dict__


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
        (shared, "twice", r"runs 2 times in one pass. Say which: 'twice:0', 'twice:1'"),
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


def test_layers_inside_a_loop_are_not_listed():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, keras.layers.RNN(keras.layers.LSTMCell(2, name="cell"), name="rnn")(inputs))
    assert kd.tap_names(model) == ["rnn"]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
def test_output_activation(activation):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(2, activation=activation)(inputs)
    assert output_activation(keras.Model(inputs, x)) == activation
    assert output_activation(keras.Model(inputs, keras.layers.Reshape((1, 2))(x))) == activation


def test_resolve_reads_the_index():
    assert resolve(shared(), "twice:1")[1] == 1


def test_output_activation_that_the_graph_does_not_show():
    inputs = keras.Input((4,))
    x = keras.ops.clip(keras.layers.Dense(3, activation="softmax")(inputs), 1e-6, 1.0)
    assert output_activation(keras.Model(inputs, x)) == "softmax"
    assert output_activation(keras.Model(inputs, keras.layers.ReLU()(keras.layers.Dense(3)(inputs)))) is None
