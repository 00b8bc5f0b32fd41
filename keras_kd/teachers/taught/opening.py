"""Whatever answers, as what labels: a model of Keras, or something that answers in NumPy."""

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from keras_kd.keras_internals import output_spec
from keras_kd.legacy import KerasModel, is_model
from keras_kd.messages import one_line
from keras_kd.parts import parts, with_parts
from keras_kd.signals.batches import describe
from keras_kd.teachers.as_teacher import as_teacher
from keras_kd.teachers.foreign import TensorFunction
from keras_kd.teachers.outputs import Kinds, check_kinds
from keras_kd.teachers.sources import find_source
from keras_kd.teachers.taught.answering import AnswersInNumpy
from keras_kd.tensors import Tensors

Teacher: TypeAlias = "KerasModel | AnswersInNumpy"


class Found(NamedTuple):
    """What answers, before it is known what data it is to answer for.

    Attributes:
        source: A model, a function of TensorFlow, or something that answers in NumPy.
        name: Its name.
        outputs: What its answers are still to be made logits of.
    """

    source: "Teacher | TensorFunction"
    name: str
    outputs: Kinds

    def opened(self, x: Tensors, preprocess: Callable[..., Any] | None = None) -> Teacher:
        """What labels.

        Args:
            x: The specs of a batch of the data's inputs.
            preprocess: Makes the teacher's inputs of the data's, or `None`.

        Raises:
            ValueError: A function of TensorFlow fails on such inputs.
        """
        source, name, outputs = self
        if not isinstance(source, TensorFunction):
            return as_teacher(source, name=name, outputs=outputs) if outputs is not None else source
        inputs = None if source.inputs is not None else _symbols(x, preprocess)
        try:
            return as_teacher(source, name=name, outputs=outputs, inputs=inputs)
        except (ValueError, TypeError, LookupError) as error:
            told = re.findall(r"\w+Error: (.+)", str(error))  # within what Keras says of the layer
            reason = told[-1] if told else one_line(error)
            raise ValueError(
                f"The teacher {name!r} fails on the data's inputs ({describe(x)}): "
                f"{reason.rstrip('.')}. If it takes others, give a `teacher_preprocess` that "
                "selects, resizes or converts `x`."
            ) from error


def find_teacher(source: object, outputs: Kinds) -> Found:
    """What answers, of anything that `kd.as_teacher` takes; what runs on the host needs no permission here.

    Args:
        source: A model, an object with `answer`, a path, an estimator or a function.
        outputs: What it answers with, as for `kd.as_teacher`.

    Raises:
        TypeError: Nothing that answers.
        OSError: There is no such file.
        ImportError: The package that reads the file is not installed.
        ValueError: It does not load; `outputs` is of something that says itself what it answers with.
    """
    check_kinds(outputs)
    if outputs is None and (is_model(source) or isinstance(source, AnswersInNumpy)):
        return Found(source, "", None)
    found, name, left = find_source(source, outputs=outputs)
    if isinstance(source, (str, os.PathLike)) and isinstance(found, keras.Model):
        found = as_teacher(found)  # of early Keras, it may take a list of one input
    return Found(found, name, left)


def _symbols(x: Tensors, preprocess: Callable[..., Any] | None) -> Tensors:
    """Symbolic inputs of a function that takes what the data holds, or what is made of it."""
    given = _inputs(x)
    return given if preprocess is None else _inputs(output_spec(preprocess, given))


def _inputs(specs: Tensors) -> Tensors:
    symbols = [
        keras.Input(
            batch_shape=(None, *spec.shape[1:]), dtype=tf.as_dtype(spec.dtype).name, name=path or None
        )
        for path, spec in parts(specs).items()
    ]
    return with_parts(specs, symbols)
