"""What of a file was quantized, and whether that made it smaller."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from keras_kd.deployment.conversion.request import Request

_INTEGERS = (schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16)
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
# These compute nothing, and take integers wherever they are next to integers.
_REARRANGING = {
    "CONCATENATION",
    "EXPAND_DIMS",
    "PACK",
    "PAD",
    "RESHAPE",
    "SHAPE",
    "SLICE",
    "SPLIT",
    "SQUEEZE",
    "STRIDED_SLICE",
    "TRANSPOSE",
    "UNPACK",
}
_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
# Bytes that a stored value saves over float32.
_SAVED = {schema.TensorType.INT8: 3, schema.TensorType.FLOAT16: 2}
# Measured: bytes that a file grows by at the least for each conversion and each table of scales, besides the
# scales (4 bytes each) and zero points (8 bytes each) themselves.
_CONVERSION_BYTES, _TABLE_BYTES = 120, 30


@dataclass(frozen=True)
class IntegerParts:
    """What of a file was quantized.

    Args:
        integer_operators: names of the operators that compute in integers.
        float_operators: names of those that compute in float.
        saved: bytes that stored weights take less than in float32.
        added: bytes that scales, zero points and conversions take, at the least.
    """

    integer_operators: tuple[str, ...]
    float_operators: tuple[str, ...]
    saved: int
    added: int

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> IntegerParts:
        """Read a file."""
        model = schema.Model.GetRootAs(Path(path).read_bytes(), 0)
        operators: dict[bool, set[str]] = {True: set(), False: set()}
        saved = added = 0
        for number in range(model.SubgraphsLength()):
            graph = model.Subgraphs(number)
            for i in range(graph.OperatorsLength()):
                operator = graph.Operators(i)
                name = _name(model, operator)
                if name in _CONVERSIONS:
                    added += _CONVERSION_BYTES
                elif name not in _REARRANGING:
                    operators[_is_integer(graph, operator)].add(name)
            for i in range(graph.TensorsLength()):
                saved += _saved(model, graph.Tensors(i))
                added += _added(graph.Tensors(i))
        return cls(tuple(sorted(operators[True])), tuple(sorted(operators[False])), saved, added)


def about_integers(parts: IntegerParts) -> list[str]:
    """Say if a file with integer activations has none, or if quantization did not make a file smaller."""
    if parts.float_operators and not parts.integer_operators:
        return [f"nothing was quantized: {', '.join(parts.float_operators)} stay in float"]
    return about_size(parts)


def about_size(parts: IntegerParts) -> list[str]:
    """Say if quantization did not make a file smaller."""
    if parts.added <= parts.saved:
        return []
    return [
        f"larger than the float32 file: the weights take {parts.saved:,} bytes less, and scales and "
        f"conversions take over {parts.added:,} bytes"
    ]


def check_integer_io(request: Request, name: str) -> None:
    """Raise a `ValueError` if only the inputs and outputs of a file are integers."""
    if request.io == "float32":
        return
    parts = IntegerParts.read(request.file)
    if parts.float_operators and not parts.integer_operators:
        raise ValueError(
            f"io={request.io!r} makes no sense for {name!r}: nothing but its inputs and outputs would be "
            f"quantized, as {', '.join(parts.float_operators)} stay in float. Leave io= out; "
            "quantization='float16' makes the file smaller."
        )


def _name(model: schema.Model, operator: schema.Operator) -> str:
    code = model.OperatorCodes(operator.OpcodeIndex())
    # Codes over 127 do not fit the older field, which then contains a placeholder.
    return _NAMES.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "custom operators")


def _is_integer(graph: schema.SubGraph, operator: schema.Operator) -> bool:
    outputs = (graph.Tensors(operator.Outputs(i)) for i in range(operator.OutputsLength()))
    return any(tensor.Type() in _INTEGERS and _scales(tensor) for tensor in outputs)


def _scales(tensor: schema.Tensor) -> int:
    quantization = tensor.Quantization()
    return 0 if quantization is None else int(quantization.ScaleLength())


def _saved(model: schema.Model, tensor: schema.Tensor) -> int:
    if not model.Buffers(tensor.Buffer()).DataLength():
        return 0
    shape = [tensor.Shape(axis) for axis in range(tensor.ShapeLength())]
    return _SAVED.get(tensor.Type(), 0) * math.prod(shape)


def _added(tensor: schema.Tensor) -> int:
    scales = _scales(tensor)
    return _TABLE_BYTES + 12 * scales if scales else 0
