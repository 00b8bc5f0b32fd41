"""Whole models over the bridge: how they are wired, what they are called, what is refused."""

import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.bridge import equality

L = keras.layers
RANDOM = np.random.default_rng(0)


def randomized(model):
    """The model with weights that are no initial values."""
    for weight in model.weights:
        weight.assign(RANDOM.uniform(0.2, 0.9, weight.shape))
    return model


def normal(*shape):
    return tf.constant(RANDOM.standard_normal((2, *shape)), "float32")


def assert_same(one, other, inputs, atol=1e-5):
    expected, found = one(inputs, training=False), other(inputs, training=False)
    for a, b in zip(keras.tree.flatten(expected), keras.tree.flatten(found), strict=True):
        np.testing.assert_allclose(np.asarray(b, "float32"), np.asarray(a, "float32"), atol=atol)


def both_ways(model, inputs, atol=1e-5):
    """The tf_keras model and the Keras 3 one made from it; all three compute the same."""
    over = kd.tfmot.to_tf_keras(model)
    back = kd.tfmot.from_tf_keras(over)
    assert_same(model, over, inputs, atol)
    assert_same(model, back, inputs, atol)
    return over, back


def block(x, name):
    x = L.Conv2D(4, 3, padding="same", name=f"{name}_conv")(x)
    return L.BatchNormalization(name=f"{name}_norm")(x)


def test_what_is_written_as_operations_becomes_layers_that_tfmot_knows():
    inputs = keras.Input((6, 6, 4), name="photo")
    x, y = block(inputs, "one"), block(inputs, "two")
    x = keras.ops.relu(keras.ops.maximum(x * y, x - y) + x)
    x = keras.ops.softmax(keras.ops.relu6(keras.ops.concatenate([x, y], axis=-1)))
    model = randomized(keras.Model(inputs, x))
    over, back = both_ways(model, normal(6, 6, 4))
    found = [type(layer).__name__ for layer in over.layers]
    assert sorted(found[5:]) == sorted(
        ["Multiply", "Subtract", "Maximum", "Add", "Activation", "Concatenate", "ReLU", "Softmax"]
    )
    assert {layer.name for layer in over.layers} == {operation.name for operation in model.operations}
    assert [layer.name for layer in back.layers] == [layer.name for layer in over.layers]


OPERATIONS = {
    "constant": lambda x, y: 2.0 * x - 1.0,
    "broadcast over ranks": lambda x, y: x + keras.ops.mean(y, axis=(0, 1)),
    "slices": lambda x, y: x[:, 1:, ::2],
    "ellipsis": lambda x, y: x[..., 0] + y[..., None, 1, 0],
    "several results": lambda x, y: keras.ops.split(x, 2, axis=-1),
    "named results": lambda x, y: tuple(keras.ops.top_k(x, 2)),
    "list of tensors": lambda x, y: keras.ops.stack([x, x, y]),
    "einsum": lambda x, y: keras.ops.einsum("abc,adc->abd", x, y),
    "matmul": lambda x, y: x @ keras.ops.transpose(y, (0, 2, 1)),
    "where": lambda x, y: keras.ops.where(x > 0.3, x, y),
    "dynamic shape": lambda x, y: keras.ops.reshape(x, (-1, 24)),
    "cast": lambda x, y: keras.ops.cast(x, "int32"),
    "array": lambda x, y: x * np.arange(4, dtype="float32"),
    "integers": lambda x, y: keras.ops.cast(x, "int32") + keras.ops.cast(y, "int32"),
    "activation": lambda x, y: keras.activations.hard_sigmoid(x) + keras.activations.gelu(y),
    "image": lambda x, y: keras.ops.image.resize(keras.ops.expand_dims(x, -1), (3, 3)),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_kept(name):
    x, y = keras.Input((6, 4)), keras.Input((6, 4))
    model = keras.Model([x, y], OPERATIONS[name](x, y))
    _, back = both_ways(model, [normal(6, 4), normal(6, 4)])
    assert {type(o).__name__ for o in model.operations} <= {
        *(type(o).__name__ for o in back.operations),
        "Add",
        "Subtract",
        "Multiply",
    }


def test_an_operation_ends_a_mask_where_a_layer_passes_it_on():
    ids = keras.Input((5,), dtype="int32")
    x = L.Embedding(4, 3, mask_zero=True)(ids)
    model = keras.Model(ids, [L.GlobalAveragePooling1D()(x + x), L.GlobalAveragePooling1D()(L.Add()([x, x]))])
    both_ways(randomized(model), tf.constant([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]]))


def masked():
    ids = keras.Input((5,), dtype="int32", name="ids")
    x = L.Embedding(4, 3, mask_zero=True)(ids)
    x = L.Bidirectional(L.LSTM(3, return_sequences=True))(x)
    x = L.MultiHeadAttention(2, 3)(x, x)
    return keras.Model(ids, L.GlobalAveragePooling1D()(L.Dropout(0.1)(x)))


@pytest.mark.slow
def test_masks_go_along_and_their_operations_do_not_stay():
    model = randomized(masked())
    over, _ = both_ways(model, tf.constant([[1, 2, 0, 0, 0], [3, 1, 2, 1, 0]]))
    assert [layer.name for layer in over.layers] == [layer.name for layer in model.layers]


def test_masks_given_by_hand_go_along():
    x, mask = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    query = L.Dense(4)(x)
    out = L.MultiHeadAttention(2, 3)(query, query, attention_mask=mask[:, None, :], use_causal_mask=True)
    model = keras.Model([x, mask], [L.GlobalAveragePooling1D()(out, mask=mask), L.SimpleRNN(2)(x, mask=mask)])
    both_ways(
        randomized(model), [normal(5, 3), tf.constant([[True] * 4 + [False], [True, False] + [True] * 3])]
    )


@pytest.mark.slow
def test_states_go_along():
    x, state = keras.Input((5, 3)), keras.Input((4,))
    sequence, last = L.GRU(4, return_sequences=True, return_state=True)(x, initial_state=state)
    decoded, h, c = L.LSTM(4, return_state=True)(sequence, initial_state=[last, state])
    both = L.Bidirectional(L.LSTM(4))(x, initial_state=[h, c, last, state])
    model = randomized(keras.Model([x, state], [decoded, h, both]))
    both_ways(model, [normal(5, 3), normal(4)])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_what_a_stateful_layer_remembers_goes_along(kind):
    model = keras.Sequential([keras.Input(batch_shape=(2, 3, 4)), getattr(L, kind)(3, stateful=True)])
    data = normal(3, 4)
    model(data)
    before = [np.array(state) for state in model.layers[0].states]
    over = kd.tfmot.to_tf_keras(model)
    for state, kept in zip(model.layers[0].states, before, strict=True):
        np.testing.assert_array_equal(np.array(state), kept)  # checking used the model and put it back
    back = kd.tfmot.from_tf_keras(over)
    expected = model(data)
    np.testing.assert_allclose(over(data), expected, atol=1e-6)
    np.testing.assert_allclose(back(data), expected, atol=1e-6)


def nested():
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, name="shared")], name="inner")
    shared = inner.layers[0]
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    middle_in = keras.Input((4,))
    middle = keras.Model(middle_in, {"left": inner(middle_in), "right": L.Dense(2)(middle_in)}, name="middle")
    out = middle(shared(a))
    again = middle(b)
    return keras.Model(
        {"a": a, "b": b},
        {"sum": out["left"] + again["left"], "rest": [out["right"], again["right"]]},
        name="outer",
    )


def test_nested_models_and_shared_layers_stay_so():
    model = randomized(nested())
    over, back = both_ways(model, {"a": normal(4), "b": normal(4)})
    for each in (over, back):
        assert each.name == "outer"
        assert each.get_layer("middle").get_layer("inner").get_layer("shared") is each.get_layer("shared")
        assert len(each.weights) == len(model.weights)
        result = each({"a": normal(4), "b": normal(4)})
        assert set(result) == {"sum", "rest"}
        assert len(result["rest"]) == 2
    assert isinstance(over.get_layer("middle").get_layer("inner"), tf_keras.Sequential)
    assert isinstance(back.get_layer("middle").get_layer("inner"), keras.Sequential)


def test_names_flags_and_penalties_survive():
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, L.Dense(3, name="inside")(inner_input), name="backbone")
    model = keras.Sequential(
        [
            keras.Input((4,), name="photo", batch_size=2),
            inner,
            L.Dense(3, name="frozen", kernel_constraint=keras.constraints.MaxNorm(2.0, axis=0)),
            L.Dense(3, name="free", kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2)),
        ],
        name="student",
    )
    model.get_layer("frozen").trainable = False
    inner.get_layer("inside").trainable = False
    over, back = both_ways(randomized(model), normal(4))
    for each, library in ((over, tf_keras), (back, keras)):
        assert isinstance(each, library.Sequential)
        assert each.name == "student"
        assert each.inputs[0].shape == (2, 4)
        assert [layer.name for layer in each.layers] == ["backbone", "frozen", "free"]
        assert [layer.trainable for layer in each.layers] == [True, False, True]
        assert not each.get_layer("backbone").get_layer("inside").trainable
        assert each.get_layer("backbone").trainable
        regularizer = each.get_layer("free").kernel_regularizer.get_config()
        np.testing.assert_allclose([regularizer["l1"], regularizer["l2"]], [0.1, 0.2], rtol=1e-6)
        assert each.get_layer("frozen").kernel_constraint.get_config() == {"max_value": 2.0, "axis": 0}
    assert over.get_layer("backbone").input_names == [inner.layers[0].name]
    assert over.input_names == ["photo"]
    np.testing.assert_allclose(float(sum(over.losses)), float(sum(model.losses)), rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "float64"])
def test_dtype_policies_are_kept_per_layer(policy):
    inputs = keras.Input((6, 6, 3), dtype="float64" if policy == "float64" else None)
    x = L.Conv2D(4, 3, dtype=policy, name="conv")(inputs)
    x = L.BatchNormalization(dtype=policy)(x)
    x = L.GlobalAveragePooling2D(dtype=policy)(x + x)
    model = randomized(keras.Model(inputs, L.Dense(3, dtype="float32", name="logits")(x)))
    over, back = both_ways(model, tf.cast(normal(6, 6, 3), inputs.dtype), atol=0.1)
    for each in (over, back):
        kinds = [each.get_layer(name).compute_dtype for name in ("conv", "logits")]
        assert kinds == [policy.removeprefix("mixed_"), "float32"]
        assert each.get_layer("conv").kernel.dtype == model.get_layer("conv").kernel.dtype
    assert tf_keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize("own", ["float32", "mixed_float16"])
@pytest.mark.parametrize("around", ["float32", "mixed_float16"])
def test_a_model_keeps_its_own_policy_whatever_the_global_ones_are(own, around):
    before = keras.config.dtype_policy(), tf_keras.mixed_precision.global_policy()
    try:
        keras.config.set_dtype_policy(own)
        inputs = keras.Input((4,))
        inner = keras.Sequential([inputs, L.Dense(2, dtype="float32")], name="inner")
        model = keras.Model(inputs, inner(inputs))
        keras.config.set_dtype_policy(around)
        tf_keras.mixed_precision.set_global_policy(around)
        over = kd.tfmot.to_tf_keras(model)
        back = kd.tfmot.from_tf_keras(over)
    finally:
        keras.config.set_dtype_policy(before[0])
        tf_keras.mixed_precision.set_global_policy(before[1])
    for each in (over, back):
        assert [each.dtype_policy.name, each.get_layer("inner").dtype_policy.name] == [own, own]


def partly_frozen(library):
    base = library.Sequential(
        [library.Input((4,)), library.layers.Dense(4, name="first"), library.layers.Dense(4, name="last")],
        name="base",
    )
    base.trainable = False
    base.layers[-1].trainable = True
    inputs = library.Input((4,))
    return library.Model(inputs, library.layers.Dense(2, name="head")(base(inputs)))


@pytest.mark.parametrize(("library", "trained"), [(keras, ["last", "head"]), (tf_keras, ["head"])])
def test_the_same_weights_are_trained_where_only_a_part_of_a_model_is_unfrozen(library, trained):
    model = partly_frozen(library)
    forth = [kd.tfmot.to_tf_keras, kd.tfmot.from_tf_keras][:: 1 if library is keras else -1]
    over = forth[0](model)
    for each in (over, forth[1](over)):
        layers = [*each.get_layer("base").layers, each.get_layer("head")]
        ids = {id(weight) for weight in each.trainable_weights}
        assert [layer.name for layer in layers if id(layer.kernel) in ids] == trained
        assert len(ids) == len(model.trainable_weights)


def test_a_layer_that_is_frozen_in_part_is_told():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2)], name="student")
    model.layers[0].kernel.trainable = False
    with pytest.raises(ValueError, match="1 weights of 'student' are trainable, but 2 would be in tf_keras"):
        kd.tfmot.to_tf_keras(model)


@pytest.mark.parametrize("name", ["_a", "a:0", "a b", "ü", "-x"])
def test_names_that_tf_keras_does_not_take_are_refused(name, monkeypatch):
    monkeypatch.setattr(tf_keras, "Input", None)  # so that building would fail
    inner = keras.Sequential([keras.Input((4,)), L.Dense(2, name=name)], name="inner")
    with pytest.raises(
        ValueError, match=re.escape(f"inner/{name} (Dense): tf_keras does not take this name")
    ):
        kd.tfmot.to_tf_keras(keras.Sequential([keras.Input((4,)), inner]))


def test_an_activation_without_weights_is_refused_until_the_model_was_called():
    model = keras.Sequential([keras.Input((4,)), L.Dense(2, activation=L.PReLU(name="slope"), name="head")])
    with pytest.raises(ValueError, match=r"head .Dense.: its activation 'slope' has no weights yet: call"):
        kd.tfmot.to_tf_keras(model)
    model(normal(4))
    over = kd.tfmot.to_tf_keras(randomized(model))
    assert_same(model, over, normal(4))
    with pytest.raises(
        ValueError, match=r"head .Dense.: its activation 'slope' has weights: make it a layer"
    ):
        kd.tfmot.from_tf_keras(over)  # Keras 3 would make them at the first call alone


def test_a_model_may_return_its_input():
    inputs = keras.Input((4,), name="same")
    both_ways(keras.Model(inputs, {"in": inputs, "out": L.Dense(2)(inputs)}), normal(4))


def test_models_built_by_their_first_data_are_bridged():
    late = keras.Sequential([L.Dense(3, name="one"), keras.Sequential([L.Dense(2)], name="two")])
    late(normal(4))
    both_ways(randomized(late), normal(4))
    other = tf_keras.Sequential([tf_keras.layers.Dense(3), tf_keras.layers.Dense(2)])
    other(normal(4))
    assert_same(other, kd.tfmot.from_tf_keras(other), normal(4))


def test_a_lambda_keeps_its_arguments():
    inputs = keras.Input((4,))
    x = L.Lambda(lambda x, power: x**power, arguments={"power": 3}, output_shape=(4,))(inputs)
    both_ways(keras.Model(inputs, x), normal(4))


@pytest.mark.slow
def test_weights_of_called_layers_are_trained_and_come_back():
    model = keras.Sequential([keras.Input((4,)), L.RMSNormalization(name="norm"), L.Dense(2)])
    over = kd.tfmot.to_tf_keras(model)
    over.compile("sgd", "mse")
    over.fit(normal(4), tf.ones((2, 2)), verbose=0)
    back = kd.tfmot.from_tf_keras(over)
    assert np.all(back.get_layer("norm").scale.numpy() != 1.0)
    np.testing.assert_array_equal(model.get_layer("norm").scale, 1.0)  # the original has weights of its own
    assert_same(over, back, normal(4))
    frozen = kd.tfmot.to_tf_keras(model)
    frozen.get_layer("norm").trainable = False
    assert len(frozen.trainable_weights) == 2


class Scale(L.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.bias = self.add_weight(shape=(shape[-1],))

    def call(self, inputs):
        return self.factor * inputs + self.bias

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class TfScale(tf_keras.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.bias = self.add_weight("bias", shape=(shape[-1],))

    def call(self, inputs):
        return self.factor * inputs + self.bias

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@pytest.mark.parametrize(
    "stand_in", [TfScale, lambda layer: TfScale(layer.factor, name=layer.name)], ids=["class", "function"]
)
def test_own_layers_are_mapped(stand_in):
    model = keras.Sequential([keras.Input((4,)), Scale(3.0, name="own")])
    over = kd.tfmot.to_tf_keras(randomized(model), custom_layers={Scale: stand_in})
    assert type(over.get_layer("own")) is TfScale
    assert_same(model, over, normal(4))
    back = kd.tfmot.from_tf_keras(over, custom_layers={TfScale: Scale})
    assert_same(model, back, normal(4))


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


class OwnDense(L.Dense):
    pass


class OwnPenalty(keras.regularizers.Regularizer):
    def __call__(self, weight):
        return 0.0

    def get_config(self):
        return {}


def test_all_that_cannot_be_bridged_is_named_at_once_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(tf_keras, "Input", None)  # so that building would fail
    quantized = L.Dense(4, name="int8")
    lora = L.Dense(4, name="adapted")
    inputs = keras.Input((4,))
    x = lora(quantized(inputs))
    quantized.quantize("int8")
    lora.enable_lora(2)
    inner = keras.Sequential([keras.Input((4,)), Scale(name="scale")], name="inner")
    x = Subclassed(name="sub")(inner(x))
    x = OwnDense(4, name="own", kernel_regularizer="l2")(x)
    x = L.Dense(4, name="odd", kernel_regularizer=OwnPenalty())(x)
    model = keras.Model(inputs, L.RNN(Cell(), name="rnn")(x[:, None]), name="student")
    with pytest.raises(ValueError, match="the model 'student' cannot be rebuilt in tf_keras") as error:
        kd.tfmot.to_tf_keras(model)
    lines = str(error.value).splitlines()[1:]
    found = [re.match(r"  (\S+) \((\w+)\): (.*)", line).groups() for line in lines]
    assert [(path, kind) for path, kind, _ in found] == [
        ("int8", "Dense"),
        ("adapted", "Dense"),
        ("inner/scale", "Scale"),
        ("sub", "Subclassed"),
        ("own", "OwnDense"),
        ("odd", "Dense"),
        ("rnn/cell", "Cell"),
    ]
    reasons = [
        "quantized",
        "LoRA",
        "custom_layers={Scale: ...}",
        "subclassed",
        "OwnDense",
        "kernel_regularizer",
        "Cell",
    ]
    assert [reason for reason, (*_, said) in zip(reasons, found, strict=True) if reason not in said] == []


class Cell(L.Layer):
    state_size = output_size = 4

    def call(self, inputs, states):
        return inputs, states


@pytest.mark.parametrize(
    ("convert", "make", "error", "message"),
    [
        ("to_tf_keras", lambda: tf_keras.Sequential(), TypeError, "from_tf_keras"),
        ("to_tf_keras", lambda: "student.keras", TypeError, "takes a Keras 3 model"),
        ("from_tf_keras", lambda: keras.Sequential(), TypeError, "to_tf_keras"),
        ("from_tf_keras", lambda: 3, TypeError, "takes a tf_keras model"),
        ("to_tf_keras", lambda: keras.Sequential([L.Dense(2)]), ValueError, "not built"),
        ("from_tf_keras", lambda: tf_keras.Sequential([tf_keras.layers.Dense(2)]), ValueError, "not built"),
        ("to_tf_keras", lambda: Subclassed(name="s"), ValueError, "a subclassed model"),
    ],
)
def test_what_is_no_model_of_the_right_library_is_told(convert, make, error, message):
    with pytest.raises(error, match=message):
        getattr(kd.tfmot, convert)(make())


def test_a_model_that_computes_something_else_is_never_returned():
    class Wrong(TfScale):
        def call(self, inputs):
            return super().call(inputs) * 1.001

    model = randomized(keras.Sequential([keras.Input((4,)), Scale()]))
    with pytest.raises(
        ValueError, match=r"the largest difference is 0\.001 of the largest output, where 1e-05"
    ):
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: Wrong})
    assert kd.tfmot.to_tf_keras(model, custom_layers={Scale: Wrong}, check=False) is not None


@pytest.mark.parametrize(
    ("expected", "received", "difference"),
    [
        ([2.0, -4.0], [2.0, -3.0], 0.25),
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 0.0], [0.0, 1e-9], np.inf),
        ([np.nan, np.inf, 1.0], [np.nan, np.inf, 1.0], 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([np.inf, 1.0], [-np.inf, 1.0], np.inf),
        ([3, 4], [3, 4], 0.0),
        ([3, 4], [3, 5], np.inf),
        ([b"cat"], [b"dog"], np.inf),
        ([True], [False], np.inf),
    ],
)
def test_differences_are_relative_to_the_largest_value(expected, received, difference):
    assert equality.difference(np.array(expected), np.array(received)) == difference


def chaotic(limit):
    """A model that turns its roundings into noise while its inputs stay below a limit."""
    inputs = keras.Input((6, 6, 4))
    x = L.BatchNormalization()(L.Conv2D(4, 3)(inputs))
    noise = keras.ops.sin(1e8 * x)
    return randomized(keras.Model(inputs, keras.ops.where(keras.ops.max(inputs) < limit, noise, x)))


def test_a_model_that_amplifies_roundings_is_checked_where_it_does_not():
    both_ways(chaotic(limit=10.0), 20.0 + normal(6, 6, 4), atol=1e-3)
    with pytest.raises(
        ValueError, match="could not be checked, since inputs that are one rounding off change"
    ):
        kd.tfmot.to_tf_keras(chaotic(limit=1e9))
    assert kd.tfmot.to_tf_keras(chaotic(limit=1e9), check=False) is not None


@pytest.mark.parametrize("mapping", [{"Scale": TfScale}, {Scale: "TfScale"}], ids=["key", "value"])
def test_a_mapping_of_other_things_is_told(mapping):
    model = keras.Sequential([keras.Input((4,)), Scale()])
    with pytest.raises(TypeError, match="custom_layers maps layer classes"):
        kd.tfmot.to_tf_keras(model, custom_layers=mapping)
    with pytest.raises(TypeError, match=r"custom_layers is a dict .* received \[<class .*Scale"):
        kd.tfmot.to_tf_keras(model, custom_layers=[Scale])


def test_a_stand_in_that_cannot_be_made_is_told_by_its_place():
    model = keras.Sequential([keras.Input((4,)), Scale(name="own")])
    with pytest.raises(TypeError, match="expected a layer of tf_keras") as error:
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: lambda layer: layer})
    assert error.value.__notes__[0] == "This was own, while it was rebuilt."
    with pytest.raises(
        ValueError, match=r"own .Scale.: custom_layers maps it to .*Dense.*, which is no layer"
    ):
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: L.Dense})


def test_weights_of_another_shape_are_told():
    model = keras.Sequential([keras.Input((4,)), Scale(name="own")])
    with pytest.raises(ValueError, match=r"the weights of own \(\(4,\)\) do not fit"):
        kd.tfmot.to_tf_keras(model, custom_layers={Scale: lambda layer: tf_keras.layers.ReLU(name="own")})


@pytest.mark.slow
def test_the_process_stays_as_it_was():
    code = """
import os, sys
import keras, keras_kd as kd
assert "tf_keras" not in sys.modules and "tensorflow_model_optimization" not in sys.modules
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="hard_silu")])
kd.tfmot.from_tf_keras(kd.tfmot.to_tf_keras(model))
import tensorflow as tf
print(os.environ.get("TF_USE_LEGACY_KERAS"), tf.keras.__version__[0])
"""
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert result.stdout.split() == ["None", "3"], result.stderr


def test_a_missing_installation_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ImportError, match=r"pip install .tf-keras"):
        kd.tfmot.to_tf_keras(keras.Sequential([keras.Input((4,)), L.Dense(2)]))


@pytest.mark.slow
def test_a_rebuilt_model_saves_and_loads(tmp_path):
    inputs = keras.Input((6, 4))
    x = L.Dense(4, activation="hard_sigmoid")(inputs)
    x = L.RMSNormalization()(keras.ops.mean(x * 2.0, axis=1))
    model = randomized(keras.Model(inputs, x))
    over = kd.tfmot.to_tf_keras(model)
    over.save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras")
    assert_same(model, loaded, normal(6, 4))
    assert_same(model, kd.tfmot.from_tf_keras(loaded), normal(6, 4))


def small():
    inputs = keras.Input((6, 6, 3))
    x = L.Conv2D(4, 3, activation="hard_silu", name="conv")(inputs)
    x = L.BatchNormalization(name="norm")(2.0 * x)
    return randomized(keras.Model(inputs, L.Dense(3, name="logits")(keras.ops.mean(x, axis=(1, 2)))))


@pytest.mark.slow
def test_a_model_with_called_operations_is_pruned_whole_and_comes_back():
    pruning = kd.tfmot.import_tfmot().sparsity.keras
    model = small()
    wrapped = pruning.prune_low_magnitude(
        kd.tfmot.to_tf_keras(model), pruning.ConstantSparsity(0.5, begin_step=0, frequency=1)
    )
    with pytest.raises(ValueError) as error:
        kd.tfmot.from_tf_keras(wrapped)
    assert str(error.value).count("PruneLowMagnitude") == 5
    assert "call strip_pruning on the model first" in str(error.value)
    wrapped.compile("sgd", "mse")
    data = normal(6, 6, 3)
    wrapped.fit(data, tf.zeros((2, 3)), callbacks=[pruning.UpdatePruningStep()], verbose=0)
    stripped = pruning.strip_pruning(wrapped)
    back = kd.tfmot.from_tf_keras(stripped)
    assert_same(stripped, back, data)
    for name in ("conv", "logits"):
        assert np.mean(back.get_layer(name).kernel.numpy() == 0) == 0.5
    assert [layer.name for layer in back.operations] == [layer.name for layer in model.operations]


@pytest.mark.slow
def test_a_quantize_aware_model_cannot_come_back():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, activation="relu", name="head")])
    quantized = kd.tfmot.import_tfmot().quantization.keras.quantize_model(kd.tfmot.to_tf_keras(model))
    with pytest.raises(ValueError, match="quantize-aware models cannot come back to Keras 3: export them"):
        kd.tfmot.from_tf_keras(quantized)


TF_OPERATIONS = {
    "sum": lambda x, y: x + y,
    "constant": lambda x, y: 2.0 * x - 1.0,
    "functions": lambda x, y: [tf.reduce_mean(x, axis=1), tf.nn.softmax(y), tf.nn.relu(x)],
    "lists": lambda x, y: tf.concat([x, y], axis=-1),
    "slices": lambda x, y: x[:, 1:, ::2] + y[..., 0, None][:, 1:],
    "comparison": lambda x, y: tf.where(x > y, x, y),
    "shape": lambda x, y: tf.reshape(x, (tf.shape(x)[0], 24)),
    "keywords": lambda x, y: tf.einsum("abc,adc->abd", x, tf.transpose(y, perm=[0, 1, 2])),
    "keras 2": lambda x, y: tf_keras.layers.Activation("hard_sigmoid")(x - y),
}


@pytest.mark.parametrize("name", TF_OPERATIONS)
def test_functions_of_tensorflow_come_to_keras_3_and_go_back(name, tmp_path):
    x, y = tf_keras.Input((6, 4)), tf_keras.Input((6, 4))
    model = tf_keras.Model([x, y], TF_OPERATIONS[name](x, y))
    back = kd.tfmot.from_tf_keras(model)
    inputs = [normal(6, 4), normal(6, 4)]
    assert_same(model, back, inputs)
    assert_same(model, kd.tfmot.to_tf_keras(back), inputs)
    back.save(tmp_path / "model.keras")
    assert_same(model, keras.models.load_model(tmp_path / "model.keras"), inputs)


def test_what_tf_keras_alone_has_is_named():
    inputs = tf_keras.Input((4, 3))
    x = tf_keras.layers.LocallyConnected1D(2, 2, name="local")(inputs)
    x = tf_keras.layers.ThresholdedReLU(0.5, name="cut")(x)
    x = tf_keras.layers.Dropout(0.5, name="always")(x, training=True)
    with pytest.raises(ValueError) as error:
        kd.tfmot.from_tf_keras(
            tf_keras.Model(inputs, tf_keras.layers.LSTM(2, time_major=True, name="rnn")(x))
        )
    named = re.findall(r"^  (\S+) .*: (.*)$", str(error.value), re.MULTILINE)
    assert [path for path, _ in named] == ["local", "cut", "always", "rnn"]
    assert "time_major" in named[-1][1]


@pytest.mark.parametrize("name", ["io.write_file", "print", "py_function", "load_library", "io.gfile.rmtree"])
def test_a_file_cannot_have_tensorflow_do_more_than_compute(name, tmp_path):
    from keras_kd.tfmot.bridge.foreign_operations import TensorFlowOperation

    arguments = keras.saving.serialize_keras_object(((str(tmp_path / "made"), "by a file"), {}))
    with pytest.raises(ValueError, match="only compute"):
        TensorFlowOperation.from_config({"function": name, "arguments": arguments})


def test_a_function_that_does_more_than_compute_is_refused():
    import tensorflow as tf
    import tf_keras

    inputs = tf_keras.Input((4,))
    model = tf_keras.Model(inputs, tf.numpy_function(lambda x: x, [inputs], tf.float32))
    with pytest.raises(ValueError, match="only compute"):
        kd.tfmot.from_tf_keras(model)
