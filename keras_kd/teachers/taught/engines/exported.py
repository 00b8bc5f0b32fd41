"""A teacher's signals as a model of their own, which is exported and run by another runtime."""

import importlib.util
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.tflite import export
from keras_kd.messages import one_line
from keras_kd.teachers.host_files import open_onnx
from keras_kd.teachers.taught.answering import Answer, ModelAnswer
from keras_kd.tensors import Tensors

ONNX_PACKAGES = ("onnxruntime", "tf2onnx")


class CannotServe(ValueError):
    """An engine cannot run a teacher; the message says why."""


class Signals(keras.layers.Layer):
    """All signals of a teacher, in order, as a layer.

    Args:
        answer: What computes them.
    """

    def __init__(self, answer: ModelAnswer) -> None:
        super().__init__(dtype="float32", autocast=False, trainable=False)
        self.teacher, self._answer = answer.teacher, answer
        self.built = True

    def compute_output_spec(self, x: Tensors) -> list[keras.KerasTensor]:
        return [keras.KerasTensor(shape, dtype) for shape, dtype in self._answer.outputs.values()]

    def call(self, x: Tensors) -> list[tf.Tensor]:
        return list(self._answer.signals(x).values())


def lite_answer(answer: ModelAnswer, x: Tensors) -> Answer:
    """The answers by LiteRT, on all cores; runs are as large as the batch.

    Args:
        answer: TensorFlow's.
        x: A batch of the data, on which the file is compared with Keras.

    Raises:
        CannotServe: The teacher cannot be exported.
    """
    model, rows = _signals_model(answer), len(tf.nest.flatten(x)[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "teacher.tflite")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that so few samples do for comparing only
                export(model, path, batch_size=rows, calibration=_unnamed(x))
            lite = LiteModel(path, threads=os.cpu_count() or 1)
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            raise CannotServe(f"LiteRT cannot run the teacher: {one_line(error)}") from error
    names = list(answer.outputs)

    def run(x: Tensors) -> dict[str, np.ndarray]:
        found = lite.predict_by_name(_unnamed(x), batch_size=rows)
        return dict(zip(names, found.values(), strict=True))

    return run


def onnx_answer(answer: ModelAnswer, x: Tensors) -> Answer:
    """The answers by ONNX Runtime, on all cores.

    Raises:
        CannotServe: A package is missing, or the teacher cannot be exported.
    """
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise CannotServe(
            f"ONNX Runtime needs {' and '.join(missing)}, not installed here: pip install 'keras-kd[onnx]'"
        )
    model = _signals_model(answer)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "teacher.onnx")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of tf2onnx, about NumPy
                model(_unnamed(tf.nest.map_structure(lambda part: part[:1], x)))  # or Keras refuses
                model.export(path, format="onnx", verbose=False)
            session = open_onnx(path)
        except Exception as error:  # tf2onnx and onnxruntime have exceptions of all kinds
            raise CannotServe(f"ONNX Runtime cannot run the teacher: {one_line(error)}") from error
    inputs = [one.name for one in session.get_inputs()]
    names = list(answer.outputs)

    def run(x: Tensors) -> dict[str, np.ndarray]:
        given = dict(zip(inputs, tf.nest.flatten(x), strict=True))
        return dict(zip(names, session.run(None, given), strict=True))

    return run


def _signals_model(answer: ModelAnswer) -> keras.Model:
    if not isinstance(answer.teacher, keras.Model):
        raise CannotServe(
            "the teacher is a model of tf_keras, of which TensorFlow alone computes all signals: "
            "kd.tfmot.from_tf_keras makes a Keras model of it"
        )
    inputs = [
        keras.Input(spec.shape[1:], dtype=spec.dtype.name, name=f"input_{i:02}")
        for i, spec in enumerate(tf.nest.flatten(answer.spec))
    ]
    x = tf.nest.pack_sequence_as(answer.spec, inputs)
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], Signals(answer)(x), name="signals")


def _unnamed(x: Tensors) -> Any:
    """Inputs as the exported model takes them."""
    flat = tf.nest.flatten(x)
    return flat if len(flat) > 1 else flat[0]
