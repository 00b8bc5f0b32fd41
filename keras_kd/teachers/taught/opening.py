"""Whatever answers, as what labels: a model of Keras, or something that answers in NumPy."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from keras_kd.keras_internals import output_spec
from keras_kd.legacy import KerasModel, is_model
from keras_kd.parts import parts, with_parts
from keras_kd.teachers.as_teacher import as_teacher
from keras_kd.teachers.foreign import TensorFunction
from keras_kd.teachers.outputs import Kinds, check_kinds
from keras_kd.teachers.sources import find_source
from keras_kd.teachers.taught.answering import AnswersInNumpy
from keras_kd.tensors import Tensors

Teacher: TypeAlias = "KerasModel | AnswersInNumpy"


def open_teacher(
    source: object, outputs: Kinds, x: Tensors, preprocess: Callable[..., Any] | None = None
) -> Teacher:
    """What answers, of anything that `kd.as_teacher` takes; what runs on the host needs no permission here.

    Args:
        source: A model, an object with `answer`, a path, an estimator or a function.
        outputs: What it answers with, as for `kd.as_teacher`.
        x: The specs of a batch of the data's inputs.
        preprocess: Makes the teacher's inputs of the data's, or `None`.

    Raises:
        TypeError: Nothing that answers.
        OSError: There is no such file.
        ImportError: The package that reads the file is not installed.
        ValueError: It does not load; `outputs` is of something that says itself what it answers with.
    """
    check_kinds(outputs)
    if outputs is None and (is_model(source) or isinstance(source, AnswersInNumpy)):
        return source
    found, name, left = find_source(source, outputs=outputs)
    if isinstance(found, TensorFunction):
        inputs = None if found.inputs is not None else _symbols(x, preprocess)
        return as_teacher(found, name=name, outputs=left, inputs=inputs)
    return as_teacher(found, name=name, outputs=left) if is_model(found) else found


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
