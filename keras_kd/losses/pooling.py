"""Pooling of maps of different sizes to the same size, for both losses and projections.

The larger map is average-pooled to the smaller, axis by axis: if the teacher's map is higher and the
student's is wider, both are pooled. If a size is not a multiple of the other, the windows overlap, as
in adaptive pooling: output `i` of `n` averages the positions from `floor(i L / n)` to
`ceil((i + 1) L / n)`. Nothing is ever upsampled.

Only maps and volumes (rank 4 and 5) are pooled. The positions of a sequence have no scale, so sequences
of different lengths are rejected, and so are signals of different ranks. Sizes that are unknown until the
model runs are compared then.
"""

from collections.abc import Sequence

from keras import ops

from keras_kd.losses.inputs import Mask
from keras_kd.tensors import Tensor

_OF_TWO_RANKS = (
    "Their ranks differ, so their positions do not correspond. Tap layers of the same "
    "rank, or convert the student's signal to the teacher's rank with a layer such as "
    "project=keras.layers.Reshape(...) or GlobalAveragePooling2D()."
)
_OF_TWO_LENGTHS = (
    "Sequences of different lengths are not pooled: their tokens are not the same ones. Tap layers before "
    "tokens are merged or dropped, use the same tokenization for both models, or shorten the student's "
    "signal with a layer such as project=keras.layers.AveragePooling1D()."
)


def match_maps(
    teacher: Tensor, student: Tensor, mask: Mask = None, names: tuple[str, str] = ("teacher", "student")
) -> tuple[Tensor, Tensor]:
    """Average-pool the larger of two signals to the spatial size of the smaller (see the module).

    Args:
        teacher: `(batch, ...positions, channels)`. Vectors `(batch, width)` are returned unchanged.
        student: The same.
        mask: The padding mask, which must match the positions of both signals.
        names: What error messages call the two.

    Raises:
        ValueError: Different ranks; sequences of different lengths; a mask with maps of different sizes.
    """
    received = f"Received: {names[0]} {tuple(teacher.shape)}, {names[1]} {tuple(student.shape)}."
    if len(teacher.shape) != len(student.shape):
        raise ValueError(f"Expected signals of the same shape. {received} {_OF_TWO_RANKS}")
    axes = range(1, len(student.shape) - 1)
    sizes = [(teacher.shape[axis], student.shape[axis]) for axis in axes]
    known = [(t, s) for t, s in sizes if t is not None and s is not None]
    if all(t == s for t, s in known) and (len(known) == len(sizes) or mask is not None or len(axes) == 1):
        return teacher, student
    if len(axes) == 1:
        raise ValueError(f"Expected signals of the same shape. {received} {_OF_TWO_LENGTHS}")
    if mask is not None:
        raise ValueError(
            f"Expected signals of the same shape. {received} Maps of different sizes are pooled, and "
            f"then the mask {tuple(mask.shape)} no longer fits. Tap layers of the same height and width, or "
            "pass no mask."
        )
    smaller = [_smaller(teacher, student, axis) for axis in axes]
    return pool_to(teacher, smaller), pool_to(student, smaller)


def pool_larger_axes(maps: Tensor, sizes: Sequence[int | None]) -> Tensor:
    """Average-pool maps or volumes to these sizes along every axis on which they are larger.

    Sequences, signals of another rank and signals of unknown size are returned unchanged.
    """
    lengths = tuple(maps.shape)[1:-1]
    if len(lengths) < 2 or len(lengths) != len(sizes):
        return maps
    known = [(length, size) for length, size in zip(lengths, sizes, strict=True) if length and size]
    return pool_to(maps, [min(pair) for pair in known]) if len(known) == len(sizes) else maps


def _smaller(teacher: Tensor, student: Tensor, axis: int) -> int | Tensor:
    t, s = teacher.shape[axis], student.shape[axis]
    if t is not None and s is not None:
        return min(t, s)
    return ops.minimum(ops.shape(teacher)[axis], ops.shape(student)[axis])


def pool_to(maps: Tensor, sizes: Sequence[int | Tensor]) -> Tensor:
    """Average-pool `(batch, ...positions, channels)` to these sizes along the axes of positions."""
    lengths = tuple(maps.shape)[1:-1]
    if all(isinstance(s, int) and n == s for n, s in zip(lengths, sizes, strict=True)):
        return maps
    divides = [
        isinstance(s, int) and n is not None and n % s == 0 for n, s in zip(lengths, sizes, strict=True)
    ]
    # TensorFlow cannot pool float64 volumes.
    if all(divides) and (len(sizes) < 3 or ops.dtype(maps) != "float64"):
        window = tuple(n // s for n, s in zip(lengths, sizes, strict=True))
        return ops.average_pool(maps, window, strides=window, padding="valid", data_format="channels_last")
    for axis, size in enumerate(sizes, 1):
        if maps.shape[axis] is None or not isinstance(size, int) or maps.shape[axis] != size:
            maps = _averaged(maps, axis, size)
    return maps


def _averaged(maps: Tensor, axis: int, size: int | Tensor) -> Tensor:
    """Pool along one axis, even one of unknown size, by a product with a matrix of weights."""
    length = ops.shape(maps)[axis]
    cells = ops.expand_dims(ops.arange(0, size, dtype="int32"), 1)
    positions = ops.arange(0, length, dtype="int32")
    start, end = cells * length // size, ((cells + 1) * length + size - 1) // size
    inside = ops.cast(ops.logical_and(positions >= start, positions < end), maps.dtype)
    weights = inside / ops.sum(inside, axis=1, keepdims=True)
    letters = "abcde"[: len(maps.shape)]
    return ops.einsum(f"z{letters[axis]},{letters}->{letters.replace(letters[axis], 'z')}", weights, maps)
