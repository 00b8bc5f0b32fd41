"""The edges of a file: the ranges that inputs and outputs were quantized for, and activations of outputs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ai_edge_litert import schema_py_generated as schema

from keras_kd.deployment.opening.entry_point import EntryPoint

_OPERATORS = schema.BuiltinOperator
_ACTIVATIONS = {_OPERATORS.SOFTMAX: "softmax", _OPERATORS.LOGISTIC: "sigmoid"}
_PASSES_VALUES_ON = {
    _OPERATORS.QUANTIZE,
    _OPERATORS.DEQUANTIZE,
    _OPERATORS.RESHAPE,
    _OPERATORS.CAST,
    _OPERATORS.SQUEEZE,
    _OPERATORS.EXPAND_DIMS,
}
_INTEGERS = {
    schema.TensorType.INT8: (-128, 127),
    schema.TensorType.UINT8: (0, 255),
    schema.TensorType.INT16: (-32768, 32767),
}


class Edges(NamedTuple):
    """What a file says about its inputs and outputs, by their names.

    Args:
        ranges: The smallest and largest value of each input that is, or becomes, integers; others stay float.
        activations: `"softmax"` or `"sigmoid"` for outputs that are one.
        limits: The smallest and largest value that each output can have that is, or comes from, integers.
    """

    ranges: dict[str, tuple[float, float]]
    activations: dict[str, str]
    limits: dict[str, tuple[float, float]]


def read_edges(path: str | os.PathLike[str]) -> Edges:
    """Read the edges of a `.tflite` file."""
    model = schema.Model.GetRootAs(Path(path).read_bytes(), 0)
    graph, number = model.Subgraphs(0), EntryPoint.read(Path(path), model).number
    signature = None if number is None else model.SignatureDefs(number)
    operators = [graph.Operators(i) for i in range(graph.OperatorsLength())]
    readers = {o.Inputs(i): o for o in reversed(operators) for i in range(o.InputsLength())}
    makers = {o.Outputs(i): o for o in operators for i in range(o.OutputsLength())}
    ranges = {name: _range(model, graph, readers, at) for name, at in _inputs(signature, graph).items()}
    outputs = _outputs(signature, graph)
    activations = {name: _activation(model, makers, at) for name, at in outputs.items()}
    limits = {name: _limits(model, graph, makers, at) for name, at in outputs.items()}
    return Edges(
        {name: found for name, found in ranges.items() if found is not None},
        {name: found for name, found in activations.items() if found is not None},
        {name: found for name, found in limits.items() if found is not None},
    )


def _inputs(signature: schema.SignatureDef | None, graph: schema.SubGraph) -> dict[str, int]:
    if signature is not None:
        return _by_name(signature.Inputs, signature.InputsLength())
    return _tensors_by_name(graph, graph.Inputs, graph.InputsLength())


def _outputs(signature: schema.SignatureDef | None, graph: schema.SubGraph) -> dict[str, int]:
    if signature is not None:
        return _by_name(signature.Outputs, signature.OutputsLength())
    return _tensors_by_name(graph, graph.Outputs, graph.OutputsLength())


def _by_name(entry: Callable[[int], schema.TensorMap], count: int) -> dict[str, int]:
    entries = [entry(i) for i in range(count)]
    return {tensor.Name().decode(): tensor.TensorIndex() for tensor in entries}


def _tensors_by_name(graph: schema.SubGraph, index: Callable[[int], int], count: int) -> dict[str, int]:
    return {graph.Tensors(index(i)).Name().decode(): index(i) for i in range(count)}


def _range(
    model: schema.Model, graph: schema.SubGraph, readers: dict[int, schema.Operator], tensor: int
) -> tuple[float, float] | None:
    found = _integer_range(graph.Tensors(tensor))
    if found is None and tensor in readers and _code(model, readers[tensor]) == _OPERATORS.QUANTIZE:
        return _integer_range(graph.Tensors(readers[tensor].Outputs(0)))
    return found


def _limits(
    model: schema.Model, graph: schema.SubGraph, makers: dict[int, schema.Operator], tensor: int
) -> tuple[float, float] | None:
    found = _integer_range(graph.Tensors(tensor))
    while found is None and tensor in makers and _code(model, makers[tensor]) in _PASSES_VALUES_ON:
        tensor = makers[tensor].Inputs(0)
        found = _integer_range(graph.Tensors(tensor))
    return found


def _integer_range(tensor: schema.Tensor) -> tuple[float, float] | None:
    quantization = tensor.Quantization()
    if tensor.Type() not in _INTEGERS or quantization is None or quantization.ScaleLength() != 1:
        return None
    low, high = _INTEGERS[tensor.Type()]
    scale, zero = float(quantization.Scale(0)), int(quantization.ZeroPoint(0))
    return (low - zero) * scale, (high - zero) * scale


def _activation(model: schema.Model, makers: dict[int, schema.Operator], tensor: int) -> str | None:
    while tensor in makers and _code(model, makers[tensor]) in _PASSES_VALUES_ON:
        tensor = makers[tensor].Inputs(0)
    return _ACTIVATIONS.get(_code(model, makers[tensor])) if tensor in makers else None


def _code(model: schema.Model, operator: schema.Operator) -> int:
    opcode = model.OperatorCodes(operator.OpcodeIndex())
    # Codes over 127 do not fit the older field, which then contains a placeholder.
    return int(max(opcode.BuiltinCode(), opcode.DeprecatedBuiltinCode()))
