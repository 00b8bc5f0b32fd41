"""The contents of a `.tflite` file, read without running it."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_OPERATORS = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_FLOATS = (schema.TensorType.FLOAT32, schema.TensorType.FLOAT16, schema.TensorType.FLOAT64)
_STORED = {schema.TensorType.FLOAT32: "<f4", schema.TensorType.FLOAT16: "<f2"}
SPARSE_FROM = 0.3  # the fraction of zeros from which the converter stores a weight in sparse form
# The converter itself leaves weights with fewer elements in float.
SMALLEST_QUANTIZED_WEIGHT = 1024


class _Weight(NamedTuple):
    name: str
    kind: int
    shape: tuple[int, ...]
    is_sparse: bool
    zeros: float

    def __str__(self) -> str:
        # The converter names the weights of the last layer after the output; then the shape identifies them.
        return f"{self.name.strip(';')} {self.shape}"


@dataclass(frozen=True)
class Contents:
    """Operators and tensors of a file.

    Args:
        operators: how often each operator occurs, over all subgraphs.
        flex_operators: the operators that need the Flex delegate.
        float_tensors: names of tensors that are computed or stored in float, other than the
            float inputs and outputs of the file themselves.
        float_weights: names of stored 32-bit float weights with 1024 or more elements.
        has_integer_weights: whether there is any stored 8-bit tensor.
        sparse_weights: name and shape of stored weights whose zeros are left out.
        dense_weights: the same for the other stored weights with two or more axes.
        empty_weights: those `dense_weights` that are 30 % or more zeros.
    """

    operators: dict[str, int]
    flex_operators: tuple[str, ...]
    float_tensors: tuple[str, ...]
    float_weights: tuple[str, ...]
    has_integer_weights: bool
    sparse_weights: tuple[str, ...]
    dense_weights: tuple[str, ...]
    empty_weights: tuple[str, ...]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Contents:
        """Read a file."""
        model = schema.Model.GetRootAs(Path(path).read_bytes(), 0)
        operators: Counter[str] = Counter()
        float_tensors: list[str] = []
        weights: list[_Weight] = []
        for number in range(model.SubgraphsLength()):
            graph = model.Subgraphs(number)
            operators.update(_operator(model, graph.Operators(i)) for i in range(graph.OperatorsLength()))
            float_tensors += _float_tensors(model, graph, is_main=number == 0)
            weights += _weights(model, graph)
        float_weights = tuple(
            weight.name
            for weight in weights
            if weight.kind == schema.TensorType.FLOAT32
            and math.prod(weight.shape) >= SMALLEST_QUANTIZED_WEIGHT
        )
        dense = [w for w in weights if not w.is_sparse and sum(size > 1 for size in w.shape) > 1]
        return cls(
            operators=dict(sorted(operators.items())),
            flex_operators=tuple(sorted(name for name in operators if name.startswith("Flex"))),
            float_tensors=tuple(float_tensors),
            float_weights=float_weights,
            has_integer_weights=any(weight.kind == schema.TensorType.INT8 for weight in weights),
            sparse_weights=tuple(str(weight) for weight in weights if weight.is_sparse),
            dense_weights=tuple(str(weight) for weight in dense),
            empty_weights=tuple(str(weight) for weight in dense if weight.zeros >= SPARSE_FROM),
        )


def _operator(model: schema.Model, operator: schema.Operator) -> str:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Codes over 127 do not fit the older field, which then contains a placeholder.
    number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    if number == schema.BuiltinOperator.CUSTOM:
        return _text(code.CustomCode())
    return _OPERATORS.get(number, f"operator {number}")


def _float_tensors(model: schema.Model, graph: schema.SubGraph, is_main: bool) -> list[str]:
    used: set[int] = set()
    edges: set[int] = set()
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        inputs = [operator.Inputs(j) for j in range(operator.InputsLength())]
        outputs = [operator.Outputs(j) for j in range(operator.OutputsLength())]
        used.update(inputs + outputs)
        name = _operator(model, operator)
        if is_main and name == "QUANTIZE":
            edges.update(set(inputs) & {graph.Inputs(j) for j in range(graph.InputsLength())})
        if is_main and name == "DEQUANTIZE":
            edges.update(set(outputs) & {graph.Outputs(j) for j in range(graph.OutputsLength())})
    return [
        _text(graph.Tensors(index).Name())
        for index in sorted(used - edges - {-1})
        if graph.Tensors(index).Type() in _FLOATS
    ]


def _weights(model: schema.Model, graph: schema.SubGraph) -> list[_Weight]:
    weights = []
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        buffer = model.Buffers(tensor.Buffer())
        if buffer.DataLength() or buffer.Size():
            shape = tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))
            is_sparse = tensor.Sparsity() is not None
            name, kind = _text(tensor.Name()), tensor.Type()
            weights.append(_Weight(name, kind, shape, is_sparse, _zeros(buffer, kind)))
    return weights


def _text(name: bytes | None) -> str:
    """A name, which other converters leave out or write in any encoding."""
    return (name or b"").decode(errors="replace")


def _zeros(buffer: schema.Buffer, kind: int) -> float:
    """The fraction of zeros in a stored float tensor; 0 for other types."""
    if kind not in _STORED or not buffer.DataLength():
        return 0.0
    return float(np.mean(buffer.DataAsNumpy().view(_STORED[kind]) == 0))
