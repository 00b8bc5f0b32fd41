"""`kd.shrink` makes a smaller plain Keras model of a trained one."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_kd as kd
from keras_kd.compression.costs.multiply_adds import multiply_adds
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.graphs import graph_of, opened
from tests.compression.shrinking.models import MODELS, headed, image_model
from tests.compression.shrinking.oracle import with_random_weights
from tests.graphs.composites import OPENED
from tests.graphs.topologies import TOPOLOGIES, inputs_for, outputs_of

ALL = {**MODELS, **TOPOLOGIES, **OPENED}
# What Keras loads only with the code of a user: a Lambda, a function that was not registered.
OWN_CODE = {"opaque", "custom_activation"}
NOTHING = {"named_inputs_and_outputs"}
# These few speak for the rest, in the fast tests.
FAST = {"squeeze_excite", "gated_linear", "transformer", "bidirectional", "of_users_layer", "inverted"}


def cases(*left_out):
    return [
        pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
        for name in ALL
        if name not in {*NOTHING, *(x for names in left_out for x in names)}
    ]


def small_of(name):
    return kd.shrink(with_random_weights(ALL[name]()), 0.5, multiple_of=1)


def drawn(model):
    """Inputs, of which those that are masks are true or false."""
    inputs = inputs_for(model)
    if not any(symbol.dtype == "bool" for symbol in model.inputs):
        return inputs
    return [x > 0 if s.dtype == "bool" else x for x, s in zip(inputs, model.inputs, strict=True)]


@pytest.mark.parametrize("name", cases(OWN_CODE))
def test_it_saves_loads_and_trains_without_the_package(name, tmp_path):
    small = small_of(name)
    assert "keras_kd" not in str(small.get_config())
    small.save(tmp_path / "small.keras")
    loaded, inputs = keras.saving.load_model(tmp_path / "small.keras"), drawn(small)
    expected = small(inputs, training=False)
    for a, b in zip(outputs_of(loaded, inputs), keras.tree.flatten(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    targets = keras.tree.map_structure(lambda x: np.zeros(x.shape, "float32"), expected)
    loaded.compile("sgd", keras.tree.map_structure(lambda _: "mse", targets), run_eagerly=True)
    assert np.isfinite(loaded.train_on_batch(inputs, targets)).all()


FILES = (
    "squeeze_excite",
    "gated_linear",
    "shuffled",
    "grouped",
    "transformer",
    "dense_block",
    "states",
    "u_net",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_its_file_computes_what_it_does(name, tmp_path):
    small = small_of(name)
    exported = kd.export(small, tmp_path / "small.tflite")
    inputs = inputs_for(small)
    found = LiteModel(exported.path).predict(inputs)
    for a, b in zip(keras.tree.flatten(found), outputs_of(small, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max())


def macs(model):
    graph = opened(graph_of(model))
    return sum(multiply_adds(call, graph) for call in graph.calls)


MEASURES = {"parameters": keras.Model.count_params, "macs": macs}


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("budget", MEASURES)
@pytest.mark.parametrize("keep", [0.2, 0.6])
def test_budgets_are_kept_to(scope, budget, keep):
    """And used: one channel more of each group would exceed them."""
    model = with_random_weights(MODELS["dense_block"]())
    measure = MEASURES[budget]
    most = keep * measure(model)
    small = kd.shrink(model, keep, budget=budget, scope=scope, multiple_of=1, floor=0)
    assert measure(small) <= most
    assert measure(kd.shrink(model, min(1, keep * 1.35), budget=budget, scope=scope, multiple_of=1)) > most


def test_multiples_and_floors():
    inputs = keras.Input((4,))
    x = layers.Dense(64, name="a")(inputs)
    x = layers.Dense(40, name="b")(x)
    model = headed(inputs, layers.Dense(10, name="c")(x))
    small = kd.shrink(model, 0.3, scope="layer")
    assert [small.get_layer(name).units for name in "abc"] == [16, 16, 2]  # 34 of 114
    small = kd.shrink(model, 0.55, scope="layer", floor=0.5)
    assert [small.get_layer(name).units for name in "abc"] == [32, 24, 6]


def test_all_kept_is_the_original():
    model = with_random_weights(MODELS["bottleneck"]())
    whole, inputs = kd.shrink(model, 1.0, name="whole"), inputs_for(model)
    assert whole.name == "whole"
    np.testing.assert_array_equal(*outputs_of(whole, inputs), *outputs_of(model, inputs))
    assert whole is not model


def test_the_result_is_plain_and_the_original_as_it_was():
    model = with_random_weights(MODELS["transformer"]())
    model.compile("adam", "mse")
    before, config = [np.array(weight) for weight in model.get_weights()], str(model.get_config())
    small = kd.shrink(model, 0.5)
    assert type(small) is type(model)
    assert not small.compiled
    assert model.compiled
    assert str(model.get_config()) == config
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_dictionaries_stay_dictionaries():
    small = kd.shrink(MODELS["two_inputs_and_outputs"](), 0.5, multiple_of=1)
    outputs = small({"left": np.zeros((2, 6)), "right": np.zeros((2, 5))})
    assert {name: value.shape for name, value in outputs.items()} == {"x": (2, 2), "y": (2, 3)}


@pytest.mark.slow
def test_a_student_is_distilled_from_its_original():
    teacher = kd.models.residual("teacher", (8, 8, 1), widths=(8, 16), stem_stride=1)
    student = kd.shrink(teacher, 0.5, budget="macs")
    assert [layer.name for layer in student.layers] == [layer.name for layer in teacher.layers]
    distiller = kd.Distiller(student, teacher, temperature=4.0, alpha=0.1)
    distiller.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    random = np.random.default_rng(0)
    x, y = random.normal(size=(16, *teacher.input_shape[1:])).astype("float32"), random.integers(0, 10, 16)
    history = distiller.fit(x, y, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_shrinking_twice_goes_on():
    """Shrink a little, train, shrink: what is left is shrunk again."""
    model = with_random_weights(image_model(lambda x: x)())
    sizes = [model.get_layer("stem").filters]
    for _ in range(3):
        model = kd.shrink(model, 0.5, multiple_of=1)
        sizes.append(model.get_layer("stem").filters)
    assert sizes == [8, 4, 2, 1]
