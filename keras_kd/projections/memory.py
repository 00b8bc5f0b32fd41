"""A memory bank of the teacher's features, one row per sample: more negatives than in one batch."""

from typing import Any

import keras
from keras import layers, ops

from keras_kd.losses.arguments import check_integer
from keras_kd.losses.classes import have_other_labels, label_per_sample
from keras_kd.projections.shapes import Shapes
from keras_kd.tensors import Shape, Tensor


@keras.saving.register_keras_serializable("keras_kd")
class MemoryBank(layers.Layer):
    """The teacher's normalized features of all training samples seen so far, by sample index.

    It is a layer for the teacher's side of an objective, and is not trained. Each step writes the
    rows of its samples, and passes to the loss all rows and which of them are negatives. The indices
    come with the data, as an input that the models may ignore, here `"index"`:
    `kd.Objective("contrastive_representation", student="pool", teacher=("pool", "input/index"),
    project=True, project_teacher=kd.projections.MemoryBank(50_000))`. Pass `"labels"` as a third
    teacher signal to exclude rows of the same class; a sample without a label (-1 or an all-zero
    one-hot row) has a different class from all others.

    A sample with an index below 0, or not below `samples`, is not stored: it changes no row, and
    all written rows are negatives for it. `bank.ignored` counts such samples; it is 0 when all
    indices are valid. If an index occurs twice in a batch, one of the two features is kept. Under
    `tf.distribute`, only the first replica's samples are written.

    Source: the memory of Tian, Krishnan, Isola 2020, "Contrastive Representation Distillation",
    arXiv 1910.10699, after Wu et al. 2018, arXiv 1805.01978. Theirs starts with random rows, draws
    16,384 of them, and reads them before it writes; here, exactly the rows that have been written
    count, and a step reads what it wrote.

    Args:
        samples: The number of samples, and of rows.
        momentum: A row that is written again becomes `momentum * old + (1 - momentum) * new`,
            normalized; 0.5 in the authors' code. 0 keeps the newest feature.
        dtype: float32 by default, whatever the global policy.
        **kwargs: `name` and `trainable`, as for any Keras layer.

    Shapes:
        Called on `(features, index)` or `(features, index, labels)`: `(batch, width)`;
        integers, `(batch,)` or `(batch, 1)`; labels the same, or one-hot `(batch, classes)`.
        Result: the normalized features, `(batch, width)`; all rows, `(samples, width)`; and a
        boolean mask of the negatives, `(batch, samples)`: rows that have been written, are not the
        sample's own, and, with labels, have another label.

    Raises:
        ValueError: Features that are not vectors; an index or labels of another shape.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> bank = kd.projections.MemoryBank(4)
        >>> features, rows, negatives = bank((np.eye(3, dtype="float32"), np.array([2, 0, 7])), training=True)
        >>> rows.numpy().tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
        >>> negatives.numpy()[0].tolist(), int(bank.ignored)
        ([True, False, False, False], 1)
    """

    def __init__(
        self,
        samples: int,
        momentum: float = 0.5,
        *,
        dtype: str | keras.DTypePolicy = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, **kwargs)
        self.samples = check_integer("samples", samples, least=2)
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be at least 0 and below 1. Received: {momentum!r}.")
        self.momentum = float(momentum)

    def build(self, input_shape: Shapes) -> None:
        shapes = [tuple(shape) for shape in input_shape if isinstance(shape, (tuple, list))]
        if len(shapes) not in (2, 3) or len(shapes) != len(input_shape):
            raise ValueError(
                f"MemoryBank is called on (features, index) or (features, index, labels). Received shapes: "
                f"{input_shape}. Read the index as a teacher tap: teacher=('pool', 'input/index')."
            )
        _check_shapes(shapes)
        width = shapes[0][-1]
        # The last row takes samples with an index out of range: writing out of range behaves differently
        # in eager mode, in graphs, under XLA and on each device.
        self.rows = self._memory("rows", (self.samples + 1, width), self.compute_dtype)
        self.written = self._memory("written", (self.samples + 1,), "int32")
        self.labels = self._memory("labels", (self.samples + 1,), "int32") if len(shapes) == 3 else None
        self.ignored = self._memory("ignored", (), "int32")

    def _memory(self, name: str, shape: Shape, dtype: str) -> keras.Variable:
        return self.add_weight(
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name=name,
        )

    def call(self, inputs: tuple[Tensor, ...], training: bool | None = None) -> tuple[Tensor, Tensor, Tensor]:
        features = ops.stop_gradient(_normalize(inputs[0]))
        index = ops.cast(ops.reshape(inputs[1], (-1,)), "int32")
        labels = ops.cast(label_per_sample(inputs[2]), "int32") if self.labels is not None else None
        known = ops.logical_and(index >= 0, index < self.samples)
        row = ops.where(known, index, self.samples)
        rows, written = self.rows.value, self.written.value
        labels_of_rows = None if self.labels is None else self.labels.value
        if training:
            rows, written = self._write(row, features, rows, written)
            self.ignored.assign_add(ops.sum(ops.cast(ops.logical_not(known), "int32")))
            if self.labels is not None:
                labels_of_rows = ops.scatter_update(labels_of_rows, row[:, None], labels)
                self.labels.assign(labels_of_rows)
        negatives = ops.not_equal(index[:, None], ops.arange(self.samples, dtype="int32"))
        negatives = ops.logical_and(negatives, written[: self.samples] > 0)
        if labels is not None and labels_of_rows is not None:
            other = have_other_labels(labels, labels_of_rows[: self.samples])
            negatives = ops.logical_and(negatives, other)
        return features, rows[: self.samples], negatives

    def _write(self, row: Tensor, features: Tensor, rows: Tensor, written: Tensor) -> tuple[Tensor, Tensor]:
        before = ops.take(rows, row, axis=0)
        again = ops.take(written, row)[:, None] > 0
        new = _normalize(self.momentum * before + (1 - self.momentum) * features)
        rows = ops.scatter_update(rows, row[:, None], ops.where(again, new, features))
        written = ops.scatter_update(written, row[:, None], ops.ones_like(row))
        self.rows.assign(rows)
        self.written.assign(written)
        return rows, written

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "samples": self.samples, "momentum": self.momentum}


def _normalize(features: Tensor) -> Tensor:
    return ops.normalize(features, axis=-1, order=2, epsilon=1e-12)


def _check_shapes(shapes: list[Shape]) -> None:
    if len(shapes[0]) != 2 or shapes[0][-1] is None:
        raise ValueError(
            f"MemoryBank stores vectors (batch, width) of known width. Received features of the shape "
            f"{shapes[0]}. Tap a layer after pooling."
        )
    index = shapes[1]
    if len(index) > 2 or (len(index) == 2 and index[1] != 1):
        raise ValueError(
            f"MemoryBank needs one index per sample, (batch,) or (batch, 1). Received an index of the shape "
            f"{index}."
        )
    if len(shapes) == 3 and len(shapes[2]) > 2:
        raise ValueError(
            f"MemoryBank reads labels (batch,), (batch, 1) or one-hot (batch, classes). Received the "
            f"shape {shapes[2]}."
        )
