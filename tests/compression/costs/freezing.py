"""Models as TensorFlow functions without variables."""

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2


def frozen(model: keras.Model, batch: int = 1, **sizes: tuple[int, ...]):
    """What a model computes in inference, for inputs of some sizes."""
    shapes = [(batch, *sizes.get(symbol.name, symbol.shape[1:])) for symbol in model.inputs]
    specs = [tf.TensorSpec(shape, s.dtype) for shape, s in zip(shapes, model.inputs, strict=True)]

    @tf.function
    def run(*tensors):
        structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        return model(keras.tree.pack_sequence_as(structure, list(tensors)), training=False)

    return convert_variables_to_constants_v2(run.get_concrete_function(*specs))
