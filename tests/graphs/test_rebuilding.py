"""A rebuilt model is the original, but for what was to be changed."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_kd.graphs import Bypass, graph_of, rebuild
from tests.graphs.topologies import TOPOLOGIES, inputs_for, nested, outputs_of, residual, scrambled, shared

topologies = pytest.mark.parametrize("make", TOPOLOGIES.values(), ids=TOPOLOGIES)


def described(model):
    """What can be told of each variable; layers inside of a user's layer are named anew."""
    return [(v.path.split("/")[-1], tuple(v.shape), v.trainable) for v in model.variables]


@topologies
def test_without_changes_it_is_the_original_bit_for_bit(make):
    model = scrambled(make())
    before = [np.array(value) for value in model.get_weights()]
    inputs = inputs_for(model)
    expected = outputs_of(model, inputs)
    again = rebuild(model)
    for a, b in zip(outputs_of(again, inputs), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert type(again) is type(model)
    assert again.name == model.name
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert described(again) == described(model)
    assert not {id(v) for v in again.variables} & {id(v) for v in model.variables}
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


# All are rebuilt fast; that the files and steps of these few are right speaks for the rest.
SAVED_FAST = ("residual", "written_as_operations", "shared", "of_users_layers")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=[] if name in SAVED_FAST else [pytest.mark.slow])
        for name, make in TOPOLOGIES.items()
    ],
)
def test_it_saves_loads_and_trains_without_the_package(make, tmp_path):
    again = rebuild(scrambled(make()))
    assert "keras_kd" not in str(again.get_config())
    again.save(tmp_path / "again.keras")
    inputs = inputs_for(again)
    loaded = keras.saving.load_model(tmp_path / "again.keras")
    for a, b in zip(outputs_of(loaded, inputs), outputs_of(again, inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    again.compile("sgd", keras.tree.map_structure(lambda _: "mse", again(inputs)), run_eagerly=True)
    targets = keras.tree.map_structure(np.zeros_like, again(inputs))
    assert np.isfinite(again.train_on_batch(inputs, targets)).all()


def test_the_tensors_of_the_original_do_not_change():
    """A layer of the original is in the graph of the original alone."""
    model = residual()
    calls = len(model.get_layer("conv")._inbound_nodes)
    rebuild(model)
    assert len(model.get_layer("conv")._inbound_nodes) == calls


def test_an_operation_is_replaced_by_another():
    model = scrambled(residual())
    relu = model.get_layer("block")
    tanh = layers.Activation("tanh", name="block")
    changed = rebuild(model, {relu: tanh})
    inputs = inputs_for(model)
    cut = keras.Model(model.input, model.get_layer("add").output)
    after = model.get_layer("head")(model.get_layer("pool")(ops.tanh(cut(inputs))))
    np.testing.assert_allclose(outputs_of(changed, inputs)[0], after, rtol=1e-5)


def test_an_operation_is_replaced_by_several():
    model = scrambled(residual())
    head = model.get_layer("head")
    both = [layers.Dense(4, use_bias=False, name="head_factor"), layers.Dense(3, name="head")]
    changed = rebuild(model, {head: both})
    both[0].set_weights([np.eye(4, dtype="float32")])
    both[1].set_weights(head.get_weights())
    inputs = inputs_for(model)
    np.testing.assert_allclose(outputs_of(changed, inputs)[0], outputs_of(model, inputs)[0], rtol=1e-5)
    assert [layer.name for layer in changed.layers][-2:] == ["head_factor", "head"]


def test_a_bypassed_addition_takes_its_branch_with_it():
    model = scrambled(residual())
    changed = rebuild(model, {model.get_layer("add"): Bypass(read=0)})
    names = [layer.name for layer in changed.layers]
    assert "conv" not in names
    assert "norm" not in names
    inputs = inputs_for(model)
    stem = model.get_layer("stem")(inputs)
    expected = model.get_layer("head")(model.get_layer("pool")(ops.relu(stem)))
    np.testing.assert_allclose(outputs_of(changed, inputs)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("size", [8, None])
def test_a_nested_model_of_which_nothing_is_left_passes_on_what_it_reads(size, tmp_path):
    """Keras takes such a model for a cycle where a size is dynamic inside of it and not outside."""
    entry = keras.Input((size, 4))
    added = layers.Add(name="add")([entry, layers.Dense(4, name="hidden")(entry)])
    block, inputs = keras.Model(entry, added, name="block"), keras.Input((8, 3))
    head = layers.Flatten(name="flat")(block(layers.Dense(4, name="stem")(inputs)))
    model = keras.Model(inputs, head)
    changed = rebuild(model, {block.get_layer("add"): Bypass(read=0)})
    changed.save(tmp_path / "changed.keras")
    loaded = keras.models.load_model(tmp_path / "changed.keras")
    assert [layer.name for layer in loaded.get_layer("block").layers][1:] == ["add"]
    x = inputs_for(model)
    expected = outputs_of(keras.Sequential([model.get_layer("stem"), layers.Flatten()]), x)
    np.testing.assert_allclose(outputs_of(loaded, x)[0], expected[0], rtol=1e-5)


def test_layers_of_nested_models_are_replaced_and_what_follows_fits_the_new_width():
    model = scrambled(nested())
    stem, conv = model.get_layer("stem"), model.get_layer("backbone").get_layer("conv1")
    wide = layers.Conv2D(7, 1, name="stem")
    inner = layers.Conv2D(5, 3, padding="same", activation="relu", name="conv1")
    after = model.get_layer("backbone").get_layer("conv2")
    changed = rebuild(model, {stem: wide, conv: inner, after: layers.Conv2D(6, 3, name="conv2")})
    backbone = changed.get_layer("backbone")
    assert backbone.input.shape == (None, None, None, 7)  # free sizes stay free
    assert backbone.get_layer("conv1").kernel.shape == (3, 3, 7, 5)
    assert backbone.get_layer("conv2").kernel.shape == (3, 3, 5, 6)
    assert changed.get_layer("head").get_layer("logits").kernel.shape == (6, 2)


def test_all_calls_of_a_shared_layer_are_replaced_and_it_stays_shared():
    model = scrambled(shared())
    changed = rebuild(model, {model.get_layer("scale"): layers.Dense(2, name="scale")})
    assert len(graph_of(changed).calls_of(changed.get_layer("scale"))) == 2
    assert len(graph_of(changed).calls_of(changed.get_layer("tower"))) == 2
    assert changed.count_params() == 6 * 4 + 4 + 4 * 2 + 2


def test_constants_beside_tensors_are_adapted():
    model = TOPOLOGIES["written_as_operations"]()
    multiplied = next(call for call in graph_of(model).calls if type(call.operation).__name__ == "Multiply")

    def adapt(call, arguments):
        args, kwargs = arguments
        return ((args[0], args[1] * 2), kwargs) if call.operation is multiplied.operation else (args, kwargs)

    changed = rebuild(scrambled(model), adapt=adapt)
    inputs = inputs_for(model)
    bias = model.get_layer("head").bias
    expected = 2 * (outputs_of(model, inputs)[0] - bias) + bias
    np.testing.assert_allclose(outputs_of(changed, inputs)[0], expected, rtol=1e-5)


def test_a_part_of_a_model_for_another_shape():
    model = scrambled(residual())
    graph = graph_of(model)
    (start,) = graph.calls_at("block")[0].results
    part = rebuild(graph.cut(start), input_shapes={graph.symbol(start).name: (None, 2, 2, 4)})
    x = np.random.default_rng(0).normal(size=(3, 2, 2, 4)).astype("float32")
    expected = model.get_layer("head")(x.mean((1, 2)))
    np.testing.assert_allclose(outputs_of(part, x)[0], expected, rtol=1e-5)


def test_a_chain_with_something_that_is_no_layer_becomes_functional():
    model = TOPOLOGIES["chain"]()
    changed = rebuild(model, {model.get_layer("flat"): layers.Flatten(name="flat")})
    assert isinstance(changed, keras.Sequential)
    flatten = graph_of(TOPOLOGIES["written_as_operations"]()).calls
    reshape = next(call.operation for call in flatten if type(call.operation).__name__ == "Reshape")
    changed = rebuild(model, {model.get_layer("flat"): type(reshape)((-1, 6 * 6 * 4))})
    assert not isinstance(changed, keras.Sequential)
    assert changed(np.zeros((1, 8, 8, 3))).shape == (1, 2)


def test_mixed_precision_is_kept():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = TOPOLOGIES["chain"]()
    finally:
        keras.config.set_dtype_policy("float32")
    again = rebuild(model)
    assert again.dtype_policy.name == "mixed_float16"
    assert again.get_layer("head").compute_dtype == "float16"


def test_a_sequential_model_that_was_built_by_data_has_no_batch_size():
    model = keras.Sequential([layers.Dense(2)])
    model(np.zeros((5, 3)))
    assert rebuild(model).inputs[0].shape == (None, 3)


@keras.saving.register_keras_serializable("test_rebuilding")
class Forgetful(layers.Layer):
    def __init__(self, units):
        super().__init__(name="forgetful")
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)


def test_a_layer_that_keras_gives_a_mask_is_replaced_by_one_that_takes_none():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.BatchNormalization(name="norm")(layers.Dense(4)(inputs)))
    changed = rebuild(model, {model.get_layer("norm"): layers.Dense(4, name="norm")})
    assert changed.get_layer("norm").kernel.shape == (4, 4)


def test_a_nested_model_is_replaced_as_a_whole():
    model = shared()
    changed = rebuild(model, {model.get_layer("tower"): layers.Dense(4, name="tower")})
    assert changed.get_layer("tower").kernel.shape == (6, 4)


def test_a_replacement_that_returns_too_little_says_where():
    model = TOPOLOGIES["several_tensors"]()
    with pytest.raises(ValueError, match=r"replaces 'lstm' of .* returns 1 tensors, and 'lstm' returned 3"):
        rebuild(model, {model.get_layer("lstm"): layers.LSTM(4)})


class Trained(keras.Model):
    def train_step(self, data):
        return {"mine": 1.0}


class TrainedChain(keras.Sequential):
    def train_step(self, data):
        return {"mine": 1.0}


class Own(keras.Model):
    def __init__(self, inputs, outputs, extra):
        super().__init__(inputs, outputs)
        self.extra = extra


def test_the_train_step_of_a_users_class_is_kept_where_its_init_is_that_of_keras():
    inputs = keras.Input((4,))
    outputs = layers.Dense(1, name="head")(inputs)
    model = Trained(inputs, outputs)
    assert type(rebuild(model)) is Trained
    assert type(rebuild(TrainedChain([inputs, layers.Dense(1)]))) is TrainedChain
    assert type(rebuild(Own(inputs, outputs, 3))) is type(keras.Model(inputs, outputs))
    holder = keras.Model(inputs, model(inputs))
    assert type(rebuild(holder).layers[-1]) is Trained


def test_inputs_are_named_by_their_layer_too():
    model = keras.Sequential([keras.Input((4,)), layers.ReLU()])
    changed = rebuild(model, input_shapes={model.inputs[0]._keras_history.operation.name: (None, 5)})
    assert changed.output_shape == (None, 5)


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
def test_more_in_a_dictionary_than_a_nested_model_takes():
    entries = {"a": keras.Input((3,), name="a"), "b": keras.Input((2,), name="b")}
    inner = keras.Model(entries, layers.Concatenate()([entries["b"], entries["a"]]), name="inner")
    given = {name: keras.Input((size,), name=name) for name, size in (("a", 3), ("b", 2), ("c", 1))}
    model = keras.Model(given, inner(given))
    assert len(graph_of(model).calls_at("inner")[0].entries) == 2
    x = {name: np.ones((1, *value.shape[1:]), "float32") for name, value in given.items()}
    np.testing.assert_array_equal(outputs_of(rebuild(model), x)[0], outputs_of(model, x)[0])


def test_what_cannot_be_copied_is_named():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Forgetful(3)(inputs), name="mine")
    with pytest.raises(ValueError, match=r"'forgetful' \(Forgetful\) of 'mine' cannot be copied.*get_config"):
        rebuild(model)


def test_shapes_that_do_not_fit_say_where():
    model = residual()
    with pytest.raises(ValueError) as error:
        rebuild(model, {model.get_layer("conv"): layers.Conv2D(5, 3, padding="same")})
    assert "'add'" in "".join(error.value.__notes__)
