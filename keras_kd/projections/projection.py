"""The base class of all projections: a layer that maps the student's signal to the teacher's width."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras

from keras_kd.losses.arguments import check_integer
from keras_kd.projections.shapes import Shapes, is_shape, normalize_shapes, shapes_of
from keras_kd.tensors import Shape

# How the errors of `Projection.require` describe the signals of most projections.
READS_ONE_SIGNAL = "one signal of vectors, tokens, maps or volumes (batch, ...positions, width)"


@keras.saving.register_keras_serializable("keras_kd")
class Projection(keras.layers.Layer):
    """Base class of the projections here, and of custom ones that take the teacher's width.

    A subclass creates its weights in `build(input_shape)`, using `self.width_of(i)`, and computes in
    `call`. Arguments of `__init__` that are stored in attributes of the same name form its configuration.
    An `Objective` calls `size_for` before it builds the layer; elsewhere, pass `units` or call
    `size_for` yourself.

    A projection computes in float32 by default, trains with the student, and is not part of the
    student's file.

    Args:
        units: The width of the result. `None`: the teacher's.
        dtype: As for any Keras layer, but float32 by default, whatever the global policy.
        **kwargs: `name` and `trainable`, as for any Keras layer.

    Raises:
        ValueError: `units` is not an integer of at least 1.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> @keras.saving.register_keras_serializable("examples")
        ... class Scaled(kd.projections.Projection):
        ...     def build(self, input_shape):
        ...         self.scale = self.add_weight(shape=(self.width_of(0),), initializer="ones")
        ...     def call(self, signal):
        ...         return signal * self.scale
        >>> layer = Scaled()
        >>> layer.size_for((None, 8))
        >>> tuple(layer(keras.ops.ones((2, 8))).shape)
        (2, 8)
    """

    def __init__(
        self, units: int | None = None, *, dtype: str | keras.DTypePolicy = "float32", **kwargs: Any
    ) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.units = None if units is None else check_integer("units", units)
        self.teacher_shape: Shapes | None = None
        self.supports_masking = True

    def size_for(self, teacher_shape: Sequence[object] | None) -> None:
        """Set the shape that the student's signal is mapped to.

        Args:
            teacher_shape: The shape of the teacher's signal with the batch axis first, or a tuple
                of such shapes if the objective reads several. A projection that reads one signal
                takes the first: the others are labels or indices.

        Raises:
            ValueError: The layer was already built for another shape.
        """
        shape = normalize_shapes(teacher_shape)
        if self.built and self.teacher_shape not in (None, shape):
            raise ValueError(
                f"{self._what} is built for a teacher's signal of the shape {self.teacher_shape}, and "
                f"cannot be sized for {shape} too. Create another one for each pair of layers."
            )
        self.teacher_shape = shape

    def shape_of(self, part: int) -> Shape | None:
        """The shape of one of the teacher's signals, or `None` before `size_for`."""
        if self.teacher_shape is None:
            return None
        shapes = shapes_of(self.teacher_shape)
        if part >= len(shapes):
            raise ValueError(
                f"{self._what} reads at least {part + 1} signals of the student, and the teacher has "
                f"{len(shapes)}. Pass as many teacher taps as student taps."
            )
        return shapes[part]

    def width_of(self, part: int) -> int:
        """The width of the result for one of the student's signals.

        Raises:
            ValueError: Neither `units` nor the teacher's width is known.
        """
        if self.units is not None:
            return self.units
        shape = self.shape_of(part)
        if shape is None:
            raise ValueError(
                f"{self._what} takes the teacher's width, which is unknown. A kd.Objective sets it; else "
                "pass `units=...`, or call `size_for(teacher_shape)` first."
            )
        if len(shape) < 2 or shape[-1] is None:
            raise ValueError(
                f"{self._what} needs a known width of the teacher's signal. Received: {shape}. Pass "
                "`units=...`, or tap a layer whose last axis is known."
            )
        return shape[-1]

    def require(self, shape: object, ranks: tuple[int, ...], reads: str, part: int = 0) -> Shape:
        """Return the student's shape as a tuple; a `ValueError` for other ranks or an unknown width."""
        shape = tuple(shape) if is_shape(shape) else shape
        of_teacher = self.shape_of(part)
        if not is_shape(shape) or len(shape) not in ranks:
            raise ValueError(f"{self._what} reads {reads}. Received the shape {shape}.")
        if of_teacher is not None and self.units is None and len(of_teacher) != len(shape):
            raise ValueError(
                f"{self._what} matches channels, not ranks: the student's signal has the shape "
                f"{shape}, the teacher's {of_teacher}. Tap layers of the same rank, or pass your own layer."
            )
        if shape[-1] is None:
            raise ValueError(f"{self._what} needs a known width of the student's signal. Received: {shape}.")
        return shape

    @property
    def _what(self) -> str:
        return f"{type(self).__name__} ({self.name!r})"

    def get_config(self) -> dict[str, Any]:
        names = [n for n in inspect.signature(type(self).__init__).parameters if n in self.__dict__]
        own = {"units": self.units, **{n: getattr(self, n) for n in names}}
        sized = {} if self.teacher_shape is None else {"teacher_shape": self.teacher_shape}
        return {**super().get_config(), **own, **sized}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Projection":
        config = dict(config)
        shape = config.pop("teacher_shape", None)
        layer = cls(**config)
        if shape is not None:
            layer.size_for(shape)
        return layer
