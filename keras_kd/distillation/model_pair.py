"""The two models of a Distiller, each as it runs on the data's inputs."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from keras_kd.distillation.model_inputs import (
    Keys,
    can_run,
    explain_misfit,
    take_inputs,
    take_teacher_inputs,
)
from keras_kd.distillation.preprocessing import Preprocess, preprocess_inputs
from keras_kd.finite import NotFinite
from keras_kd.legacy import as_tf_keras_runs
from keras_kd.messages import one_line
from keras_kd.signals.taps import Recording, Taps
from keras_kd.signals.tracing import input_spec, trace_model
from keras_kd.tensors import Tensors, TensorSpecs
from keras_kd.training.preserved_state import PreservedState


class ModelPair:
    """A student and its teacher: each takes its part of the data, and the teacher is left as it was found.

    It is a plain object, so Keras does not track its contents: the teacher is not trained, not in
    `weights`, and not in any file.

    Args:
        student: The model whose layers are tapped.
        call: Runs the student, `call(inputs, training=...)`, on what it takes of the data's inputs.
        teacher: The teacher, or `None`.
        preprocess: Converts the data's inputs to the teacher's, or `None`.
        student_inputs: The keys of the data's inputs that the student takes, if its inputs' names do not say.
    """

    __slots__ = "_call", "_student_inputs", "_teacher_state", "preprocess", "student", "teacher"

    def __init__(
        self,
        student: keras.Model,
        call: Callable[..., Any],
        teacher: keras.Model | None = None,
        preprocess: Preprocess | None = None,
        student_inputs: Keys = None,
    ) -> None:
        self.student, self._call, self._student_inputs = student, call, student_inputs
        self.teacher, self.preprocess = teacher, preprocess
        self._teacher_state = None if teacher is None else PreservedState(teacher)

    def take_inputs(self, inputs: Tensors) -> Tensors:
        """The part of the data's inputs that the student takes."""
        return take_inputs(self.student, inputs, self._student_inputs)

    def build(self, inputs: TensorSpecs) -> None:
        """Build the student for the data's inputs; its first call runs every layer twice."""
        if not self.student.built:
            trace_model(self.student, self.take_inputs(inputs))

    def find_input_spec(self) -> TensorSpecs:
        """The data's input specs, supposing that it holds just the student's; `None` if they are unknown."""
        if self._student_inputs is not None:
            return None
        spec = input_spec(self.student)
        if spec is None and self.teacher is not None and self.student.built and self.preprocess is None:
            spec = input_spec(self.teacher)  # a subclassed student has none; it may take the same inputs
            return spec if spec is not None and can_run(self.student, spec) else None
        return spec

    def restart_teacher(self) -> None:
        """Let a teacher that carries a state from batch to batch start from the state that it has now."""
        if self._teacher_state is not None:
            self._teacher_state.restart()

    def record_student(
        self, taps: Taps, inputs: Tensors, training: bool = False
    ) -> tuple[Tensors, Recording]:
        """Run the student: its outputs, and what its tapped layers did."""
        with taps.record() as recording, as_tf_keras_runs(self.student):
            recording.inputs = self.take_inputs(inputs)
            return self._call(inputs, training=training), recording

    def record_teacher(self, taps: Taps, x: Tensors, carry: bool = False) -> tuple[Tensors, Recording]:
        """Run the teacher with `training=False`, and put back what that moves; see `PreservedState`.

        Raises:
            NotFinite: The teacher itself says that it answers with NaN.
            ValueError: The teacher cannot take the inputs; its preprocessing fails.
        """
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
        except NotFinite as error:
            raise NotFinite(one_line(error)) from error
        except (ValueError, TypeError, LookupError, tf.errors.InvalidArgumentError) as error:
            raise explain_misfit(self.teacher, inputs, x, self.preprocess is not None, error) from error
