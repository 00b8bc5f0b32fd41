"""`.tflite` files with one number changed, and their structure whole."""

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from tests.deployment import small


def changed(content, change):
    """The file after `change(model)` on what it consists of, a `schema.ModelT`."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    change(model)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_scales(content, scales, tensor=1):
    """The file with other quantization scales for one of its tensors."""

    def change(model):
        model.subgraphs[0].tensors[tensor].quantization.scale = scales

    return changed(content, change)


def crashing(small_file, scale):
    """A file that ends the process which allocates its tensors, where QUANTIZE computes with the scale."""
    return with_scales(small_file(small.dense, "int8")[1].path.read_bytes(), [scale], tensor=2)
