"""A teacher that knows nothing and a student that has collapsed, told by what both answer in the steps.

Nothing is run for it: the answers are counted where a step has them, and looked at once an epoch.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.distillation.answer_counts import AnswerCounts, Counted, classes_of
from keras_kd.distillation.compiled_losses import CompiledLoss, ignored_class, tells_classes_apart
from keras_kd.distillation.guessing import are_hardly_related
from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.tapped import Tapped
from keras_kd.signals.batches import Batch
from keras_kd.tensors import Tensors

_FEWEST = 200  # samples in an epoch: of fewer, nothing is said
_STEPS = 100  # a student is judged by an epoch that begins after as many
# In the batches whose labels differ: the share of the samples with the most frequent answer to their batch,
# and with its most frequent label, at most. Of small batches the latter is large by chance.
_ALL, _LABELS = 0.99, 0.8
# The share of the batches whose labels differ, at least, and of the labels that are of one class, at most.
_MIXED, _BALANCED = 0.25, 0.6

_OF_TEACHER = (
    "Is it trained, are its inputs scaled as in its training (teacher_preprocess=...), and are its classes "
    "in the order of the labels?"
)
_OF_SIGNALS = "Are they of the same samples, from a trained teacher, with classes in the order of the labels?"


class Answers:
    """Warns at the end of an epoch of answers that tell of a useless run, once of each model.

    It is silent where classes are not told apart: unless the compiled loss reads one of several classes for
    each sample, and both models give a score for each. If an objective compares the outputs by a projection,
    the teacher's classes may be others, and it is not judged.

    Args:
        student: The student.
        teacher: The teacher; `None` if its signals come with the data.
    """

    def __init__(self, student: keras.Model, teacher: keras.Model | None) -> None:
        self._student, self._teacher = student, teacher
        self._counts: AnswerCounts | None = None
        self._reads_teacher = False
        self._steps = 0
        self._said: set[str] = set()
        self._state: list[float] = []  # of the teacher, at the start of the epoch

    def prepare(
        self, loss: CompiledLoss, signals: Signals, objectives: Iterable[Objective], labels: Tensors
    ) -> None:
        """Prepare for the steps that follow, before they are traced.

        Args:
            loss: What `compile` was given.
            signals: What is known of the models' signals.
            objectives: What compares them.
            labels: Those of the first batch.
        """
        found = signals.student.get("output", getattr(self._student, "output", None))
        classes = classes_of(getattr(found, "shape", None))
        if classes is None or not tells_classes_apart(loss) or not _is_dense(labels):
            self._counts = None
            return
        self._reads_teacher = any(map(_compares_classes, objectives)) and (
            classes_of(signals.teacher["output"].shape) == classes
        )
        if self._counts is None:  # else a step may be traced with it
            self._counts = AnswerCounts(self._student.distribute_strategy, classes, ignored_class(loss))
        self._state = self._state_of_teacher()

    def count(self, batch: Batch, outputs: Tensors, teacher: Tapped) -> None:
        """Count the answers to a batch, within a step."""
        if self._counts is None or not _is_dense(batch.labels):
            return
        [student] = keras.tree.flatten(outputs)
        of_teacher = teacher.raw["output"] if self._reads_teacher else None
        self._counts.add(batch.labels, batch.sample_weight, student, of_teacher)

    def restart(self) -> None:
        """Forget what was counted since the last epoch, as in steps out of `fit`."""
        if self._counts is not None:
            self._counts.read()
            self._state = self._state_of_teacher()

    def end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        """Warn of what an epoch, counted from 0, tells; nothing if its losses are not finite."""
        if self._counts is None:
            return
        counted, state = self._counts.read(), self._state_of_teacher()
        enough = counted.samples >= _FEWEST and np.isfinite((logs or {}).get("loss", 0.0))
        if enough and self._reads_teacher and state == self._state:  # it does not learn, too
            self._say("teacher", self._about_teacher(counted, epoch + 1))
            self._said.add("teacher")  # what it knows, it knows from the first epoch on
        if enough and self._steps >= _STEPS:
            self._say("student", self._about_student(counted, epoch + 1))
        self._steps, self._state = self._steps + counted.steps, state

    def _say(self, whom: str, sentence: str | None) -> None:
        if sentence is not None and whom not in self._said:
            self._said.add(whom)
            warnings.warn(sentence, stacklevel=2)

    def _about_teacher(self, counted: Counted, epoch: int) -> str | None:
        if not are_hardly_related(counted.right, counted.labels, counted.answers):
            return None
        whose, advice = "data's teacher signals give", _OF_SIGNALS
        if self._teacher is not None:
            whose, advice = f"teacher {self._teacher.name!r} gives", _OF_TEACHER
        share = counted.right / counted.samples
        return (
            f"The {whose} the label of {100 * share:.1f} % of the {counted.samples:,} samples of epoch "
            f"{epoch}, hardly more than guesses would, and class {counted.labels.argmax()} alone would be "
            f"right for {100 * counted.frequent:.1f} %: there is next to nothing to learn. {advice}"
        )

    def _about_student(self, counted: Counted, epoch: int) -> str | None:
        if counted.mixed < _MIXED * counted.steps or counted.frequent > _BALANCED:
            return None  # the labels themselves are nearly all the same, in the batches or in all
        if counted.alike > _LABELS * counted.in_mixed or counted.answered_alike < _ALL * counted.in_mixed:
            return None
        share = counted.answered_alike / counted.in_mixed
        return (
            f"The student {self._student.name!r} gives nearly all samples of a batch the same class, "
            f"{100 * share:.1f} % of those in the {counted.mixed} batches of epoch {epoch} whose labels "
            "differ: it has collapsed, or does not learn. Try a smaller learning rate, and check that the "
            "inputs are scaled and that the labels belong to them."
        )

    def _state_of_teacher(self) -> list[float]:
        """What tells whether a callback trains the teacher or averages it: the sums of its last weights."""
        weights = [] if self._teacher is None else self._teacher.weights[-2:]
        return [float(tf.reduce_sum(tf.cast(tf.convert_to_tensor(w), "float32"))) for w in weights]


def _is_dense(labels: Tensors) -> bool:
    return hasattr(labels, "shape") and not isinstance(labels, (tf.SparseTensor, tf.RaggedTensor))


def _compares_classes(objective: Objective) -> bool:
    """Whether an objective compares the outputs of both models as they are, class by class."""
    direct = objective.project is None and objective.project_teacher is None
    return direct and objective.student_taps == ("output",) and "output" in objective.teacher_taps
