"""Files as other tools write them: without the metadata of export, under other names and in another order."""

import contextlib
import io

import tensorflow as tf
from tensorflow.lite.tools import flatbuffer_utils


def rewritten(source, target, inputs, outputs, order=None):
    """Copy a file of export under these names of its inputs and outputs.

    Args:
        source: the file.
        target: the copy.
        inputs: their names in the copy, in the order of the file.
        outputs: likewise.
        order: the places of the inputs in the copy; the outputs are turned around.
    """
    content = flatbuffer_utils.read_model(str(source))
    content.metadata = [entry for entry in content.metadata if entry.name != b"keras_kd"]
    graph, signature = content.subgraphs[0], content.signatureDefs[0]
    for entries, names in ((signature.inputs, inputs), (signature.outputs, outputs)):
        for entry, name in zip(entries, names, strict=True):
            entry.name = name
    graph.inputs = graph.inputs[list(order or reversed(range(len(inputs))))]
    graph.outputs = graph.outputs[::-1]
    flatbuffer_utils.write_model(content, str(target))
    return target


def converted(model, target):
    """The file that TensorFlow's own converter makes of a model."""
    with contextlib.redirect_stdout(io.StringIO()):
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    target.write_bytes(content)
    return target


class Several(tf.Module):
    """Two functions of the same inputs; and one that remembers."""

    def __init__(self):
        super().__init__()
        self.sum = tf.Variable(tf.zeros((1, 4)))

    @tf.function(input_signature=[tf.TensorSpec((1, 4), name="x")])
    def doubled(self, x):
        return {"doubled": 2 * x}

    @tf.function(input_signature=[tf.TensorSpec((1, 4), name="z")])
    def scores(self, z):
        return {"scores": tf.nn.softmax(z)}

    @tf.function(input_signature=[tf.TensorSpec((1, 4), name="x")])
    def added(self, x):
        self.sum.assign_add(x)
        return {"added": self.sum.read_value()}


def converted_functions(target, **signatures):
    """The file of some functions of `Several`, under these signatures."""
    module, saved = Several(), str(target.with_suffix(".saved"))
    named = {key: getattr(module, function) for key, function in signatures.items()}
    tf.saved_model.save(module, saved, signatures=named)
    converter = tf.lite.TFLiteConverter.from_saved_model(saved)
    converter.experimental_enable_resource_variables = True
    target.write_bytes(converter.convert())
    return target
