"""Values with gradients, plain and compiled, on the backend that Keras runs on: TensorFlow or JAX."""

import keras
import numpy as np

if keras.backend.backend() == "jax":
    import jax
else:
    import tensorflow as tf


def call(function, *arguments):
    """Call a function; JAX compiles it as one, because it takes longer to compile every operation alone."""
    return jax.jit(function)(*arguments) if keras.backend.backend() == "jax" else function(*arguments)


def differentiate(function, signals, has_more=False):
    """The value of `function(signals)`, and the gradients as a list.

    TensorFlow gives `None` where none arrives; JAX gives zeros, and here `None` for integers.
    With `has_more` the function returns a pair, of which the first is differentiated and both are the value.
    """
    signals = keras.tree.map_structure(keras.ops.convert_to_tensor, signals)
    if keras.backend.backend() == "jax":
        both = jax.value_and_grad(function, allow_int=True, has_aux=has_more)
        value, gradients = call(both, signals)
        return value, [g if g.dtype != jax.dtypes.float0 else None for g in keras.tree.flatten(gradients)]
    with tf.GradientTape() as tape:
        tape.watch(signals)
        value = function(signals)
    return value, keras.tree.flatten(tape.gradient(value[0] if has_more else value, signals))


def exact(tensor):
    """A tensor as NumPy float64."""
    return keras.ops.convert_to_numpy(tensor).astype("float64")


def value_and_gradients(loss, teacher, student, **given):
    """The value and the gradient of each of the student's tensors, in float64."""
    value, gradients = differentiate(lambda signal: loss(teacher, signal, **given), student)
    shapes = [np.shape(signal) for signal in keras.tree.flatten(student)]
    return float(value), [
        np.zeros(shape) if gradient is None else exact(gradient)
        for gradient, shape in zip(gradients, shapes, strict=True)
    ]


def compiled(function, specs, jit):
    """`function(teacher, student)` compiled; `specs` holds `None` for axes whose size is not known.

    JAX compiles for every size anew, and always with XLA.
    """
    if keras.backend.backend() == "jax":
        return jax.jit(function)
    specs = keras.tree.map_structure(lambda spec: tf.TensorSpec(spec.shape, spec.dtype), specs)
    return tf.function(function, jit_compile=jit, input_signature=specs, autograph=False)
