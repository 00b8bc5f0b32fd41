"""How objectives connect two models: their taps, and what is known of the signals before a step runs."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from keras_kd.distillation.known_signals import Signals, reads_distributions
from keras_kd.distillation.model_pair import ModelPair
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.readings import Reading
from keras_kd.signals.batches import Batch, comes_with_data, read_tap, require_cached_signals
from keras_kd.signals.taps import Recording, SeveralSignalsError, Taps
from keras_kd.signals.tracing import SignalSpec, probed, trace_signals
from keras_kd.tensors import Tensors, TensorSpecs

Record: TypeAlias = Callable[[Taps, Any], tuple[Tensors, Recording]]  # runs a model on inputs


class Connection(NamedTuple):
    """The taps of both models, and their signals."""

    student_taps: Taps
    teacher_taps: Taps | None  # `None`: no objective reads a teacher that is run
    signals: Signals


def connect(models: ModelPair, objectives: Sequence[Objective], specs: Batch) -> Connection:
    """Find the taps of objectives in both models, and trace the specs of their signals.

    Args:
        models: The student, which is built, and the teacher; without one, its signals come with the data.
        objectives: What reads the signals.
        specs: The specs of a batch.

    Raises:
        ValueError: Taps that do not exist; signals that come neither from a teacher nor with the data.
    """
    for objective in objectives:
        objective.of_student.collapse()
        objective.of_teacher.collapse()
    wanted = list(dict.fromkeys(tap for o in objectives for tap in o.teacher_taps))
    cached = require_cached_signals(wanted, specs) if models.teacher is None else {}
    taps, of_student = _connect_side("student", models.student, objectives, specs, models.record_student)
    if models.teacher is None:
        of_teacher = {tap: _of_data(cached[tap], given=True) for tap in wanted}
        return Connection(taps, None, Signals(of_student, of_teacher))
    if not wanted:
        return Connection(taps, None, Signals(of_student))
    teacher_taps, of_teacher = _connect_side(
        "teacher", models.teacher, objectives, specs, models.record_teacher
    )
    return Connection(taps, teacher_taps, Signals(of_student, of_teacher))


def _connect_side(
    side: str, model: keras.Model, objectives: Sequence[Objective], specs: Batch, record: Record
) -> tuple[Taps, dict[str, SignalSpec]]:
    """The taps of one model and their signals. Taps that name several tensors are expanded."""
    while True:
        read = {
            id(o): (*o.student_taps, *o.own_taps) if side == "student" else o.teacher_taps for o in objectives
        }
        masks = [o.mask for o in objectives if o.mask and not comes_with_data(o.mask) and side == "student"]
        taps = Taps(model, [*(tap for found in read.values() for tap in found), *masks])
        readers = [read[id(objective)] for objective in objectives if reads_distributions(objective)]
        try:
            return taps, _trace(record, taps, specs.inputs, readers)
        except SeveralSignalsError as error:
            readers_of_it = [o for o in objectives if error.tap in read[id(o)]]
            expanded = [
                reading.expand(error.tap, error.elements)
                for o in readers_of_it
                for reading, taps_read in _readings(o, side)
                if error.tap in taps_read
            ]
            if error.tap in masks or not all(expanded):
                raise


def _readings(objective: Objective, side: str) -> list[tuple[Reading, tuple[str, ...]]]:
    """What an objective reads of one model, with the taps."""
    if side == "teacher":
        return [(objective.of_teacher, objective.teacher_taps)]
    return [(objective.of_student, objective.student_taps), (objective.of_teacher, objective.own_taps)]


def _trace(
    record: Record, taps: Taps, inputs: TensorSpecs, read: Iterable[tuple[str, ...]]
) -> dict[str, SignalSpec]:
    call = functools.partial(record, taps)
    signals = trace_signals(call, taps, inputs)
    return probed(call, taps, inputs, signals, dict.fromkeys(tap for taps in read for tap in taps))


def data_signals(objective: Objective, specs: Batch) -> dict[str, SignalSpec]:
    """The specs of the inputs and labels that an objective reads; none while it waits for labels."""
    known = specs.labels is not None or all(tap.startswith("input") for tap in objective.data_taps)
    return {tap: _of_data(read_tap(tap, specs)) for tap in objective.data_taps if known}


def _of_data(spec: tf.TensorSpec, given: bool = False) -> SignalSpec:
    return SignalSpec(tuple(spec.shape), spec.dtype.name, None, given=given)
