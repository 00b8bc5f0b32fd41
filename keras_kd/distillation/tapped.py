"""The outputs of one model's taps in one pass."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from keras_kd.distillation.objectives import Objective
from keras_kd.keras_internals import mask_of
from keras_kd.signals.logits import logits_of
from keras_kd.signals.tracing import SignalSpec


class Tapped(NamedTuple):
    """Tensors by tap."""

    raw: dict[str, Any]
    logits: dict[str, Any]  # the same, with a softmax or sigmoid undone
    masks: dict[str, Any]  # the padding masks that came with them

    @classmethod
    def of(cls, raw: dict[str, Any], signals: Mapping[str, SignalSpec]) -> "Tapped":
        """The tensors of signals, with their logits and masks."""
        masks = {tap: mask_of(tensor) for tap, tensor in raw.items()}
        return cls(
            raw,
            {tap: logits_of(tensor, signals[tap].activation) for tap, tensor in raw.items()},
            {tap: mask for tap, mask in masks.items() if mask is not None},
        )

    def read_by(self, objective: Objective) -> dict[str, Any]:
        """The tensors in the form in which the loss of an objective reads them."""
        return self.logits if objective.loss.reads_logits else self.raw


NOTHING = Tapped({}, {}, {})
