"""Counts, in the steps of an epoch, of the classes that labels hold and that both models answer."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_kd.tensors import Shape, Tensor


class Counted(NamedTuple):
    """What was counted since the last time, of the samples whose label counts.

    Attributes:
        labels: How often each class was the label.
        answers: How often each class was the teacher's answer.
        right: How often the teacher's answer was the label.
        steps: How many steps there were.
        mixed: How many of them had samples of several classes.
        in_mixed: How many samples those had.
        alike: How many of those samples had the most frequent label of their batch.
        answered_alike: To how many of them the student gave its most frequent answer to their batch.
    """

    labels: np.ndarray
    answers: np.ndarray
    right: int
    steps: int
    mixed: int
    in_mixed: int
    alike: int
    answered_alike: int

    @property
    def samples(self) -> int:
        """How many samples were counted."""
        return int(self.labels.sum())

    @property
    def frequent(self) -> float:
        """The share of the most frequent label."""
        return float(self.labels.max()) / self.samples


_FIGURES = 6  # besides those of each class


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
                tf.zeros(2 * classes + _FIGURES),
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
        counts = tf.reduce_sum(rows, -1, keepdims=True)  # 1 for a sample that does, 0 for others
        of_labels = tf.reduce_sum(rows, 0)
        of_student = tf.reduce_sum(self._one_hot(tf.argmax(student, -1)) * counts, 0)
        of_teacher, right = tf.zeros_like(of_labels), tf.zeros(())
        if teacher is not None:
            answers = self._one_hot(tf.argmax(teacher, -1))
            of_teacher, right = tf.reduce_sum(answers * counts, 0), tf.reduce_sum(answers * rows)
        in_batch = 1.0, tf.reduce_sum(of_labels), tf.reduce_max(of_labels), tf.reduce_max(of_student)
        mixed = tf.cast(tf.math.count_nonzero(of_labels) > 1, "float32")
        figures = [right, 1.0, *(mixed * figure for figure in in_batch)]
        self._variable.assign_add(tf.concat([of_labels, of_teacher, tf.stack(figures)], 0))

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
        labels, answers, figures = np.split(total, [self._classes, 2 * self._classes])
        return Counted(labels, answers, *map(int, figures))


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
