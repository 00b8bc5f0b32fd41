"""Models as TensorFlow functions."""

import keras
import tensorflow as tf


def traced(model: keras.Model, batch: int = 1, **sizes: tuple[int, ...]):
    """What a model computes in inference, for inputs of some sizes.

    Its variables are left: to make constants of them takes longer than the rest.
    """
    shapes = [(batch, *sizes.get(symbol.name, symbol.shape[1:])) for symbol in model.inputs]
    specs = [tf.TensorSpec(shape, s.dtype) for shape, s in zip(shapes, model.inputs, strict=True)]

    @tf.function(autograph=False)
    def run(*tensors):
        structure = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
        return model(keras.tree.pack_sequence_as(structure, list(tensors)), training=False)

    return run.get_concrete_function(*specs)
