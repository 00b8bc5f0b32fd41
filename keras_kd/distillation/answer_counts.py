"""Counts, in the steps of an epoch, of the classes that labels hold and that both models answer."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_kd.tensors import Shape, Tensor


class Counted(NamedTuple):
    """What was counted since the last time, of the samples whose label counts.

    Attributes:
        labels: How often each class was the label.
        right: How often the teacher's answer was the label.
        steps: How many steps there were.
        mixed: How many of them had samples of several classes.
        same: To how many of those the student gave the same class for all samples.
    """

    labels: np.ndarray
    right: int
    steps: int
    mixed: int
    same: int

    @property
    def samples(self) -> int:
        """How many samples were counted."""
        return int(self.labels.sum())

    @property
    def frequent(self) -> float:
        """The share of the most frequent label."""
        return float(self.labels.max()) / self.samples


class AnswerCounts:
    """Counts in a variable that no Keras model tracks, so that it is neither a weight nor saved.

    Each replica counts for itself, and what the replicas of this worker counted is added up when it is read.

    Args:
        strategy: The one under which the steps run.
        classes: The number of classes.
        ignored: A label that does not count, or `None`.
    """

    def __init__(self, strategy: tf.distribute.Strategy, classes: int, ignored: int | None = None) -> None:
        self._strategy, self._classes, self._ignored = strategy, classes, ignored
        with strategy.scope():
            self._variable = tf.Variable(
                tf.zeros(classes + 4),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )

    def add(
        self, labels: Tensor, sample_weight: Tensor | None, student: Tensor, teacher: Tensor | None
    ) -> None:
        """Count a batch, within a step.

        Args:
            labels: Classes `(batch,)` or `(batch, 1)`, or the probability of each, `(batch, classes)`.
            sample_weight: A weight for each sample; those of weight 0 do not count.
            student: The student's outputs, `(batch, classes)`.
            teacher: The teacher's, or `None`.
        """
        rows = self._one_hot_labels(labels)
        if sample_weight is not None:
            weight = tf.reshape(tf.convert_to_tensor(sample_weight), (-1, 1))
            rows *= tf.cast(tf.not_equal(weight, 0), rows.dtype)
        of_labels = tf.reduce_sum(rows, 0)
        of_answers = tf.reduce_sum(self._one_hot(tf.argmax(student, -1)) * tf.reduce_sum(rows, -1, True), 0)
        mixed = tf.math.count_nonzero(of_labels) > 1
        same = mixed & (tf.math.count_nonzero(of_answers) == 1)
        right = tf.zeros(())
        if teacher is not None:
            right = tf.reduce_sum(self._one_hot(tf.argmax(teacher, -1)) * rows)
        figures = tf.stack([right, 1.0, tf.cast(mixed, "float32"), tf.cast(same, "float32")])
        self._variable.assign_add(tf.concat([of_labels, figures], 0))

    def _one_hot_labels(self, labels: Tensor) -> Tensor:
        """The labels as rows of one 1, or of zeros for one that does not count."""
        labels = tf.convert_to_tensor(labels)
        if labels.shape.rank == 2 and labels.shape[-1] == self._classes:
            total = tf.reduce_sum(tf.cast(labels, "float32"), -1, keepdims=True)
            is_one_class = tf.cast(tf.abs(total - 1) < 1e-2, "float32")  # and not several that apply
            return self._one_hot(tf.argmax(tf.cast(labels, "float32"), -1)) * is_one_class
        classes = tf.cast(tf.reshape(labels, (-1,)), "int32")
        found = self._one_hot(classes)  # of a label outside of the classes, zeros
        if self._ignored is not None:
            found *= tf.cast(tf.not_equal(classes, self._ignored), found.dtype)[:, None]
        return found

    def _one_hot(self, classes: Tensor) -> Tensor:
        return tf.one_hot(classes, self._classes)

    def read(self) -> Counted:
        """What was counted since the last time."""
        replicas = self._strategy.experimental_local_results(self._variable)
        total = sum(replica.numpy() for replica in replicas)
        for replica in replicas:
            replica.assign(tf.zeros_like(replica))
        return Counted(total[:-4], *(int(figure) for figure in total[-4:]))


# Of more classes, as of the words of a language, counting would be no longer cheap beside the step.
_MOST_CLASSES = 2048


def classes_of(shape: Shape | None) -> int | None:
    """The number of classes of outputs with this shape, if there is one answer for each sample.

    Examples:
        >>> classes_of((None, 10)), classes_of((None, 1)), classes_of((None, 8, 8, 3))
        (10, None, None)
    """
    if shape is None or len(shape) != 2 or shape[1] is None:
        return None
    return shape[1] if 2 <= shape[1] <= _MOST_CLASSES else None
