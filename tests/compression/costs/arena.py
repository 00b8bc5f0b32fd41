"""The memory that LiteRT allocates for the activations of a model."""

import ai_edge_litert.interpreter as litert
import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tests.compression.costs.traces import traced


def arena_of(model: keras.Model) -> int:
    """The bytes between the first and the last tensor that is computed, once all have a place.

    Without delegates, which have memory of their own. With two threads, because a convolution on one copies
    what it reads into a matrix.
    """
    frozen = convert_variables_to_constants_v2(traced(model))
    content = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
    interpreter = litert.Interpreter(
        model_content=content,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        num_threads=2,
    )
    interpreter.allocate_tensors()
    used = {int(i) for step in interpreter._get_ops_details() for i in step["outputs"]}
    used |= {detail["index"] for detail in interpreter.get_input_details()}
    for detail in interpreter.get_tensor_details():
        if detail["name"] == "BatchMatMul_scratch_buffer":  # the second of two; others are elsewhere
            used |= {detail["index"] - 1, detail["index"]}
    starts, ends = [], []
    for index in used:
        try:
            array = interpreter.tensor(index)()
        except ValueError:  # the results of a loop have no place before it has run
            continue
        if array.shape:  # counters of loops are elsewhere
            start = array.__array_interface__["data"][0]
            starts.append(start)
            ends.append(start + array.nbytes)
    return max(ends) - min(starts)
