"""What is known of the signals that objectives read, and how precomputed signals are recognized."""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from keras_kd.activations import ROUNDING, activation_in, in_unit_range
from keras_kd.distillation.objective_arguments import TAUGHT
from keras_kd.distillation.objectives import Objective
from keras_kd.signals.tracing import SignalSpec
from keras_kd.tensors import Tensor


@dataclasses.dataclass(frozen=True)
class Signals:
    """The signals of the student, of the teacher and of the data, each by tap.

    Of what an objective reads, those of the teacher are what its student learns from, which may be its own.
    """

    student: Mapping[str, SignalSpec] = dataclasses.field(default_factory=dict)
    teacher: Mapping[str, SignalSpec] = dataclasses.field(default_factory=dict)
    data: Mapping[str, SignalSpec] = dataclasses.field(default_factory=dict)

    def read_by(self, objective: Objective) -> "Signals":
        """The signals that an objective reads; of the data, those that are known."""
        return Signals(
            {tap: self.student[tap] for tap in objective.student_taps},
            {tap: self.teacher[tap] for tap in objective.teacher_taps}
            | {tap: self.student[tap] for tap in objective.own_taps},
            {tap: self.data[tap] for tap in objective.data_taps if tap in self.data},
        )


def reads_distributions(objective: Objective) -> bool:
    """Whether it matters to an objective if a signal is logits or probabilities."""
    return objective.loss.reads_logits or objective.loss.reads_probabilities


def recognize_cached_signals(
    signals: Mapping[str, SignalSpec],
    objectives: Iterable[Objective],
    values: Mapping[str, Tensor],
    whole: Mapping[str, Tensor] | None = None,
    again: bool = False,
) -> dict[str, SignalSpec]:
    """The teacher's signals, with the activation that objectives state or else the values show.

    Args:
        signals: The teacher's signals, all precomputed.
        objectives: What reads them.
        values: The values of these signals in a batch.
        whole: Those of all the data, where it is known: they may leave the range of a batch.
        again: Whether this may be a later batch: of logits, it may lie between 0 and 1 by chance.

    Raises:
        ValueError: Probabilities where an earlier batch had logits, or the other way round; objectives that
            state different things.
    """
    found, readers = dict(signals), list(filter(reads_distributions, objectives))
    for tap in dict.fromkeys(tap for objective in readers for tap in objective.teacher_taps):
        of_tap = [objective for objective in readers if tap in objective.teacher_taps]
        all_values = (values[tap], *([whole[tap]] if whole and tap in whole else []))
        stated = _stated(tap, of_tap)
        activation = _infer(of_tap, all_values) if stated is None else TAUGHT[stated]
        before = found[tap]
        if again and not before.given and (before.activation, activation) == (None, "sigmoid"):
            continue
        if not before.given and before.activation != activation:
            raise ValueError(
                f"The data's teacher signals: {tap!r} held {before.activation or 'logits'} in an "
                f"earlier `fit`, and seems to hold {activation or 'logits'} now. If it does not, state what "
                "it holds: kd.Objective(..., taught='logits'). To change to other signals, call `compile` "
                "and set `distiller.teacher = None`."
            )
        found[tap] = before._replace(activation=activation, given=False)
    return found


def _stated(tap: str, objectives: Iterable[Objective]) -> str | None:
    stated = sorted({objective.taught for objective in objectives if objective.taught is not None})
    if len(stated) > 1:
        raise ValueError(f"Objectives state that the teacher's {tap!r} holds {' and '.join(stated)}.")
    return stated[0] if stated else None


def _infer(objectives: Iterable[Objective], values: Iterable[Tensor]) -> str | None:
    batch, *whole = values
    activation = activation_in(batch)
    if activation and not all(map(in_unit_range, whole)):
        return None
    # Logits may lie between 0 and 1 by chance, which a loss that takes no sigmoid decides.
    takes_it = all(o.loss.reads_probabilities or "sigmoid" in o.undoes("teacher") for o in objectives)
    return activation if activation != "sigmoid" or takes_it else None


def check_range(signals: Mapping[str, SignalSpec], values: Mapping[str, Tensor]) -> None:
    """Raise a `ValueError` if precomputed signals that were taken for a sigmoid's are not probabilities."""
    for tap, signal in signals.items():
        if signal.activation == "sigmoid" and not in_unit_range(values[tap]):
            array = np.asarray(values[tap])
            low, high = array.min(), array.max()
            raise ValueError(
                f"The data's teacher signals: {tap!r} was taken for probabilities, as the first batch lies "
                f"between 0 and 1, and another one reaches from {low:.4g} to {high:.4g}: the student is "
                "ruined. State what the signals are, and train a new one: kd.Objective(..., taught='logits')."
            )


def doubt(signals: Mapping[str, SignalSpec]) -> str:
    """What to add about data that cannot be read again, if signals were taken for probabilities."""
    taken = [tap for tap, signal in signals.items() if signal.activation == "sigmoid"]
    if not taken:
        return ""
    return (
        f", or, as the teacher's {taken[0]!r}, logits that were taken for probabilities, because those of "
        "the first batch lie between 0 and 1 (kd.Objective(..., taught='logits') states what they are)"
    )


def nan_outside(tensors: Mapping[str, Tensor], signals: Mapping[str, SignalSpec]) -> dict[str, Tensor]:
    """Precomputed signals, with NaN where those taken for a sigmoid's are no probabilities.

    Nothing else would tell of those that come after the first batch.
    """
    found = dict(tensors)
    for tap, tensor in tensors.items():
        if signals[tap].activation == "sigmoid" and tf.as_dtype(tensor.dtype).is_floating:
            is_one = tf.abs(tensor - 0.5) <= 0.5 + ROUNDING
            found[tap] = tf.where(is_one, tensor, tf.constant(np.nan, tensor.dtype))
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
