"""Bringing objectives and the signals of two models together, before anything runs."""

from typing import Any

import tensorflow as tf

from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.tracing import Signal, trace
from keras_kd.messages import one_line


def fit_together(objective: Objective, signals: dict[str, Signal]) -> None:
    """Build an objective for the signals that it reads, and trace its loss on them.

    Args:
        objective: The objective.
        signals: Keyed `"student:TAP"` and `"teacher:TAP"`.

    Raises:
        ValueError: Shapes that do not meet, or signals that the loss would misread.
    """
    student = {f"student:{tap}": signals[f"student:{tap}"] for tap in objective.student_taps}
    teacher = {f"teacher:{tap}": signals[f"teacher:{tap}"] for tap in objective.teacher_taps}
    objective.check(student | teacher)
    _check_weight(objective)
    shapes = [signal.shape for signal in (*student.values(), *teacher.values())]
    if not objective.built:
        objective.build(shapes[0], shapes[-1] if len(teacher) == 1 else None)
    if objective.reads_labels:
        return  # the labels' shape is known when data comes

    def run(student: Any, teacher: Any) -> Any:
        return objective.compute(student, teacher)

    specs = [
        {key.partition(":")[2]: tf.TensorSpec(s.shape, s.dtype) for key, s in side.items()}
        for side in (student, teacher)
    ]
    try:
        trace(run, *specs)
    except ValueError as error:
        told = ", ".join(
            f"{key.replace(':', ' ')!r} {signal.shape}" for key, signal in (student | teacher).items()
        )
        raise ValueError(
            f"Objective {objective.name!r} ({told}): {one_line(error)}{_advice(objective, shapes)}"
        ) from error


def _check_weight(objective: Objective) -> None:
    if not callable(objective.weight):
        return
    try:
        weight = trace(objective.weight_at, tf.TensorSpec((), tf.int64)).structured_outputs
    except tf.errors.OperatorNotAllowedInGraphError:
        raise ValueError(
            f"Objective {objective.name!r}: its weight decides in Python on the step, which is a tensor "
            "while training. Use keras.ops.where, or a schedule of keras.optimizers.schedules."
        ) from None
    if tuple(getattr(weight, "shape", ())) != ():
        raise ValueError(f"Objective {objective.name!r}: its weight must be one number, not {weight.shape}.")


def _advice(objective: Objective, shapes: list[tuple[Any, ...]]) -> str:
    first, last = shapes[0], shapes[-1]
    if objective.project or len(first) != len(last) or first[-1] == last[-1]:
        return ""
    if getattr(objective.loss, "reads_logits", False):
        return f" The student has {first[-1]} classes and the teacher {last[-1]}: they must be the same ones."
    return " With project=True the student's signal gets the teacher's width."
