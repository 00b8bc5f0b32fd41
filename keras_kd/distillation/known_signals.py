"""What is known of the signals that objectives read, and how precomputed signals are recognized."""

import dataclasses
from collections.abc import Iterable, Mapping

from keras_kd.activations import activation_in
from keras_kd.distillation.objectives import Objective
from keras_kd.signals.tracing import SignalSpec
from keras_kd.tensors import Tensor


@dataclasses.dataclass(frozen=True)
class Signals:
    """The signals of the student, of the teacher and of the data, each by tap."""

    student: Mapping[str, SignalSpec] = dataclasses.field(default_factory=dict)
    teacher: Mapping[str, SignalSpec] = dataclasses.field(default_factory=dict)
    data: Mapping[str, SignalSpec] = dataclasses.field(default_factory=dict)

    def read_by(self, objective: Objective) -> "Signals":
        """The signals that an objective reads; of the data, those that are known."""
        return Signals(
            {tap: self.student[tap] for tap in objective.student_taps},
            {tap: self.teacher[tap] for tap in objective.teacher_taps},
            {tap: self.data[tap] for tap in objective.data_taps if tap in self.data},
        )


def reads_distributions(objective: Objective) -> bool:
    """Whether it matters to an objective if a signal is logits or probabilities."""
    return objective.loss.reads_logits or objective.loss.reads_probabilities


def recognize_cached_signals(
    signals: Mapping[str, SignalSpec], objectives: Iterable[Objective], values: Mapping[str, Tensor]
) -> dict[str, SignalSpec]:
    """The teacher's signals, with the activation inferred from the values of a batch.

    Args:
        signals: The teacher's signals, all precomputed.
        objectives: What reads them.
        values: The values of these signals in a batch.

    Raises:
        ValueError: Probabilities where an earlier batch had logits, or the other way round.
    """
    found = dict(signals)
    for objective in filter(reads_distributions, objectives):
        for tap in objective.teacher_taps:
            activation = activation_in(values[tap])
            if activation == "sigmoid" and activation not in objective.undoes("teacher"):
                activation = None  # logits may lie between 0 and 1 by chance
            before = found[tap]
            if not before.given and before.activation != activation:
                raise ValueError(
                    f"The data's teacher signals: {tap!r} held {before.activation or 'logits'} in an "
                    f"earlier `fit`, and seems to hold {activation or 'logits'} now. To change to other "
                    "signals, call `compile` and set `distiller.teacher = None`."
                )
            found[tap] = before._replace(activation=activation, given=False)
    return found


def check_recognized(signals: Mapping[str, SignalSpec], objectives: Iterable[Objective]) -> None:
    """Raise a `ValueError` if an objective needs what `recognize_cached_signals` has not yet inferred."""
    for objective in filter(reads_distributions, objectives):
        if any(signals[tap].given for tap in objective.teacher_taps):
            raise ValueError(
                "Whether precomputed teacher signals are logits or probabilities is inferred from the first "
                "batch of `fit`, but this batch came some other way. Call `fit` with data that consists of "
                "tensors only; or, in a loop of your own, `compute_objectives` once outside of tf.function."
            )
