"""Shapes of signals: one shape, or a tuple of shapes."""

from typing import Any, TypeAlias, TypeGuard

from keras_kd.tensors import Shape

Shapes: TypeAlias = Shape | tuple[Shape, ...]


def is_shape(shape: object) -> TypeGuard[Shape]:
    """Whether this is a single shape, not a tuple of shapes.

    Examples:
        >>> is_shape((None, 8)), is_shape(((None, 8), (None, 4)))
        (True, False)
    """
    return isinstance(shape, (tuple, list)) and all(d is None or hasattr(d, "__index__") for d in shape)


def shapes_of(shapes: Shapes) -> tuple[Shape, ...]:
    """The shapes of several signals; a single shape as a tuple of one."""
    return (tuple(shapes),) if is_shape(shapes) else tuple(shapes)  # type: ignore[arg-type]


def normalize_shapes(shapes: object) -> Any:
    """Tuples of integers, with a batch axis of unknown size; `None` stays `None`.

    Examples:
        >>> normalize_shapes([[32, 4, 8], [32, 5]])
        ((None, 4, 8), (None, 5))
    """
    if is_shape(shapes):
        return (None, *(None if d is None else int(d) for d in shapes[1:]))
    return tuple(map(normalize_shapes, shapes)) if isinstance(shapes, (tuple, list)) else None
