"""The outputs of one model's taps in one pass."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from keras_kd.distillation.objectives import Objective
from keras_kd.keras_internals import logits_behind, mask_of
from keras_kd.projections import ClassSubset, TwoClasses
from keras_kd.signals.logits import logits_of
from keras_kd.signals.tracing import SignalSpec


class Tapped(NamedTuple):
    """Tensors by tap."""

    raw: dict[str, Any]
    logits: dict[str, Any]  # the same, with a softmax or sigmoid undone
    masks: dict[str, Any]  # the padding masks that came with them
    suppressing: dict[str, Any] | None = None  # logits that are minus infinity where a probability is 0

    @classmethod
    def of(cls, raw: dict[str, Any], signals: Mapping[str, SignalSpec], teacher: bool = False) -> "Tapped":
        """The tensors of signals, with their logits and masks.

        Args:
            raw: The tensors by tap.
            signals: What is known of them.
            teacher: Whether they are a teacher's: a student that gives a class no probability is to learn.
        """
        masks = {tap: mask_of(tensor) for tap, tensor in raw.items()}
        logits = {tap: logits_of(tensor, signals[tap].activation) for tap, tensor in raw.items()}
        undone = [tap for tap in raw if signals[tap].activation and logits_behind(raw[tap]) is None]
        return cls(
            raw,
            logits,
            {tap: mask for tap, mask in masks.items() if mask is not None},
            {tap: logits_of(raw[tap], signals[tap].activation, suppress=True) for tap in undone if teacher},
        )

    def read_by(self, objective: Objective) -> dict[str, Any]:
        """The tensors in the form in which the loss of an objective reads them."""
        if not objective.loss.reads_logits:
            return self.raw
        if self.suppressing and _takes_suppressed(objective):
            return {**self.logits, **self.suppressing}
        return self.logits

    def own_targets(self, objective: Objective) -> dict[str, Any]:
        """Of a student: what an objective compares it with that is its own; no gradient flows there."""
        read = self.read_by(objective)
        return {tap: tf.stop_gradient(read[tap]) for tap in objective.own_taps}


def _takes_suppressed(objective: Objective) -> bool:
    """Whether the teacher's logits may be minus infinity, for the loss and for what comes before it."""
    projection = objective.project_teacher
    passes_on = projection is None or isinstance(projection, (ClassSubset, TwoClasses))
    return passes_on and objective.loss.takes_suppressed


NOTHING = Tapped({}, {}, {})
