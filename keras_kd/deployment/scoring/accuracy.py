"""Correct answers, agreement and differences, counted in one pass over the data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

# A table of more classes is no longer read, and takes more memory than the models.
MOST_CLASSES = 1000
_Z = NormalDist().inv_cdf(0.975)


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
        confusions: `(classes, classes + 1)`, how often samples of a class (row) got an answer (column; the
            last one stands for none); `None` if this is not counted.
    """

    answers: int = 0
    broken: int = 0
    labelled: int = 0
    right: int = 0
    compared: int = 0
    agreed: int = 0
    confusions: np.ndarray | None = field(default=None, compare=False)
    _scores: list[np.ndarray] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def of_classes(cls, classes: int) -> Accuracy:
        """No answers yet, each of them one of so many classes; 0 if it is something else."""
        counted = 0 < classes <= MOST_CLASSES
        return cls(confusions=np.zeros((classes, classes + 1), "int64") if counted else None)

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
            right = (classes == truth) & counts
            self.labelled += int(counts.sum())
            self.right += int(right.sum())
            self._scores.append(_shares(right, counts))
            if self.confusions is not None:
                places = truth[counts] * self.confusions.shape[1] + classes[counts] % self.confusions.shape[1]
                np.add.at(self.confusions.reshape(-1), places, 1)
        if reference is not None:
            # Two models that both fail to predict do not agree.
            self.compared += classes.size
            self.agreed += int(((classes == reference) & (classes >= 0)).sum())

    @property
    def accuracy(self) -> float | None:
        """Fraction of correct predictions, 0 to 1; `None` without labels."""
        return self.right / self.labelled if self.labelled else None

    @property
    def scores(self) -> np.ndarray:
        """The fraction of correct predictions of each sample, `(samples,)`; NaN for those without labels."""
        return np.concatenate([np.zeros(0, "float32"), *self._scores])

    def interval(self) -> tuple[float, float] | None:
        """The interval of the accuracy at 95 %, by Wilson (1927, doi:10.1080/01621459.1927.10502953).

        Answers about the same sample, such as those of a map, are alike: they count as fewer, by their
        variance from sample to sample.
        """
        share, samples = self.accuracy, self._independent()
        if share is None:
            return None
        shrunk = _Z**2 / samples
        middle = (share + shrunk / 2) / (1 + shrunk)
        reach = math.sqrt(shrunk * (share * (1 - share) + shrunk / 4)) / (1 + shrunk)
        return max(0.0, middle - reach), min(1.0, middle + reach)

    def _independent(self) -> float:
        """How many answers there would be if each said as much as one about a sample of its own."""
        scores = self.scores[~np.isnan(self.scores)].astype("float64")
        if self.labelled == len(scores) or len(scores) < 2:
            return len(scores)
        share, variance = self.right / self.labelled, scores.var(ddof=1) / len(scores)
        spread = share * (1 - share)
        return min(self.labelled, spread / variance) if variance > 0 and spread > 0 else len(scores)

    @property
    def agreement(self) -> float | None:
        """Fraction of predictions that agree with the other model's, 0 to 1; `None` without one."""
        return self.agreed / self.compared if self.compared else None


def _shares(right: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Of each sample, the fraction of its answers that are right among those that count."""
    places = tuple(range(1, counts.ndim))
    with np.errstate(invalid="ignore"):
        return (right.sum(places) / counts.sum(places)).astype("float32")


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
