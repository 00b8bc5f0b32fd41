"""The positions of a constant that is stored without its zeros: do they fit its shape?

LiteRT writes where they say without looking. This module imports no TensorFlow; see `validation.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_Level: TypeAlias = schema.DimensionMetadata
_VECTORS = {
    schema.SparseIndexVector.Int32Vector: schema.Int32Vector,
    schema.SparseIndexVector.Uint16Vector: schema.Uint16Vector,
    schema.SparseIndexVector.Uint8Vector: schema.Uint8Vector,
}


def sparsity_fault(sparsity: schema.SparsityParameters, shape: Sequence[int]) -> tuple[int, str | None]:
    """How many elements are stored, and what is wrong with their positions, if anything.

    Args:
        sparsity: The positions: one level for each axis, and for each axis of a block.
        shape: Of the tensor with its zeros.
    """
    levels = [sparsity.DimMetadata(number) for number in range(sparsity.DimMetadataLength())]
    order = [] if sparsity.TraversalOrderIsNone() else sparsity.TraversalOrderAsNumpy().tolist()
    blocked = [] if sparsity.BlockMapIsNone() else sparsity.BlockMapAsNumpy().tolist()
    axes = len(shape) + len(blocked)
    if (
        sorted(order) != list(range(axes))
        or len(levels) != axes
        or not set(blocked) <= set(range(len(shape)))
    ):
        return 0, "is sparse, with axes that do not fit its shape"
    sizes = _sizes(levels, order, blocked, shape)
    stored = 1
    for level, axis in zip(levels, order, strict=True):
        size = sizes[axis]
        if level.Format() == schema.DimensionType.DENSE:
            if level.DenseSize() != size:
                return 0, f"is sparse, with {level.DenseSize()} places instead of {size} along an axis"
            stored *= size
            continue
        segments = _vector(level.ArraySegmentsType(), level.ArraySegments())
        indices = _vector(level.ArrayIndicesType(), level.ArrayIndices())
        if not _fit(segments, indices, stored, size):
            return 0, f"is sparse, with positions outside of its shape {tuple(shape)}"
        stored = len(indices)
    return stored, None


def _sizes(
    levels: Sequence[_Level], order: Sequence[int], blocked: Sequence[int], shape: Sequence[int]
) -> list[int]:
    """The places along each axis: in blocks, first, and then in one block."""
    sizes = list(shape)
    for number, axis in enumerate(blocked):
        size = levels[order.index(len(shape) + number)].DenseSize()
        sizes[axis] //= max(1, size)
        sizes.append(size)
    # Blocks that do not fill an axis leave a product that differs from that of the shape.
    return sizes if math.prod(sizes) == math.prod(shape) else [-1] * len(sizes)


def _vector(kind: int, table: flatbuffers.table.Table | None) -> np.ndarray:
    if kind not in _VECTORS or table is None:
        return np.zeros(0, "int64")
    vector = _VECTORS[kind]()
    vector.Init(table.Bytes, table.Pos)
    return np.zeros(0, "int64") if vector.ValuesIsNone() else vector.ValuesAsNumpy().astype("int64")


def _fit(segments: np.ndarray, indices: np.ndarray, rows: int, size: int) -> bool:
    """Whether the indices of each row, which lie between two segments, are places along the axis."""
    return (
        len(segments) == rows + 1
        and segments[0] == 0
        and segments[-1] == len(indices)
        and bool((np.diff(segments) >= 0).all())
        and bool(((indices >= 0) & (indices < size)).all())
    )
