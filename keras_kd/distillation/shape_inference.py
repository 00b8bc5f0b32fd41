"""Building objectives for the shapes of two models' signals, before anything runs."""

import keras
import tensorflow as tf

from keras_kd.distillation.class_advice import advice_on_classes
from keras_kd.distillation.known_signals import Signals, reads_distributions
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.signal_checks import check_signals
from keras_kd.losses.inputs import join_masks
from keras_kd.messages import one_line
from keras_kd.signals.tracing import trace
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
    if objective.project_teacher is not None:
        teacher = {**signals.teacher, **signals.data}
        symbols = [keras.KerasTensor(teacher[tap].shape, teacher[tap].dtype) for tap in objective.target_taps]
        objective.build_teacher(objective.of_teacher.arranged(symbols))
    trace_loss(objective, signals)
    return True


def trace_loss(objective: Objective, signals: Signals, weights: tf.TensorSpec | None = None) -> None:
    """Trace the loss of an objective on the specs of its signals, and of sample weights.

    Raises:
        ValueError: What the loss does not take, with the taps and their shapes.
    """
    student, teacher = dict(signals.student), {**signals.teacher, **signals.data}

    def run(
        student: dict[str, Tensor], teacher: dict[str, Tensor], masks: list[Tensor], weights: Tensor | None
    ) -> Tensor:
        step = tf.zeros((), tf.int64)
        return objective.compute(student, teacher, mask=join_masks(masks), sample_weight=weights, step=step)

    specs = [{tap: tf.TensorSpec(s.shape, s.dtype) for tap, s in side.items()} for side in (student, teacher)]
    masks = [tf.TensorSpec(s.mask, "bool") for s in (*student.values(), *teacher.values()) if s.mask]
    try:
        trace(run, *specs, masks, weights)
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
    if reads_distributions(objective):
        return f" {advice_on_classes(first[-1], last[-1])}"
    return " With project=True the student's signal gets the teacher's width."
