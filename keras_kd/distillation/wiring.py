"""The two models of a Distiller and the objectives between them: the parts of `train_step`, in order."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_kd.distillation.connection import Connection, connect, data_signals
from keras_kd.distillation.data_checks import check_inputs
from keras_kd.distillation.known_signals import (
    Signals,
    check_recognized,
    reads_distributions,
    recognize_cached_signals,
)
from keras_kd.distillation.masks import join_padding_masks
from keras_kd.distillation.model_checks import check_augmentation
from keras_kd.distillation.model_inputs import (
    InputsError,
    Keys,
    awaits_data,
    can_run,
    explain_misfit,
    have_same_parts,
    take_inputs,
    take_teacher_inputs,
)
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.preprocessing import Preprocess, PreprocessingError, preprocess_inputs
from keras_kd.distillation.sample_weights import check_position_weights, weights_for
from keras_kd.distillation.shape_inference import build_objective
from keras_kd.distillation.signal_checks import check_signals
from keras_kd.distillation.suppressed_classes import check_suppressed, suppressing_tap
from keras_kd.distillation.tapped import NOTHING, Tapped
from keras_kd.keras_internals import unscaled
from keras_kd.legacy import as_tf_keras_runs
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.signals.taps import Recording, Taps
from keras_kd.signals.tracing import input_spec, trace
from keras_kd.tensors import Tensor, Tensors, TensorSpecs
from keras_kd.training.preserved_state import PreservedState


class Wiring:
    """The teacher and the taps of both models.

    It is a plain object, so Keras does not track its contents: the teacher is not trained, not in
    `weights`, and not in any file.

    Args:
        student: The model whose layers are tapped.
        call: Runs the student, `call(inputs, training=...)`, on what it takes of the data's inputs.
        objectives: The objectives that read the taps.
        teacher: The teacher, or `None`.
        preprocess: Converts the data's inputs to the teacher's, or `None`.
        student_inputs: The keys of the data's inputs that the student takes, if its inputs' names do not say.
    """

    __slots__ = (
        "_call",
        "_connection",
        "_objectives",
        "_student_inputs",
        "_supposed",
        "_teacher_state",
        "_waiting",
        "preprocess",
        "student",
        "teacher",
    )

    def __init__(
        self,
        student: keras.Model,
        call: Callable[..., Any],
        objectives: Sequence[Objective],
        teacher: keras.Model | None = None,
        preprocess: Preprocess | None = None,
        student_inputs: Keys = None,
    ) -> None:
        self.student, self._call, self._objectives = student, call, objectives
        self.teacher, self.preprocess, self._student_inputs = teacher, preprocess, student_inputs
        self._teacher_state = None if teacher is None else PreservedState(teacher)
        self._connection: Connection | None = None  # once the inputs are known
        self._supposed: TensorSpecs = None  # what they were supposed to be, before there was data
        self._waiting: list[Objective] = []  # for data, which some losses read

    # What a step runs

    def prepare(self, batch: Batch) -> None:
        """Prepare for batches like this one, given as tensors or specs: build objectives, check signals.

        Raises:
            ValueError: Inputs, taps, shapes or signals are not valid.
        """
        batches.require_ranks(batch)
        check_inputs(self.student, self.take_inputs(batch.inputs))
        self.connect(batch.specs())

    def take_inputs(self, inputs: Tensors) -> Tensors:
        """The part of the data's inputs that the student takes."""
        return take_inputs(self.student, inputs, self._student_inputs)

    def restart_teacher(self) -> None:
        """Let a teacher that carries a state from batch to batch start from the state that it has now."""
        if self._teacher_state is not None:
            self._teacher_state.restart()

    def run_teacher(self, batch: Batch, carry: bool = False) -> Tapped:
        """The teacher's signals: it runs once if an objective reads it, unless they come with the data.

        No gradient flows through them, and the teacher is left as it was found.

        Args:
            batch: The data.
            carry: Whether a teacher with a state (a stateful recurrent layer, a random seed) goes on where
                the last pass that carried on ended.
        """
        _, taps, signals = self._connected
        if self.teacher is None and signals.teacher:
            check_recognized(signals.teacher, self._objectives)
            cached = batches.require_cached_signals(signals.teacher, batch)
            tensors = {tap: tf.convert_to_tensor(cached[tap]) for tap in signals.teacher}
            return Tapped.of(tensors, signals.teacher)
        if taps is None:
            return NOTHING
        outputs, recording = self._record_teacher(taps, batch.inputs, carry)
        tapped = Tapped.of(taps.signals(outputs, recording), signals.teacher)
        return keras.tree.map_structure(tf.stop_gradient, tapped)

    def run_student(self, inputs: Tensors) -> tuple[Tensors, Tapped]:
        """Run the student once, with `training=True`: its outputs, and the tapped signals."""
        taps, _, signals = self._connected
        outputs, recording = self._record_student(taps, inputs, training=True)
        return outputs, Tapped.of(taps.signals(outputs, recording), signals.student)

    def compute_loss(
        self, student: Tapped, teacher: Tapped, batch: Batch, step: Tensor, trackers: Sequence[Any]
    ) -> Tensor:
        """The sum of weight times objective; each tracker records an objective's unweighted value."""
        total: Any = 0.0
        samples = batches.count_samples(batch.inputs)
        for objective, tracker in zip(self._objectives, trackers, strict=True):
            value = self._compute(objective, student, teacher, batch, step=step, training=True)
            tracker.update_state(unscaled(value), sample_weight=samples)
            total += objective.weight_at(step) * value
        return total

    def _compute(
        self, objective: Objective, student: Tapped, teacher: Tapped, batch: Batch, **options: Any
    ) -> Tensor:
        of_data = {tap: batches.read_tap(tap, batch) for tap in objective.data_taps}
        return objective.compute(
            student.read_by(objective),
            teacher.read_by(objective) | of_data,
            mask=join_padding_masks(objective, student, teacher, batch),
            sample_weight=weights_for(objective, batch.sample_weight),
            **options,
        )

    @property
    def _connected(self) -> Connection:
        assert self._connection is not None, "`prepare` comes first"
        return self._connection

    def _record_student(
        self, taps: Taps, inputs: Tensors, training: bool = False
    ) -> tuple[Tensors, Recording]:
        with taps.record() as recording, as_tf_keras_runs(self.student):
            recording.inputs = self.take_inputs(inputs)
            return self._call(inputs, training=training), recording

    def _record_teacher(self, taps: Taps, x: Tensors, carry: bool = False) -> tuple[Tensors, Recording]:
        assert self.teacher is not None, "its taps are there"
        assert self._teacher_state is not None, "there is a teacher"
        if self.preprocess is not None:
            inputs = preprocess_inputs(self.preprocess, x)
        else:
            inputs = take_teacher_inputs(self.teacher, x, self.take_inputs(x))
        try:
            preserved = self._teacher_state.preserved(carry)
            with preserved, taps.record() as recording, as_tf_keras_runs(self.teacher):
                recording.inputs = inputs
                return self.teacher(inputs, training=False), recording
        except (ValueError, TypeError, LookupError, tf.errors.InvalidArgumentError) as error:
            raise explain_misfit(self.teacher, inputs, x, self.preprocess is not None, error) from error

    # What comes before the first step

    def find_input_spec(self) -> TensorSpecs:
        """The data's input specs, supposing that it holds just the student's; `None` if they are unknown."""
        if self._student_inputs is not None:
            return None
        spec = input_spec(self.student)
        if spec is None and self.teacher is not None and self.student.built and self.preprocess is None:
            spec = input_spec(self.teacher)  # a subclassed student has none; it may take the same inputs
            return spec if spec is not None and can_run(self.student, spec) else None
        return spec

    def connect_early(self) -> bool:
        """Connect the models before there is data, if their inputs are known; return whether they are.

        Raises:
            ValueError: As `connect`.
        """
        spec = self.find_input_spec()
        if self.teacher is None or spec is None:
            return False
        try:
            self.connect(Batch(spec))
        except PreprocessingError:
            return False  # it may read what the student does not take; with the data it runs again
        except InputsError:
            if self.preprocess is None and awaits_data(self.teacher, self.student):
                return False
            raise
        self._supposed = spec
        return True

    def connect(self, specs: Batch) -> None:
        """Resolve the taps, build the projections and check that every objective can be computed.

        Args:
            specs: The specs of a batch. Labels may be missing if they are not known yet.

        Raises:
            ValueError: Taps, shapes or signals are not valid.
        """
        if specs.cached_signals is not None and self.teacher is not None:
            raise ValueError(
                "The data carries a teacher's signals, and this Distiller has a teacher of its own. Make it "
                "without a teacher, or give the inputs alone."
            )
        if self._supposed is not None and not have_same_parts(self._supposed, specs.inputs):
            self._connection, self._supposed = None, None
        if self._connection is None:
            if not self.student.built:  # its first call runs every layer twice, which would be recorded
                trace(self.student, self.take_inputs(specs.inputs))
            models = self.student, self.teacher
            record = self._record_student, self._record_teacher
            self._connection = connect(*models, self._objectives, specs, *record)
            if self._connection.signals.teacher:
                check_augmentation(self.student)
            self._waiting = list(self._objectives)
        signals = self._connection.signals
        self._waiting = [
            objective
            for objective in self._waiting
            if not build_objective(
                objective, dataclasses.replace(signals, data=data_signals(objective, specs))
            )
        ]

    def check_sample_weights(self, batch: Batch) -> None:
        """Raise a `ValueError` for weights per token or pixel that an objective cannot apply."""
        known, specs = self._connected.signals, batch.specs()
        pairs = ((o, dataclasses.replace(known, data=data_signals(o, specs))) for o in self._objectives)
        check_position_weights(pairs, batch.sample_weight)

    def check_suppressed_classes(self, teacher: Tapped, batch: Batch) -> None:
        """Raise a `ValueError` if a teacher that suppresses classes makes an objective NaN or infinite."""
        tap = suppressing_tap(teacher)
        if tap is None:
            return
        taps, _, signals = self._connected
        outputs, recording = self._record_student(taps, batch.inputs)
        student = Tapped.of(taps.signals(outputs, recording), signals.student)
        for objective in self._objectives:
            options = {"step": tf.zeros((), tf.int64)}
            compute = functools.partial(self._compute, objective, student, teacher, batch, **options)
            check_suppressed(objective, tap, student, compute)

    def recognize_teacher(self, batch: Batch) -> None:
        """Infer from a first batch whether precomputed teacher signals are logits or probabilities.

        Raises:
            ValueError: An objective would misread the signals, or they differ from those of an earlier batch.
        """
        if self.teacher is not None:
            return
        signals = self._connected.signals
        cached = batches.require_cached_signals(signals.teacher, batch)
        of_teacher = recognize_cached_signals(signals.teacher, self._objectives, cached)
        signals = dataclasses.replace(signals, teacher=of_teacher)
        self._connection = self._connected._replace(signals=signals)
        for objective in filter(reads_distributions, self._objectives):
            check_signals(objective, Signals(teacher=signals.read_by(objective).teacher))
