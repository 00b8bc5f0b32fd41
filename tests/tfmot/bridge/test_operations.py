"""Operations that become layers, so that tensorflow-model-optimization sees them."""

import keras
import tensorflow as tf

from tests.tfmot.bridge.models import both_ways, normal, randomized

L = keras.layers


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


def test_an_operation_ends_a_mask_where_a_layer_passes_it_on():
    ids = keras.Input((5,), dtype="int32")
    x = L.Embedding(4, 3, mask_zero=True)(ids)
    model = keras.Model(ids, [L.GlobalAveragePooling1D()(x + x), L.GlobalAveragePooling1D()(L.Add()([x, x]))])
    both_ways(randomized(model), tf.constant([[1, 2, 0, 0, 0], [3, 0, 0, 0, 0]]))
