"""A layer that asks a teacher on the host, so that the step of the student waits for it."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_kd.messages import one_line
from keras_kd.parts import parts, with_parts
from keras_kd.teachers.host import HostTeacher
from keras_kd.tensors import Shape, Tensor, Tensors

_TRIALS = (2, 32), (3, 48)  # samples, and the size of free axes, which must not be taken for one another


class AnswerSpec(NamedTuple):
    """The shape, with a free batch, and dtype of an answer."""

    shape: Shape
    dtype: str


def try_out(teacher: HostTeacher, inputs: Any) -> dict[str, AnswerSpec]:
    """What a teacher answers with, by tap, from running it on two small random batches.

    Raises:
        ValueError: It fails, or the shape of an answer has another number of axes each time.
    """
    random = np.random.default_rng(0)
    answers = []
    for samples, size in _TRIALS:
        batch = keras.tree.map_structure(lambda spec, n=samples, s=size: _draw(random, spec, n, s), inputs)
        try:
            answers.append(teacher.answer(batch))
        except Exception as error:  # of whatever library answers
            shapes = {path or "x": tuple(array.shape) for path, array in parts(batch).items()}
            raise ValueError(
                f"The teacher {teacher.name!r} fails on random inputs {shapes}: {type(error).__name__}: "
                f"{one_line(error).rstrip('.')}. `inputs` states what it takes."
            ) from error
    first, second = answers
    return {tap: AnswerSpec(_common(first[tap], second[tap]), first[tap].dtype.name) for tap in first}


def _draw(random: np.random.Generator, spec: keras.KerasTensor, samples: int, size: int) -> np.ndarray:
    shape = [samples, *(size if each is None else each for each in spec.shape[1:])]
    if spec.dtype == "string":
        return np.full(shape, b"", dtype=object)
    return random.random(shape).astype(spec.dtype)


def _common(first: np.ndarray, second: np.ndarray) -> Shape:
    if first.ndim != second.ndim:
        raise ValueError(
            f"The answers of a teacher have {first.ndim} axes for one batch and {second.ndim} for another."
        )
    sizes = zip(first.shape[1:], second.shape[1:], strict=True)
    return (None, *(one if one == other else None for one, other in sizes))


class Hosted(keras.layers.Layer):
    """The answers of a teacher on the host.

    Args:
        teacher: The teacher.
        answers: What it answers with, by tap.

    Attributes:
        host_file: The `.tflite` file that answers, if one does: its size and time are the teacher's.
    """

    def __init__(self, teacher: HostTeacher, answers: dict[str, AnswerSpec], **kwargs: Any) -> None:
        super().__init__(dtype="float32", autocast=False, trainable=False, **kwargs)
        self.teacher, self.answers = teacher, answers
        self.host_file = getattr(teacher, "file", None)
        self.supports_jit = False

    def build(self, input_shape: object) -> None:
        """Do nothing: there are no weights."""
        self.built = True

    def compute_output_spec(self, inputs: Tensors) -> Tensors:
        return self._structured([keras.KerasTensor(*spec) for spec in self.answers.values()])

    def call(self, inputs: Tensors) -> Tensors:
        flat = list(parts(inputs).values())
        if all(isinstance(part, tf.Tensor) and hasattr(part, "numpy") for part in flat):
            return self._structured([tf.constant(array) for array in self._ask(inputs, *flat)])

        def ask(*arrays: np.ndarray) -> list[np.ndarray]:
            return self._ask(inputs, *arrays)

        found = tf.numpy_function(ask, flat, [spec.dtype for spec in self.answers.values()])
        for tensor, spec in zip(found, self.answers.values(), strict=True):
            tensor.set_shape(spec.shape)
        return self._structured(found)

    def _ask(self, structure: Tensors, *arrays: Tensor) -> list[np.ndarray]:
        batch = with_parts(structure, map(np.asarray, arrays))
        answers = self.teacher.answer(batch)
        return [answers[tap].astype(spec.dtype, copy=False) for tap, spec in self.answers.items()]

    def _structured(self, flat: list[Any]) -> Tensors:
        """Answers as a model returns them: one tensor, or a dictionary by name."""
        if list(self.answers) == ["output"]:
            return flat[0]
        return {tap.removeprefix("output/"): tensor for tap, tensor in zip(self.answers, flat, strict=True)}

    def get_config(self) -> dict[str, Any]:
        raise ValueError(
            f"The teacher {self.name!r} answers outside Keras, so no file of Keras can hold it. Save the "
            "student, and make the teacher anew with kd.as_teacher."
        )
