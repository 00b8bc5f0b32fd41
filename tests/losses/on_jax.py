"""What else runs on JAX; `test_jax.py` starts these tests, with the contract, in a process of its own."""

import jax
import keras
import numpy as np
import pytest

import keras_kd as kd
from keras_kd.keras_internals import mask_of
from keras_kd.signals.listing import tap_shapes
from keras_kd.signals.recording import record
from keras_kd.signals.taps import Taps

COMPILED = pytest.mark.parametrize("run", [lambda function: function, jax.jit], ids=["eager", "jit"])


def test_keras_runs_on_jax():
    assert keras.backend.backend() == "jax"
    assert isinstance(kd.losses.SoftTargets()(np.zeros((2, 3)), np.ones((2, 3))), jax.Array)


@pytest.fixture
def model():
    inputs = keras.Input((4,))
    shared = keras.layers.Dense(4, "relu", name="shared")
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, keras.layers.Dense(3, name="inside")(inner_input), name="inner")
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(inner(shared(shared(inputs)))))


@COMPILED
def test_taps_give_what_layers_return(model, run):
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    taps = Taps(model, ["shared:0", "shared:1", "inner/inside", "head", "output"])

    def signals(inputs):
        with taps.record() as recording:
            outputs = model(inputs)
        return taps.signals(outputs, recording)

    found = run(signals)(x)
    shared, head = model.get_layer("shared"), model.get_layer("head")
    inside = model.get_layer("inner").get_layer("inside")
    expected = {
        "shared:0": shared(x),
        "shared:1": shared(shared(x)),
        "inner/inside": inside(shared(shared(x))),
    }
    expected["head"] = expected["output"] = head(expected["inner/inside"])
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        np.testing.assert_allclose(tensor, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert "call" not in vars(shared)


@COMPILED
def test_a_recording_holds_what_a_layer_returned(model, run):
    x, head = np.ones((5, 4), "float32"), model.get_layer("head")

    def recorded(inputs):
        with record([head]) as recording:
            model(inputs)
        return [call.outputs for call in recording.of(head)]

    (output,) = run(recorded)(x)
    np.testing.assert_allclose(output, model(x), rtol=1e-5)


@COMPILED
def test_taps_of_weights_and_masks(run):
    ids = np.array([[1, 2, 0, 0], [3, 4, 5, 0]], "int32")
    inputs = keras.Input((4,), dtype="int32")
    tokens = keras.layers.Embedding(9, 4, mask_zero=True, name="tokens")(inputs)
    attended = keras.layers.MultiHeadAttention(2, 3, name="attention")(tokens, tokens)
    model = keras.Model(inputs, keras.layers.Dense(3, name="head")(attended))
    taps = Taps(model, ["tokens", "head", "head/kernel"])
    masks = []

    def signals(inputs):
        with taps.record() as recording:
            recording.inputs = inputs
            outputs = model(inputs)
        found = taps.signals(outputs, recording)
        masks[:] = [name for name, tensor in found.items() if mask_of(tensor) is not None]
        ones = keras.ops.zeros_like(found["tokens"])
        loss = kd.losses.Elementwise("mse", reduction=None)
        return found["head/kernel"], loss(ones, found["tokens"])

    kernel, distance = run(signals)(ids)
    np.testing.assert_array_equal(kernel, model.get_layer("head").kernel)
    each = np.square(model.get_layer("tokens")(ids)).mean(-1) * (ids > 0)
    np.testing.assert_allclose(distance, each.sum(-1) / (ids > 0).sum(-1), rtol=1e-5)
    assert masks == ["tokens", "head"]


def test_tap_names(model):
    assert kd.tap_names(model) == ["shared:0", "shared:1", "inner/inside", "inner", "head"]
    assert tap_shapes(model)["inner/inside"] == (None, 3)


def test_a_distiller_needs_tensorflow(model):
    with pytest.raises(ValueError, match=r"trains on TensorFlow, and Keras runs on 'jax'.*KERAS_BACKEND"):
        kd.Distiller(model, keras.models.clone_model(model))


PROJECTIONS = {
    "made": lambda: True,
    "linear": lambda: kd.projections.Linear(),
    "keras": lambda: keras.layers.Dense(5),
}


@pytest.mark.parametrize("project", PROJECTIONS.values(), ids=PROJECTIONS)
@COMPILED
def test_an_objective_with_a_projection(project, run):
    random = np.random.default_rng(0)
    student, teacher = (
        random.normal(size=(6, 3)).astype("float32"),
        random.normal(size=(6, 5)).astype("float32"),
    )
    fade = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
    objective = kd.Objective("mse", student="a", teacher="b", project=project(), weight=fade)
    objective.build((None, 3), (None, 5))

    def value(kernel, step):
        state = [kernel, *(v.value for v in objective.trainable_variables[1:])]
        pairs = zip(objective.trainable_variables, state, strict=True)
        with keras.StatelessScope(state_mapping=pairs):
            distance = objective.compute({"a": student}, {"b": teacher}, step=step, training=True)
            return distance * objective.weight_at(step)

    kernel = np.asarray(objective.projection.trainable_variables[0])
    gap = student @ kernel - teacher
    loss, gradient = run(jax.value_and_grad(value))(kernel, 1)
    np.testing.assert_allclose(loss, 0.75 * (gap**2).mean(), rtol=1e-5)
    np.testing.assert_allclose(gradient, 0.75 * 2 * student.T @ gap / gap.size, rtol=1e-5, atol=1e-6)
