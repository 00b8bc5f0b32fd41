"""BatchNorm statistics that lag behind: those of a teacher are told, those of a training are renewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_kd.compression.batch_norm.recalibration import assign_statistics, recalibrate
from keras_kd.compression.statistics import (
    describe_gaps,
    far_statistics,
    moments_met,
    normalizations_in,
)
from keras_kd.datasets import Data
from keras_kd.jobs.scoring import score
from keras_kd.jobs.tasks import Task
from keras_kd.reports.paired_test import compare_scores


@dataclass(frozen=True)
class Renewal:
    """What new BatchNorm statistics do to a model that was trained.

    Args:
        gap: How far the old ones were from those of the training data, in standard deviations.
        before: The mean score on validation data with the old ones.
        after: The same with the new ones.
        kept: Whether the model has the new ones: not if it is worse with them, beyond chance.
    """

    gap: float
    before: float
    after: float
    kept: bool = True

    def describe(self, task: Task, *, chose_epoch: bool = False) -> str:
        """One line.

        Args:
            task: What the output is for that is judged.
            chose_epoch: Whether the model is that of the epoch that was best with the old ones.
        """
        old, new = task.figures(self.before, self.after)
        if not self.kept:
            return (
                f"its BatchNorm statistics are {self.gap:.2g} standard deviations from those of the training "
                f"data; with these, its validation {task.measure} would be {new} instead of {old}, so they "
                "stay"
            )
        judged = "; --early-stopping judged the epochs by the old ones" if chose_epoch else ""
        return (
            f"its BatchNorm statistics lagged {self.gap:.2g} standard deviations behind and are now those of "
            f"the training data: validation {task.measure} {old} -> {new}{judged}"
        )


class StatisticsInTraining:
    """The BatchNorms of a model that is about to be trained.

    Moving statistics need several hundred steps to arrive. Those that a training does not move, as of frozen
    layers, are what the weights were trained with, and stay.

    Args:
        model: The model.

    Examples:
        >>> norm = keras.layers.BatchNormalization(name="norm")
        >>> model = keras.Sequential([keras.Input((2,)), norm])
        >>> statistics = StatisticsInTraining(model)
        >>> x = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> _ = model(x, training=True)
        >>> batches = tf.data.Dataset.from_tensors(x)
        >>> statistics.renew(batches, lambda: np.array([0.0, 1.0])).kept
        True
        >>> norm.moving_mean.numpy().tolist()
        [2.0, 5.0]
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._means = {path: layer.moving_mean.numpy() for path, layer in normalizations_in(model).items()}

    def renew(self, batches: tf.data.Dataset, judge: Callable[[], np.ndarray]) -> Renewal | None:
        """Give those that lag the statistics of the data, unless the model is worse with them.

        Args:
            batches: The training data as the model saw it.
            judge: Returns how right the model, as it is, is about each validation sample.

        Returns:
            What they do to the model; `None` if nothing lags, and nothing was changed.
        """
        layers = normalizations_in(self._model)
        moved = [path for path, mean in self._means.items() if np.any(layers[path].moving_mean != mean)]
        gaps = far_statistics(self._model, batches) if moved else {}
        lagging = [gap for path, gap in gaps.items() if path in moved]
        if not lagging:
            return None
        weights, before = self._model.get_weights(), judge()
        met, _ = moments_met(self._model, batches, anew=moved)
        assign_statistics(self._model, {path: met[path] for path in moved})
        after = judge()
        kept = not _is_worse(after, before)
        if not kept:
            self._model.set_weights(weights)
        return Renewal(max(lagging), float(before.mean()), float(after.mean()), kept)


def _is_worse(after: np.ndarray, before: np.ndarray) -> bool:
    return compare_scores(after, before).outcome == "worse"


def doubt_statistics(teacher: keras.Model, task: Task, data: Data) -> list[str]:
    """A sentence about BatchNorm statistics of a teacher that are far from those of the training data.

    Args:
        teacher: The teacher.
        task: What the output is for that is judged.
        data: The data.

    Returns:
        Nothing if they are not far, or if the teacher is better with them beyond chance, as one whose
        BatchNorms were frozen while it was trained.
    """
    gaps = far_statistics(teacher, data.train)
    if not gaps:
        return []
    models = teacher, recalibrate(teacher, data.train)
    before, after = (score(model, [task], data, "validation")[task.tap] for model in models)
    if _is_worse(after, before):
        return []
    old, new = task.figures(float(before.mean()), float(after.mean()))
    return [
        f"{describe_gaps(teacher.name, gaps, 'the training data')}: its {task.measure} on validation data is "
        f"{old}, and {new} after keras-kd recalibrate. Recalibrate it first, or a gain against it may come "
        "from new statistics alone."
    ]


def describe_renewals(renewals: Mapping[str, Renewal], task: Task) -> str:
    """What a report says of models whose statistics were renewed; empty for none.

    Args:
        renewals: By the names of the models.
        task: What the output is for that is judged.
    """
    kept = {name: renewal for name, renewal in renewals.items() if renewal.kept}
    if not kept:
        return ""
    each = ", ".join(
        f"{name} {' -> '.join(task.figures(renewal.before, renewal.after))}" for name, renewal in kept.items()
    )
    return (
        "BatchNorm statistics lagged behind these trainings and were taken anew from the training data. "
        f"Validation {task.measure} before and after: {each}. The curves show it before."
    )
