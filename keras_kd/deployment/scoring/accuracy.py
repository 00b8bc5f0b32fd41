"""Correct answers, agreement and differences, counted in one pass over the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
            truth: the correct classes, in the same shape; -1 for those that do not count.
            reference: another model's predictions.
        """
        self.answers += classes.size
        self.broken += int((classes < 0).sum())
        if truth is not None:
            counts = truth >= 0
            self.labelled += int(counts.sum())
            self.right += int(((classes == truth) & counts).sum())
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
        with np.errstate(invalid="ignore"):
            error = np.abs(output.astype("float64") - reference.astype("float64"))
        error[output == reference] = 0.0  # of infinities, too
        self.elements += error.size
        self.total += float(error.sum())
        # np.maximum propagates NaN, which must not look like agreement.
        self.largest = float(np.maximum(self.largest, error.max(initial=0.0)))

    @property
    def mean(self) -> float:
        """Mean |difference|; 0 if nothing was compared."""
        return self.total / max(1, self.elements)
