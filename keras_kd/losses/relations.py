"""Losses that read the batch: how samples relate to one another.

Each gives the row of every sample. A sample of weight zero has no row of its own, but it still
stands in the rows of the others.
"""

from typing import Any

import keras
from keras import ops

from keras_kd.losses.features import flatten, l2_normalize


@keras.saving.register_keras_serializable("keras_kd")
class SimilarityPreserving(keras.losses.Loss):
    """Squared distance between the pairwise similarities inside a batch.

    `||n(G_s) - n(G_t)||_F^2 / B^2` with `G = F F^T` over flattened features and `n` the L2 norm of
    each row. The value of sample i is its row, `sum_j (...)^2 / B`. Widths may differ; the value
    does not change when either model's features are rotated.

    Source: Tung, Mori 2019, "Similarity-Preserving Knowledge Distillation", arXiv 1907.09682. The
    usual weight, 3000 in the CRD benchmark (arXiv 1910.10699), is for this reduction.

    Shapes:
        teacher, student: `(batch, ...)`, any ranks and widths. Result: `(batch,)`.

    Examples:
        >>> import numpy as np
        >>> import keras_kd as kd
        >>> teacher, student = np.eye(2), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
        >>> float(kd.losses.SimilarityPreserving()(teacher, student))
        0.0
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "similarity_preserving",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, teacher: Any, student: Any) -> Any:
        difference = _similarities(student) - _similarities(ops.stop_gradient(teacher))
        return ops.mean(ops.square(difference), axis=-1)


def _similarities(features: Any) -> Any:
    flat = flatten(features)
    return l2_normalize(ops.matmul(flat, ops.transpose(flat)))
