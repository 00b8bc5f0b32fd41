"""Correct predictions, agreement and differences, counted in one pass over the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_kd.tensors import Tensor


def true_classes(labels: Tensor, shape: tuple[int, ...]) -> np.ndarray | None:
    """Labels as class numbers, for scores of a given shape; `None` for labels that are not classes.

    Args:
        labels: class numbers `(samples, ...)`, with or without a last axis of 1, or rows of
            probabilities, one-hot or soft, in the shape of the scores.
        shape: the shape of the scores, `(samples, ..., classes)`.

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


def top_classes(scores: np.ndarray) -> np.ndarray | None:
    """The class with the highest score, -1 where a score is NaN; `None` unless there is one score per class.

    Args:
        scores: `(samples, ..., classes)`, in floats.

    Examples:
        >>> top_classes(np.array([[0.1, 0.9], [np.nan, 0.2]])).tolist()
        [1, -1]
    """
    if scores.ndim < 2 or scores.shape[-1] < 2 or not np.issubdtype(scores.dtype, np.floating):
        return None
    return np.where(np.isnan(scores).any(-1), -1, scores.argmax(-1))


@dataclass
class Accuracy:
    """Running counts of correct predictions, and of those that agree with another model's.

    Args:
        answers: predictions so far.
        broken: those that are NaN; they are wrong, and agree with nothing.
        labelled: predictions with a label.
        right: correct predictions among these.
        compared: predictions that were compared with another model's.
        agreed: those of the same class.
    """

    answers: int = 0
    broken: int = 0
    labelled: int = 0
    right: int = 0
    compared: int = 0
    agreed: int = 0

    def add(
        self, classes: np.ndarray, truth: np.ndarray | None = None, reference: np.ndarray | None = None
    ) -> None:
        """Count one batch.

        Args:
            classes: the predicted classes; -1 stands for no prediction.
            truth: the correct classes, in the same shape.
            reference: another model's predictions.
        """
        self.answers += classes.size
        self.broken += int((classes < 0).sum())
        if truth is not None:
            self.labelled += classes.size
            self.right += int((classes == truth).sum())
        if reference is not None:
            # Two models that both fail to predict do not agree.
            self.compared += classes.size
            self.agreed += int(((classes == reference) & (classes >= 0)).sum())

    @property
    def accuracy(self) -> float | None:
        """Fraction of correct predictions, 0 to 1; `None` without labels."""
        return self.right / self.labelled if self.labelled else None

    @property
    def agreement(self) -> float | None:
        """Fraction of predictions that agree with the other model's, 0 to 1; `None` without one."""
        return self.agreed / self.compared if self.compared else None


@dataclass
class Differences:
    """Running absolute differences between two outputs; NaN once a difference is NaN.

    Args:
        elements: numbers compared so far.
        total: sum of |difference|.
        largest: largest |difference|.
    """

    elements: int = 0
    total: float = 0.0
    largest: float = 0.0

    def add(self, output: np.ndarray, reference: np.ndarray) -> None:
        """Compare one batch, element by element."""
        error = np.abs(output.astype("float64") - reference.astype("float64"))
        self.elements += error.size
        self.total += float(error.sum())
        # np.maximum propagates NaN, which must not look like agreement.
        self.largest = float(np.maximum(self.largest, error.max(initial=0.0)))

    @property
    def mean(self) -> float:
        """Mean |difference|; 0 if nothing was compared."""
        return self.total / max(1, self.elements)
