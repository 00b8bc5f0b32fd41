"""What the bytes of a student's `.tflite` file are."""

import re

LAYERS = ["conv1", "conv2", "conv3", "logits"]
STRUCTURE, METADATA = "operators, tensors, scales", "metadata"
PARTS = [*(f"weights of {layer}" for layer in LAYERS), STRUCTURE, METADATA]


def parts(path):
    """The bytes of a file by part. What no layer and no metadata holds is the structure of the graph."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    found = dict.fromkeys(PARTS, 0)
    for entry in map(model.Metadata, range(model.MetadataLength())):
        found[METADATA] += model.Buffers(entry.Buffer()).DataLength()
    graph = model.Subgraphs(0)
    for tensor in map(graph.Tensors, range(graph.TensorsLength())):
        layer = re.search("|".join(LAYERS), tensor.Name().decode())
        found[f"weights of {layer[0]}" if layer else STRUCTURE] += model.Buffers(tensor.Buffer()).DataLength()
    found[STRUCTURE] += path.stat().st_size - sum(found.values())
    return found
