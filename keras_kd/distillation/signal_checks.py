"""Signals that the loss of an objective would misread."""

from keras_kd.distillation.class_advice import advice_on_classes
from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.objectives import Objective
from keras_kd.signals.tracing import SignalSpec

_INSTEAD = {
    "sigmoid": "Use kd.losses.BinarySoftTargets() or kd.losses.LogitsMSE(): they read the values before it.",
    "softmax": "Use kd.losses.SoftTargets(), which reads the logits before it.",
}


def check_signals(objective: Objective, signals: Signals) -> None:
    """Raise a `ValueError` for signals of the student or the teacher that an objective would misread."""
    shapes = [next(iter(of_side.values())).shape for of_side in (signals.student, signals.teacher) if of_side]
    units = [shape[-1] for shape in shapes if shape]
    between = advice_on_classes(*units) if units in ([1, 2], [2, 1]) else ""
    for side, of_side in (("student", signals.student), ("teacher", signals.teacher)):
        for tap, signal in of_side.items():
            if signal.given:
                continue
            what = f"Objective {objective.name!r}: the {side}'s {tap!r}"
            _check_mask(objective, signal, what)
            if not (side == "student" and objective.loss.takes_student_logits):
                _check_probabilities(objective, signal, what)
            _check_logits(objective, side, signal, what, between)


def _check_mask(objective: Objective, signal: SignalSpec, what: str) -> None:
    if signal.mask and not objective.loss.takes_mask:
        raise ValueError(
            f"{what} carries a padding mask, and {objective.loss.name!r} cannot leave out padded tokens. "
            "Tap a layer after pooling, or give a function that returns one value per token."
        )


def _check_probabilities(objective: Objective, signal: SignalSpec, what: str) -> None:
    takes_any = not objective.loss.reads_probabilities or objective.data_taps
    if signal.activation is None and not takes_any:
        raise ValueError(
            f"{what} is not a probability (no softmax or sigmoid made it), and {objective.loss.name!r} "
            "takes probabilities: on logits its value is meaningless. Use kd.losses.SoftTargets()."
        )


def _check_logits(objective: Objective, side: str, signal: SignalSpec, what: str, between: str) -> None:
    undoes = objective.undoes(side)
    if objective.loss.reads_logits and signal.activation and signal.activation not in undoes:
        raise ValueError(
            f"{what} ends in a {signal.activation}, and {objective.loss.name!r} compares "
            f"{undoes[0]} distributions. {between or _INSTEAD[signal.activation]}"
        )
