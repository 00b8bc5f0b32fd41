import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from keras_kd.keras_internals import mask_of
from tests.signals.models import (
    NAMES,
    TOKENS,
    Subclassed,
    X,
    attentive,
    functional,
    heads,
    nested,
    recurrent,
    run,
    shared,
)


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


def test_a_call_that_a_layer_does_not_have():
    with pytest.raises(ValueError, match="the layer runs 1 time, counted from 0"):
        run(functional(), ["first:1"], X)


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


@pytest.mark.slow
def test_each_tensor_of_a_layer_is_tapped_and_only_that_of_tokens_has_their_mask():
    for library in (keras, tf_keras):
        model = recurrent(library)
        found = run(model, ["lstm/0", "lstm/1", "lstm/2", "head"], TOKENS)
        sequence, hidden = found["lstm/0"].numpy(), found["lstm/1"].numpy()
        np.testing.assert_allclose(hidden, sequence[:, -1], rtol=1e-6)  # it stays where padding begins
        np.testing.assert_allclose(found["head"], model.layers[-1](sequence), rtol=1e-5)
        masks = [mask_of(found[name]) for name in ("lstm/0", "lstm/1", "lstm/2")]
        assert np.asarray(masks[0]).tolist() == (TOKENS > 0).tolist()
        assert masks[1:] == [None, None]


def test_an_element_a_layer_and_a_weight_of_one_name():
    model = heads()
    names = ["block/hidden", "block/output/hidden", "block/scale", "block/output/scale", "block/heads/1"]
    layer, element, weight, other, last = run(model, names, X).values()
    np.testing.assert_allclose(element, 2 * layer, rtol=1e-6)
    np.testing.assert_allclose(last, -layer, rtol=1e-6)
    assert weight.shape == ()
    np.testing.assert_array_equal(other, X)


def expected_scores(attention, x, seen):
    """Attention scores in NumPy float64; tokens that are not seen get none."""
    weights = [np.asarray(w, "float64") for w in attention.get_weights()[:4]]
    query, key = (np.einsum("btd,dhk->bthk", x, w) + b for w, b in (weights[:2], weights[2:]))
    logits = np.einsum("bthk,bshk->bhts", query, key) / np.sqrt(query.shape[-1])
    powers = np.exp(logits - logits.max(-1, keepdims=True)) * seen
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.parametrize("asks", [False, True])
def test_attention_scores_are_tapped_whether_the_model_asks_for_them_or_not(library, asks):
    model = attentive(library, asks)
    plain = model(TOKENS)
    found = run(model, ["mha/scores", "tokens", "output"], TOKENS)
    seen = (TOKENS > 0)[:, None, None]
    wanted = expected_scores(model.get_layer("mha"), found["tokens"].numpy().astype("float64"), seen)
    rows = np.broadcast_to((TOKENS > 0)[:, None, :], (2, 2, 3))  # of tokens that are no padding
    np.testing.assert_allclose(found["mha/scores"].numpy()[rows], wanted[rows], atol=1e-6)
    np.testing.assert_allclose(found["output"][TOKENS > 0], plain[TOKENS > 0], atol=1e-6)
    assert np.asarray(mask_of(found["mha/scores"])).tolist() == rows.tolist()
    if asks:
        np.testing.assert_array_equal(run(model, ["mha/1"], TOKENS)["mha/1"], found["mha/scores"])


def test_the_mask_of_causal_attention_is_no_padding_mask():
    inputs = keras.Input((3, 4))
    model = keras.Model(
        inputs, keras.layers.MultiHeadAttention(2, 3, name="a")(inputs, inputs, use_causal_mask=True)
    )
    scores = run(model, ["a/scores"], np.ones((2, 3, 4)))["a/scores"]
    np.testing.assert_allclose(scores[0, 0], np.tril(np.ones((3, 3))) / np.arange(1, 4)[:, None], atol=1e-6)
    assert mask_of(scores) is None


@pytest.mark.parametrize(
    ("make", "tap", "message"),
    [
        (recurrent, "lstm", r"'lstm' .* returns 3 tensors.*'lstm/0', 'lstm/1', 'lstm/2'"),
        (recurrent, "lstm/7", "Did you mean 'lstm/0', 'lstm/1', 'lstm/2'"),
        (recurrent, "lstn/0", "Did you mean 'lstm'"),
        (heads, "block/heads", "'block/heads' .* returns 2 tensors"),
        (heads, "block/logit", "Did you mean .*'block/logits'"),
        (attentive, "sum/scores", "`call` has no argument 'return_attention_scores'"),
        (
            lambda: attentive(flash_attention=True),
            "mha/scores",
            "uses flash attention.*=False",
        ),
        (attentive, "mha/score", "Did you mean 'mha"),
    ],
)
def test_errors_about_elements_say_what_to_do(make, tap, message):
    with pytest.raises(ValueError, match=message):
        run(make(), [tap], TOKENS if make is not heads else X)
