"""Class numbers out of labels, in whatever form they come."""

from __future__ import annotations

from typing import Any

import numpy as np


def true_classes(labels: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """Labels as class numbers, for scores of a shape; `None` for labels that name no class.

    Args:
        labels: class numbers `(samples, ...)`, with or without a last axis of 1, or rows of
            probabilities, one-hot or soft, in the shape of the scores.
        shape: of the scores, `(samples, ..., classes)`.

    Raises:
        ValueError: for labels of another shape, or outside the classes.
    """
    labels = np.asarray(labels)
    if labels.shape == shape and shape[-1] > 1:
        distributions = (labels >= 0).all() and np.allclose(labels.sum(-1), 1, atol=1e-3)
        return labels.argmax(-1) if distributions else None
    if labels.shape == (*shape[:-1], 1):
        labels = labels[..., 0]
    if labels.shape != shape[:-1]:
        raise ValueError(
            f"Labels of shape {labels.shape} do not fit outputs of shape {shape}: expected class "
            f"numbers {shape[:-1]} or one-hot rows {shape}."
        )
    if shape[-1] < 2 or not np.array_equal(labels, np.floor(labels)):
        return None
    if labels.size and (labels.min() < 0 or labels.max() >= shape[-1]):
        raise ValueError(
            f"Labels must be 0 to {shape[-1] - 1}, as there are {shape[-1]} outputs. "
            f"Received {labels.min():g} to {labels.max():g}."
        )
    return labels.astype("int64")
