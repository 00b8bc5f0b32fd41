"""The two models of a Distiller and the objectives between them: the parts of `train_step`, in order."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

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
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.sample_weights import split_sample_weights
from keras_kd.distillation.shape_inference import build_objective
from keras_kd.distillation.signal_checks import check_signals
from keras_kd.distillation.tapped import NOTHING, Tapped
from keras_kd.keras_internals import unscaled
from keras_kd.legacy import as_tf_keras_runs
from keras_kd.messages import one_line
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.signals.taps import Recording, Taps
from keras_kd.signals.tracing import input_spec
from keras_kd.tensors import Tensor, Tensors, TensorSpecs
from keras_kd.training.preserved_state import PreservedState

Preprocess: TypeAlias = Callable[[Any], Any]


class Wiring:
    """The teacher and the taps of both models.

    It is a plain object, so Keras does not track its contents: the teacher is not trained, not in
    `weights`, and not in any file.

    Args:
        student: The model whose layers are tapped.
        call: Runs the student, `call(inputs, training=...)`.
        objectives: The objectives that read the taps.
        teacher: The teacher, or `None`.
        preprocess: Converts the student's inputs to the teacher's, or `None`.
    """

    __slots__ = (
        "_call",
        "_connection",
        "_objectives",
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
    ) -> None:
        self.student, self._call, self._objectives = student, call, objectives
        self.teacher, self.preprocess = teacher, preprocess
        self._teacher_state = None if teacher is None else PreservedState(teacher)
        self._connection: Connection | None = None  # once the inputs are known
        self._waiting: list[Objective] = []  # for data, which some losses read

    # What a step runs

    def prepare(self, batch: Batch) -> None:
        """Prepare for batches like this one, given as tensors or specs: build objectives, check signals.

        Raises:
            ValueError: Inputs, taps, shapes or signals are not valid.
        """
        check_inputs(self.student, batch.inputs)
        self.connect(batch.specs())

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
            weights, weighted = split_sample_weights(objective, batch.sample_weight)
            of_data = {tap: batches.read_tap(tap, batch) for tap in objective.data_taps}
            value = objective.compute(
                student.read_by(objective),
                teacher.read_by(objective) | of_data,
                mask=join_padding_masks(objective, student, teacher, batch, weighted),
                sample_weight=weights,
                step=step,
                training=True,
            )
            tracker.update_state(unscaled(value), sample_weight=samples)
            total += objective.weight_at(step) * value
        return total

    @property
    def _connected(self) -> Connection:
        assert self._connection is not None, "`prepare` comes first"
        return self._connection

    def _record_student(
        self, taps: Taps, inputs: Tensors, training: bool = False
    ) -> tuple[Tensors, Recording]:
        with taps.record() as recording, as_tf_keras_runs(self.student):
            recording.inputs = inputs
            return self._call(inputs, training=training), recording

    def _record_teacher(self, taps: Taps, inputs: Tensors, carry: bool = False) -> tuple[Tensors, Recording]:
        assert self.teacher is not None, "its taps are there"
        assert self._teacher_state is not None, "there is a teacher"
        if self.preprocess is not None:
            inputs = self.preprocess(inputs)
        try:
            preserved = self._teacher_state.preserved(carry)
            with preserved, taps.record() as recording, as_tf_keras_runs(self.teacher):
                recording.inputs = inputs
                return self.teacher(inputs, training=False), recording
        except ValueError as error:
            raise ValueError(
                f"The teacher {self.teacher.name!r} cannot take the student's inputs: "
                f"{one_line(error)} Give a `teacher_preprocess` that resizes or converts them."
            ) from error

    # What comes before the first step

    def find_input_spec(self) -> TensorSpecs:
        """The student's input specs, if they are known without data; otherwise `None`."""
        spec = input_spec(self.student)
        if spec is None and self.teacher is not None and self.student.built and self.preprocess is None:
            return input_spec(self.teacher)  # a subclassed student has none; both models get the same inputs
        return spec

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
        if self._connection is None:
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
