"""Which of the students that were trained is worth its files."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_kd.jobs.training_files import Kind
from keras_kd.jobs.trainings import Trained


@dataclass(frozen=True)
class Selection:
    """The students of an experiment, and the better ones of them by their scores on validation data.

    Test data has no say here, so that the figures of the chosen student on it are no luckier than others.

    Args:
        students: All of them, of both kinds.
        tap: The tap of the output that decides.
    """

    students: Sequence[Trained]
    tap: str = "output"

    def of_kind(self, kind: Kind) -> list[Trained]:
        """The students of one kind, by seed."""
        return sorted((s for s in self.students if s.kind == kind), key=lambda student: student.seed)

    def on_validation(self, kind: Kind) -> float:
        """The mean score of a kind on validation data, over seeds."""
        return float(np.mean([student.validation[self.tap].mean() for student in self.of_kind(kind)]))

    def on_test(self, kind: Kind, tap: str | None = None) -> np.ndarray:
        """The scores of a kind on the test samples, `(seeds, samples)`."""
        return np.stack([student.test[tap or self.tap] for student in self.of_kind(kind)])

    @property
    def better(self) -> Kind:
        """The kind that is better on validation data; the one that needs no teacher if both are equal."""
        return "distilled" if self.on_validation("distilled") > self.on_validation("alone") else "alone"

    def best(self, kind: Kind) -> Trained:
        """The student of a kind that is best on validation data, the first of equal ones."""
        return max(self.of_kind(kind), key=lambda student: student.validation[self.tap].mean())

    @property
    def chosen(self) -> Trained:
        """The student that files are made from: the best one of the better kind."""
        return self.best(self.better)
