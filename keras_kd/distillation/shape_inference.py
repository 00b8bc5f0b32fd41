"""Building objectives for the shapes of two models' signals, before anything runs."""

import keras
import tensorflow as tf

from keras_kd.distillation.known_signals import Signals
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.signal_checks import check_signals
from keras_kd.losses.inputs import join_masks
from keras_kd.messages import one_line
from keras_kd.signals.tracing import SignalSpec, trace
from keras_kd.tensors import Shape, Tensor


def build_objective(objective: Objective, signals: Signals) -> bool:
    """Build an objective for the signals that it reads, and trace its loss on their specs.

    Args:
        objective: The objective.
        signals: What is known of the signals of both models and of the data.

    Returns:
        Whether the loss was traced; `False` if it reads data that is not known yet.

    Raises:
        ValueError: Incompatible shapes, or signals that the loss would misread.
    """
    signals = signals.read_by(objective)
    check_signals(objective, signals)
    _check_weight(objective)
    known = len(signals.data) == len(objective.data_taps)
    if not known and not signals.teacher:
        return False
    of_student = tuple(signal.shape for signal in signals.student.values())
    of_teacher = tuple(signal.shape for signal in (signals.teacher or signals.data).values())
    objective.build(
        objective.of_student.arranged(of_student),
        of_teacher[0] if len(of_teacher) == 1 else of_teacher,
    )
    if not known:
        return False
    teacher = {**signals.teacher, **signals.data}
    if objective.project_teacher is not None:
        symbols = [keras.KerasTensor(teacher[tap].shape, teacher[tap].dtype) for tap in objective.target_taps]
        objective.build_teacher(objective.of_teacher.arranged(symbols))
    _trace_loss(objective, dict(signals.student), teacher)
    return True


def _trace_loss(objective: Objective, student: dict[str, SignalSpec], teacher: dict[str, SignalSpec]) -> None:
    def run(student: dict[str, Tensor], teacher: dict[str, Tensor], masks: list[Tensor]) -> Tensor:
        step = tf.zeros((), tf.int64)
        return objective.compute(student, teacher, mask=join_masks(masks), step=step)

    specs = [{tap: tf.TensorSpec(s.shape, s.dtype) for tap, s in side.items()} for side in (student, teacher)]
    masks = [tf.TensorSpec(s.mask, "bool") for s in (*student.values(), *teacher.values()) if s.mask]
    try:
        trace(run, *specs, masks)
    except tf.errors.OperatorNotAllowedInGraphError:
        raise ValueError(
            f"Objective {objective.name!r}: its loss branches in Python on a tensor, perhaps a temperature "
            "on the step. Use keras.ops.where, or a schedule of keras.optimizers.schedules."
        ) from None
    except ValueError as error:
        taps = [f"student {tap!r} {signal.shape}" for tap, signal in student.items()]
        taps += [f"teacher {tap!r} {signal.shape}" for tap, signal in teacher.items()]
        shapes = [signal.shape for signal in (*student.values(), *teacher.values())]
        raise ValueError(
            f"Objective {objective.name!r} ({', '.join(taps)}): {one_line(error)}{_advice(objective, shapes)}"
        ) from error


def _check_weight(objective: Objective) -> None:
    if not callable(objective.weight):
        return
    try:
        weight = trace(objective.weight_at, tf.TensorSpec((), tf.int64)).structured_outputs
    except tf.errors.OperatorNotAllowedInGraphError:
        raise ValueError(
            f"Objective {objective.name!r}: its weight branches in Python on the step, which is a tensor "
            "while training. Use keras.ops.where, or a schedule of keras.optimizers.schedules."
        ) from None
    if tuple(getattr(weight, "shape", ())) != ():
        raise ValueError(f"Objective {objective.name!r}: its weight must be one number, not {weight.shape}.")


def _advice(objective: Objective, shapes: list[Shape]) -> str:
    first, last = shapes[0], shapes[-1]
    if objective.project or len(first) != len(last) or first[-1] == last[-1]:
        return ""
    if objective.loss.reads_logits:
        return (
            f" The student has {first[-1]} classes and the teacher {last[-1]}: they must be the same classes."
        )
    return " With project=True the student's signal gets the teacher's width."
