"""What connects the two models of a Distiller: the parts of `train_step`, in order, and their preparation."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_kd.distillation.connection import Connection, connect, data_signals
from keras_kd.distillation.data_checks import check_inputs
from keras_kd.distillation.known_signals import (
    Signals,
    check_range,
    check_recognized,
    doubt,
    nan_outside,
    reads_distributions,
    recognize_cached_signals,
)
from keras_kd.distillation.masks import join_padding_masks
from keras_kd.distillation.model_checks import check_augmentation
from keras_kd.distillation.model_inputs import InputsError, awaits_data, have_same_parts
from keras_kd.distillation.model_pair import ModelPair
from keras_kd.distillation.objectives import Objective
from keras_kd.distillation.preprocessing import PreprocessingError
from keras_kd.distillation.sample_weights import check_position_weights, weights_for
from keras_kd.distillation.shape_inference import build_objective
from keras_kd.distillation.signal_checks import check_signals
from keras_kd.distillation.suppressed_classes import check_suppressed, suppressing_tap
from keras_kd.distillation.tapped import NOTHING, Tapped
from keras_kd.keras_internals import unscaled
from keras_kd.parts import parts
from keras_kd.signals import batches
from keras_kd.signals.batches import Batch
from keras_kd.signals.tracing import has_free_sizes, is_of_model
from keras_kd.tensors import Tensor, Tensors, TensorSpecs


class Wiring:
    """The taps of both models and the objectives that read them.

    Like `ModelPair`, it is a plain object, so Keras does not track its contents.

    Args:
        models: The student and the teacher.
        objectives: The objectives that read the taps.
    """

    __slots__ = "_connection", "_objectives", "_supposed", "_waiting", "_whole", "models"

    def __init__(self, models: ModelPair, objectives: Sequence[Objective]) -> None:
        self.models, self._objectives = models, objectives
        self._connection: Connection | None = None  # once the inputs are known
        self._supposed: TensorSpecs = None  # what they were supposed to be, before there was data
        self._waiting: list[Objective] = []  # for data, which some losses read
        self._whole: Mapping[str, Tensor] = {}  # the teacher's signals of all the data, if they are arrays

    # What a step runs

    def prepare(self, batch: Batch) -> None:
        """Prepare for batches like this one, given as tensors or specs: build objectives, check signals.

        Raises:
            ValueError: Inputs, taps, shapes or signals are not valid.
        """
        batches.require_ranks(batch)
        check_inputs(self.models.student, self.models.take_inputs(batch.inputs))
        self.connect(batch.specs())

    def run_teacher(self, batch: Batch, carry: bool = False) -> Tapped:
        """The teacher's signals: it runs once if an objective reads it, unless they come with the data.

        No gradient flows through them, and the teacher is left as it was found.

        Args:
            batch: The data.
            carry: Whether a teacher with a state (a stateful recurrent layer, a random seed) goes on where
                the last pass that carried on ended.
        """
        _, taps, signals = self.connection
        if self.models.teacher is None and signals.teacher:
            check_recognized(signals.teacher, self._objectives)
            cached = batches.require_cached_signals(signals.teacher, batch)
            tensors = {tap: tf.convert_to_tensor(cached[tap]) for tap in signals.teacher}
            return Tapped.of(nan_outside(tensors, signals.teacher), signals.teacher, teacher=True)
        if taps is None:
            return NOTHING
        outputs, recording = self.models.record_teacher(taps, batch.inputs, carry)
        tapped = Tapped.of(taps.signals(outputs, recording), signals.teacher, teacher=True)
        return keras.tree.map_structure(tf.stop_gradient, tapped)

    def run_student(self, inputs: Tensors, training: bool = True) -> tuple[Tensors, Tapped]:
        """Run the student once: its outputs, and the tapped signals."""
        taps, _, signals = self.connection
        outputs, recording = self.models.record_student(taps, inputs, training=training)
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
            teacher.read_by(objective) | student.own_targets(objective) | of_data,
            mask=join_padding_masks(objective, student, teacher, batch),
            sample_weight=weights_for(objective, batch.sample_weight),
            **options,
        )

    @property
    def connection(self) -> Connection:
        """The taps of both models, and what is known of their signals, once they are prepared."""
        assert self._connection is not None, "`prepare` comes first"
        return self._connection

    @property
    def trained_weights(self) -> list[Any]:
        """The weights of the student and of the projections, frozen ones and statistics too."""
        projections = [o.projection for o in self._objectives if o.projection is not None]
        return [weight for part in (self.models.student, *projections) for weight in part.weights]

    # What comes before the first step

    def connect_early(self) -> bool:
        """Connect the models before there is data, if their inputs are known; return whether they are.

        Raises:
            ValueError: As `connect`.
        """
        spec = self.models.find_input_spec()
        has_all = self.models.teacher is not None or not any(o.teacher_taps for o in self._objectives)
        if not has_all or spec is None or self._reads_more_than(spec):
            return False
        try:
            self.connect(Batch(spec))
        except PreprocessingError:
            return False  # it may read what the student does not take; with the data it runs again
        except Exception as error:
            teacher = None if self.models.preprocess else self.models.teacher
            if isinstance(error, InputsError) and teacher and awaits_data(teacher, self.models.student):
                return False
            if has_free_sizes(spec) and is_of_model(error):
                return False  # a model may read sizes that only data has
            raise
        self._supposed = spec
        return True

    def _reads_more_than(self, spec: TensorSpecs) -> bool:
        """Whether an objective reads a part of `x` that the student does not take."""
        read = {
            tap for objective in self._objectives for tap in objective.data_taps if tap.startswith("input/")
        }
        return not read <= {f"input/{path}" for path in parts(spec)}

    def connect(self, specs: Batch) -> None:
        """Resolve the taps, build the projections and check that every objective can be computed.

        Args:
            specs: The specs of a batch. Labels may be missing if they are not known yet.

        Raises:
            ValueError: Taps, shapes or signals are not valid.
        """
        if specs.cached_signals is not None and self.models.teacher is not None:
            raise ValueError(
                "The data carries a teacher's signals, and this Distiller has a teacher of its own. Make it "
                "without a teacher, or give the inputs alone."
            )
        if self._supposed is not None and not have_same_parts(self._supposed, specs.inputs):
            self._connection, self._supposed = None, None
        if self._connection is None:
            self.models.build(specs.inputs)
            self._connection = connect(self.models, self._objectives, specs)
            if self._connection.signals.teacher:
                check_augmentation(self.models.student)
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
        known, specs = self.connection.signals, batch.specs()
        pairs = ((o, dataclasses.replace(known, data=data_signals(o, specs))) for o in self._objectives)
        check_position_weights(pairs, batch.sample_weight)

    def check_suppressed_classes(self, teacher: Tapped, batch: Batch, where: str = "the first batch") -> None:
        """Raise a `SuppressedClassError` if an objective cannot take a class that a teacher suppresses."""
        tap = suppressing_tap(teacher)
        if tap is None:
            return
        taps, _, signals = self.connection
        outputs, recording = self.models.record_student(taps, batch.inputs)
        student = Tapped.of(taps.signals(outputs, recording), signals.student)
        for objective in self._objectives:
            compute = functools.partial(self._compute, objective, batch=batch, step=tf.zeros((), tf.int64))
            check_suppressed(objective, tap, student, teacher, compute, where)

    def expect(self, x: object) -> None:
        """Note the data of `fit`: teacher signals that are arrays are looked at in full."""
        self._whole = x.signals if isinstance(x, batches.Taught) else {}

    def recognize_teacher(self, batch: Batch, again: bool = False) -> None:
        """Infer from a first batch whether precomputed teacher signals are logits or probabilities.

        Args:
            batch: The batch.
            again: Whether it may be a later one, of which logits may lie between 0 and 1 by chance.

        Raises:
            ValueError: An objective would misread the signals, or they differ from those of an earlier batch.
        """
        if self.models.teacher is not None:
            return
        signals, whole = self.connection.signals, self._whole
        self._whole = {}
        cached = batches.require_cached_signals(signals.teacher, batch)
        of_teacher = recognize_cached_signals(signals.teacher, self._objectives, cached, whole, again)
        signals = dataclasses.replace(signals, teacher=of_teacher)
        self._connection = self.connection._replace(signals=signals)
        for objective in filter(reads_distributions, self._objectives):
            check_signals(objective, Signals(teacher=signals.read_by(objective).teacher))

    def check_cached_range(self, batch: Batch) -> None:
        """Raise a `ValueError` if a batch shows that precomputed signals were misread."""
        if self.models.teacher is None and batch.cached_signals is not None:
            check_range(self.connection.signals.teacher, batch.cached_signals)

    def doubt_cached_signals(self) -> str:
        """What to add about data that cannot be read again, if its signals may have been misread."""
        return doubt(self.connection.signals.teacher) if self.models.teacher is None else ""
