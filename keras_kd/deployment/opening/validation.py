"""What is wrong with a `.tflite` file, besides its structure, which LiteRT checks when it opens the file.

LiteRT takes the numbers in a file on trust: with a scale of NaN or a zero point that its type cannot hold, it
ends the process. This module imports no TensorFlow, because the process that tries a file must start fast.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Iterator

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_kd.deployment.opening.sparsity import sparsity_fault

_Type = schema.TensorType
# Bits of an element, where a constant must have as many bytes as its shape says.
_BITS = {
    _Type.FLOAT32: 32, _Type.FLOAT16: 16, _Type.INT32: 32, _Type.UINT8: 8, _Type.INT64: 64, _Type.BOOL: 8,
    _Type.INT16: 16, _Type.COMPLEX64: 64, _Type.INT8: 8, _Type.FLOAT64: 64, _Type.COMPLEX128: 128,
    _Type.UINT64: 64, _Type.UINT32: 32, _Type.UINT16: 16, _Type.INT4: 4, _Type.BFLOAT16: 16,
}  # fmt: skip
_INTEGERS = {
    _Type.INT8: (-128, 127), _Type.UINT8: (0, 255), _Type.INT4: (-8, 7), _Type.INT16: (-(2**15), 2**15 - 1),
    _Type.UINT16: (0, 2**16 - 1), _Type.INT32: (-(2**31), 2**31 - 1), _Type.INT64: (-(2**63), 2**63 - 1),
}  # fmt: skip
_RECURRENT = {code for name, code in vars(schema.BuiltinOperator).items() if "LSTM" in name or "RNN" in name}
_CALLS = {
    schema.BuiltinOptions.WhileOptions: (schema.WhileOptions, ("CondSubgraphIndex", "BodySubgraphIndex")),
    schema.BuiltinOptions.IfOptions: (schema.IfOptions, ("ThenSubgraphIndex", "ElseSubgraphIndex")),
    schema.BuiltinOptions.CallOptions: (schema.CallOptions, ("Subgraph",)),
    schema.BuiltinOptions.CallOnceOptions: (schema.CallOnceOptions, ("InitSubgraphIndex",)),
}


def find_fault(content: bytes | mmap.mmap, memory: int = 2**40) -> str | None:
    """Say what is wrong with a file, or return `None`.

    Args:
        content: The whole file, whose structure LiteRT has accepted.
        memory: The bytes that one tensor may need.
    """
    return next(_faults(schema.Model.GetRootAs(content, 0), len(content), memory), None)


def _faults(model: schema.Model, size: int, memory: int) -> Iterator[str]:
    if not model.SubgraphsLength():
        yield "it holds no graph"
    for number in range(model.BuffersLength()):
        buffer = model.Buffers(number)
        # Files over 2 GB keep their constants behind the flatbuffer.
        if buffer.Offset() > 1 and buffer.Offset() + buffer.Size() > size:
            yield f"buffer {number} ends after the end of the file"
    graphs = [model.Subgraphs(number) for number in range(model.SubgraphsLength())]
    for graph in graphs:
        for number in range(graph.TensorsLength()):
            tensor = graph.Tensors(number)
            faults = _tensor_faults(model, tensor, memory)
            yield from (f"tensor {_label(tensor, number)} {fault}" for fault in faults)
        yield from _graph_faults(model, graph)
    for number in range(model.SignatureDefsLength()):
        yield from _signature_faults(model.SignatureDefs(number), graphs)


def _tensor_faults(model: schema.Model, tensor: schema.Tensor, memory: int) -> Iterator[str]:
    if not 0 <= tensor.Buffer() < max(1, model.BuffersLength()):
        yield f"is kept in buffer {tensor.Buffer()} of {model.BuffersLength()}"
        return
    shape = tuple(int(size) for size in _values(tensor, "Shape"))
    if math.prod(shape) * _BITS.get(tensor.Type(), 0) > 8 * memory:
        yield f"has the shape {shape}, which needs more memory than this machine has"
    if tensor.Quantization() is not None and tensor.Type() in _INTEGERS:
        yield from _quantization_faults(tensor.Quantization(), tensor.Type(), shape)
    if not model.BuffersLength():
        return
    buffer = model.Buffers(tensor.Buffer())
    stored = buffer.Size() if buffer.Offset() > 1 else buffer.DataLength()
    bits = _BITS.get(tensor.Type())
    if not stored or bits is None:
        return
    elements = math.prod(shape)
    if tensor.Sparsity() is not None:
        elements, fault = sparsity_fault(tensor.Sparsity(), shape)
        if fault:
            yield fault
            return
    if stored != (expected := -(-elements * bits // 8)):
        yield f"has {stored} bytes, and its shape {shape} needs {expected}"


def _quantization_faults(
    quantization: schema.QuantizationParameters, kind: int, shape: tuple[int, ...]
) -> Iterator[str]:
    scales = np.asarray(_values(quantization, "Scale"))
    points = np.asarray(_values(quantization, "ZeroPoint"))
    # A scale of 0 is what some converters write for a constant that is all zeros.
    wrong = [float(scale) for scale in scales if not (math.isfinite(scale) and scale >= 0)]
    if wrong:
        yield f"has the scale {wrong[0]}"
    axis = quantization.QuantizedDimension()
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        yield f"has {len(scales)} scales for axis {axis} of its shape {shape}"
    if len(points) > 1 and len(points) != len(scales):
        yield f"has {len(points)} zero points for {len(scales)} scales"
    lowest, highest = _INTEGERS[kind]
    outside = [int(point) for point in points if not lowest <= point <= highest]
    if outside:
        yield f"has the zero point {outside[0]}, outside of its type's range from {lowest} to {highest}"


def _graph_faults(model: schema.Model, graph: schema.SubGraph) -> Iterator[str]:
    tensors = graph.TensorsLength()
    for end, name in (("Inputs", "an input"), ("Outputs", "an output")):
        for index in _outside(_values(graph, end), 0, tensors):
            yield f"{name} of the graph is tensor {index} of {tensors}"
    for number in range(graph.OperatorsLength()):
        operator = graph.Operators(number)
        if not 0 <= operator.OpcodeIndex() < model.OperatorCodesLength():
            yield f"operator {number} is of kind {operator.OpcodeIndex()} of {model.OperatorCodesLength()}"
        # -1 stands for an optional tensor that is left out.
        indices = [*_values(operator, "Inputs"), *_values(operator, "Intermediates")]
        for index in [*_outside(indices, -1, tensors), *_outside(_values(operator, "Outputs"), 0, tensors)]:
            yield f"operator {number} reads or writes tensor {index} of {tensors}"
        missing = [place for place, index in enumerate(_values(operator, "Inputs")) if index == -1]
        if missing and missing[0] < _required_inputs(model, operator):
            yield f"operator {number} lacks its input {missing[0]}"
        for index in _outside(_called(operator), 0, model.SubgraphsLength()):
            yield f"operator {number} runs graph {index} of {model.SubgraphsLength()}"
    yield from _order_faults(model, graph)


def _order_faults(model: schema.Model, graph: schema.SubGraph) -> Iterator[str]:
    """Operators run in the order of the file, and one of them owns the memory of a tensor: its writer."""
    operators = [graph.Operators(number) for number in range(graph.OperatorsLength())]
    ahead = {int(index) for operator in operators for index in _values(operator, "Outputs")}
    ahead.difference_update(int(index) for index in _values(graph, "Inputs"))
    written: set[int] = set()
    for number, operator in enumerate(operators):
        writes = [int(index) for index in _values(operator, "Outputs")]
        for index in writes:
            if _is_constant(model, graph.Tensors(index)):
                yield f"operator {number} writes tensor {index}, a constant"
            if index in written:
                yield f"operator {number} writes tensor {index}, which another has written"
        for index in map(int, _values(operator, "Inputs")):
            if index in ahead and not graph.Tensors(index).IsVariable():
                yield f"operator {number} reads tensor {index} before an operator writes it"
        written.update(writes)
        ahead.difference_update(writes)


def _is_constant(model: schema.Model, tensor: schema.Tensor) -> bool:
    if not model.BuffersLength():
        return False
    buffer = model.Buffers(tensor.Buffer())
    return buffer.Offset() > 1 or buffer.DataLength() > 0


def _required_inputs(model: schema.Model, operator: schema.Operator) -> int:
    """How many of its first inputs an operator always has; LiteRT reads any memory in place of others."""
    if not 0 <= operator.OpcodeIndex() < model.OperatorCodesLength():
        return 0
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if kind == schema.BuiltinOperator.CUSTOM:
        return 0
    # The gates of some recurrent operators lack the weights that would be second.
    return 1 if kind in _RECURRENT else 2


def _called(operator: schema.Operator) -> list[int]:
    """The graphs that an operator runs: the body of a loop, the branches of a condition."""
    kind, names = _CALLS.get(operator.BuiltinOptionsType(), (None, ()))
    table = operator.BuiltinOptions()
    if kind is None or table is None:
        return []
    options = kind()
    options.Init(table.Bytes, table.Pos)
    return [getattr(options, name)() for name in names]


def _signature_faults(signature: schema.SignatureDef, graphs: list[schema.SubGraph]) -> Iterator[str]:
    index = signature.SubgraphIndex()
    if not 0 <= index < len(graphs):
        yield f"a signature belongs to graph {index} of {len(graphs)}"
        return
    tensors = graphs[index].TensorsLength()
    ends = [signature.Inputs(number) for number in range(signature.InputsLength())]
    ends += [signature.Outputs(number) for number in range(signature.OutputsLength())]
    for end in ends:
        if end.TensorIndex() >= tensors:
            yield f"{_text(end.Name())!r} of a signature is tensor {end.TensorIndex()} of {tensors}"
    for name in [signature.SignatureKey(), *(end.Name() for end in ends)]:
        if name is None or "\ufffd" in _text(name):
            yield f"a name of a signature is {name!r}"


def _outside(values: Iterable[float], lowest: int, end: int) -> list[int]:
    return [int(value) for value in values if not lowest <= value < end]


def _values(table: object, name: str) -> Iterable[float]:
    """A vector of numbers; an empty one is stored as none at all."""
    return () if getattr(table, f"{name}IsNone")() else getattr(table, f"{name}AsNumpy")()


def _label(tensor: schema.Tensor, number: int) -> str:
    name = _text(tensor.Name() or b"")
    return f"{number} ({name!r})" if name else str(number)


def _text(name: bytes) -> str:
    return name.decode(errors="replace")
