"""ReviewKD's projection: each stage of the student is fused with the deeper ones."""

from typing import Any

import keras
from keras import layers, ops

from keras_kd.losses.arguments import check_integer
from keras_kd.projections.blocks import batch_normalization, convolution
from keras_kd.projections.projection import Projection
from keras_kd.projections.shapes import Shapes, is_shape, shapes_of
from keras_kd.tensors import Shape, Tensor

_READS = "a tuple of two or more signals, shallow to deep: maps (batch, height, width, channels) or vectors"


@keras.saving.register_keras_serializable("keras_kd")
class ReviewFusion(Projection):
    """Stages of the student, fused from the deepest to the shallowest: ReviewKD's ABF modules.

    Each stage is projected to `width` channels. The result of the deeper stage is upsampled to its
    size, and the two are added with weights that a 1x1 convolution with sigmoid computes at every
    position. The sum is passed to the next stage; after a 3x3 convolution and BatchNorm, it is the
    result of this stage. Use it with `kd.losses.HierarchicalContext`.

    Source: Chen, Liu, Zhao, Jia 2021, "Distilling Knowledge via Knowledge Review", arXiv
    2104.09044. It equals the authors' modules, which are also in mdistiller, in its layers, in the
    nearest-neighbor upsampling, and in the initialization of the convolutions except those of the
    attention, which are initialized like Keras's dense layers.

    Args:
        width: Channels during fusion. `None`: those of the student's deepest stage, but at most 512,
            as in the authors' code.
        **kwargs: As for `Projection`.

    Shapes:
        Student: a tuple of maps `(batch, height, width, channels)`, shallow to deep, of known size.
        A vector `(batch, channels)`, such as pooled features, is a map with one position. The
        teacher has the same number of them. Result: a tuple of signals of the teacher's shapes.

    Raises:
        ValueError: One signal instead of a tuple, a different number of signals than the teacher's,
            unknown sizes, signals that are neither maps nor vectors.

    Examples:
        >>> import keras
        >>> import keras_kd as kd
        >>> fusion = kd.projections.ReviewFusion()
        >>> fusion.size_for(((None, 8, 8, 32), (None, 4, 4, 64), (None, 64)))
        >>> stages = (keras.ops.ones((2, 8, 8, 8)), keras.ops.ones((2, 4, 4, 16)), keras.ops.ones((2, 16)))
        >>> [tuple(signal.shape) for signal in fusion(stages)]
        [(2, 8, 8, 32), (2, 4, 4, 64), (2, 64)]
    """

    def __init__(self, width: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = None if width is None else check_integer("width", width)

    def build(self, input_shape: Shapes) -> None:
        shapes = self._check_shapes(input_shape)
        width = self.width or min(512, shapes[-1][-1] or 512)
        self.inner: list[keras.layers.Layer] = []
        self.outer: list[keras.layers.Layer] = []
        self.attention: list[keras.layers.Layer] = []
        self.norms: list[keras.layers.Layer] = []
        for part, shape in enumerate(shapes):
            self._add_stage(part, _as_map(shape), width, deepest=part == len(shapes) - 1)

    def _add_stage(self, part: int, shape: Shape, width: int, deepest: bool) -> None:
        out = _as_map(self.shape_of(part))
        kwargs: dict[str, Any] = {"use_bias": False, "kernel_initializer": "lecun_uniform"}
        inner = layers.Dense(width, dtype=self.dtype_policy, **kwargs)
        outer = convolution(4, self.width_of(part), 3, dtype=self.dtype_policy, **kwargs)
        for layer, built_for in ((inner, shape), (outer, (*out[:-1], width))):
            layer.build(built_for)
        self.inner.append(inner)
        self.outer.append(outer)
        for built_for in ((*shape[:-1], width), (*out[:-1], self.width_of(part))):
            norm = batch_normalization(self.dtype_policy)
            norm.build(built_for)
            self.norms.append(norm)
        if not deepest:
            attention = layers.Dense(2, "sigmoid", dtype=self.dtype_policy)
            attention.build((*shape[:-1], 2 * width))
            self.attention.append(attention)

    def call(self, signals: tuple[Tensor, ...], training: bool | None = None) -> tuple[Tensor, ...]:
        results: list[Tensor] = []
        deeper = None
        for part in reversed(range(len(self.inner))):
            of_teacher = self.shape_of(part)
            maps = self.norms[2 * part](self.inner[part](_map_of(signals[part])), training=training)
            if deeper is not None:
                deeper = resize_nearest(deeper, tuple(maps.shape[1:3]))
                weights = self.attention[part](ops.concatenate([maps, deeper], axis=-1))
                maps = maps * weights[..., :1] + deeper * weights[..., 1:]
            deeper = resize_nearest(maps, _as_map(of_teacher)[1:3])
            result = self.norms[2 * part + 1](self.outer[part](deeper), training=training)
            results.insert(0, result[:, 0, 0] if of_teacher is not None and len(of_teacher) == 2 else result)
        return tuple(results)

    def _check_shapes(self, input_shape: Shapes) -> tuple[Shape, ...]:
        if is_shape(input_shape) or len(input_shape) < 2:
            raise ValueError(f"{self._what} reads {_READS}. Received the shape {input_shape}.")
        if self.teacher_shape is None:
            self.width_of(0)  # raises an error that says how to set the teacher's width
        shapes = shapes_of(input_shape)
        of_teacher = [self.shape_of(part) for part in range(len(shapes))]
        if self.teacher_shape is None or len(shapes_of(self.teacher_shape)) != len(shapes):
            raise ValueError(
                f"{self._what} fuses {len(shapes)} signals of the student into as many of the teacher. The "
                f"teacher's shapes are {self.teacher_shape}. Pass as many teacher taps as student taps."
            )
        for shape in (*shapes, *of_teacher):
            if shape is None or len(shape) not in (2, 4):
                raise ValueError(f"{self._what} reads {_READS}. Received the shape {shape}.")
            if None in shape[1:]:
                raise ValueError(
                    f"{self._what} needs known sizes and channels. Received the shape {shape}. Build the "
                    "model with a keras.Input of known height and width."
                )
        return shapes


def _as_map(shape: Shape | None) -> Shape:
    assert shape is not None
    return shape if len(shape) == 4 else (shape[0], 1, 1, shape[-1])


def _map_of(signal: Tensor) -> Tensor:
    return signal[:, None, None] if len(signal.shape) == 2 else signal


def resize_nearest(maps: Tensor, sizes: Shape) -> Tensor:
    """Maps resized to `(height, width)`; row `i` is the old row `floor(i * old / new)`, as in PyTorch."""
    for axis, size in enumerate(sizes, 1):
        length = maps.shape[axis]
        if size is None or size == length:
            continue
        if size % length == 0:
            maps = ops.repeat(maps, size // length, axis=axis)
        else:
            maps = ops.take(maps, [i * length // size for i in range(size)], axis=axis)
    return maps
