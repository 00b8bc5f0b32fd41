"""Operations of one library that are called from the other."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import keras_kd as kd
from keras_kd.tfmot.bridge.foreign_operations import (
    TensorFlowOperation,
    copy_layer,
    fill_slots,
    number_slots,
    restore_slices,
)
from keras_kd.tfmot.bridge.graphs import Slot
from tests.tfmot.bridge.models import assert_same, both_ways, normal

L = keras.layers


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


@pytest.mark.parametrize("name", ["io.write_file", "print", "py_function", "load_library", "io.gfile.rmtree"])
def test_a_file_cannot_have_tensorflow_do_more_than_compute(name, tmp_path):

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


def test_slots_are_numbered_in_their_order_and_filled_again():
    arguments = ((Slot(7), [2.0, Slot(3)]), {"mask": None, "last": Slot(7)})
    slots, template = number_slots(arguments)
    assert slots == [Slot(7), Slot(3), Slot(7)]
    assert template == ((Slot(0), [2.0, Slot(1)]), {"mask": None, "last": Slot(2)})
    assert fill_slots(template, ["x", "y", "z"]) == (("x", [2.0, "y"]), {"mask": None, "last": "z"})
    assert fill_slots(arguments, {3: "y", 7: "x"}) == (("x", [2.0, "y"]), {"mask": None, "last": "x"})
    assert fill_slots(((Slot(0),), {}), "only") == (("only",), {})


def test_slices_come_back_from_the_dicts_of_tf_keras():
    saved = ([Slot(0), {"start": None, "stop": 3, "step": 2}], {"sizes": {"start": 1}})
    assert restore_slices(saved) == ([Slot(0), slice(None, 3, 2)], {"sizes": {"start": 1}})


def test_copy_layer_has_weights_of_its_own_and_shares_a_layer_without_any():
    dense, relu = L.Dense(2), L.ReLU()
    dense.build((None, 3))
    copy = copy_layer(dense)
    copy.kernel.assign(copy.kernel + 1)
    np.testing.assert_allclose(copy.kernel - dense.kernel, np.ones((3, 2)), rtol=1e-6)
    assert copy_layer(relu) is relu
