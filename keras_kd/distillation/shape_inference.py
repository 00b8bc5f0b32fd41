"""Bringing objectives and the signals of two models together, before anything runs."""

from typing import Any

import keras
import tensorflow as tf

from keras_kd.distillation.objectives import Objective
from keras_kd.losses.inputs import join_masks
from keras_kd.messages import one_line
from keras_kd.signals.tracing import Signal, trace


def fit_together(objective: Objective, signals: dict[str, Signal]) -> bool:
    """Build an objective for the signals that it reads, and trace its loss on them.

    Args:
        objective: The objective.
        signals: Keyed `"student:TAP"`, `"teacher:TAP"` and, once data is known, `"data:TAP"`.

    Returns:
        Whether the loss was traced; `False` when it reads data that is not known yet.

    Raises:
        ValueError: Shapes that do not meet, or signals that the loss would misread.
    """
    student = {tap: signals[f"student:{tap}"] for tap in objective.student_taps}
    teacher = {tap: signals[f"teacher:{tap}"] for tap in objective.teacher_taps}
    data = {tap: signals[f"data:{tap}"] for tap in objective.data_taps if f"data:{tap}" in signals}
    objective.check(
        {f"student:{tap}": s for tap, s in student.items()}
        | {f"teacher:{tap}": s for tap, s in teacher.items()}
    )
    _check_weight(objective)
    known = len(data) == len(objective.data_taps)
    if not known and not teacher:
        return False
    widths = [signal.shape for signal in (teacher or data).values()]
    seen = [signal.shape for signal in student.values()]
    objective.build(
        seen[0] if isinstance(objective.student_tap, str) else tuple(seen),
        widths[0] if len(widths) == 1 else tuple(widths),
    )
    if not known:
        return False
    told = teacher | data
    if objective.project_teacher is not None:
        order = (
            objective.teacher_tap if isinstance(objective.teacher_tap, tuple) else (objective.teacher_tap,)
        )
        symbols = [keras.KerasTensor(told[tap].shape, told[tap].dtype) for tap in order]
        objective.build_teacher(symbols[0] if isinstance(objective.teacher_tap, str) else tuple(symbols))
    _try(objective, student, told)
    return True


def _try(objective: Objective, student: dict[str, Signal], teacher: dict[str, Signal]) -> None:
    def run(student: Any, teacher: Any, masks: list[Any]) -> Any:
        step = tf.zeros((), tf.int64)
        return objective.compute(student, teacher, mask=join_masks(masks), step=step)

    specs = [{tap: tf.TensorSpec(s.shape, s.dtype) for tap, s in side.items()} for side in (student, teacher)]
    masks = [tf.TensorSpec(s.mask, "bool") for s in (*student.values(), *teacher.values()) if s.mask]
    try:
        trace(run, *specs, masks)
    except tf.errors.OperatorNotAllowedInGraphError:
        raise ValueError(
            f"Objective {objective.name!r}: its loss decides in Python on a tensor, perhaps a temperature on "
            "the step. Use keras.ops.where, or a schedule of keras.optimizers.schedules."
        ) from None
    except ValueError as error:
        told = [f"student {tap!r} {signal.shape}" for tap, signal in student.items()]
        told += [f"teacher {tap!r} {signal.shape}" for tap, signal in teacher.items()]
        shapes = [signal.shape for signal in (*student.values(), *teacher.values())]
        raise ValueError(
            f"Objective {objective.name!r} ({', '.join(told)}): {one_line(error)}{_advice(objective, shapes)}"
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
