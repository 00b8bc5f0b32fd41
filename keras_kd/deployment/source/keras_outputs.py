"""What a model returns for samples in Keras, checked for what no file can return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.source.source_model import computes_in_half
from keras_kd.finite import nonfinite
from keras_kd.messages import one_line
from keras_kd.tensors import Tensor, Tensors

Outputs = TypeVar("Outputs")


class ModelCannotRun(ValueError):
    """A model raised an error when it was called on samples."""

    def __init__(self, model: keras.Model, samples: dict[str, np.ndarray], reason: str) -> None:
        shapes = {name: array.shape for name, array in samples.items()}
        super().__init__(f"{model.name!r} cannot be run on samples of shape {shapes}: {reason.rstrip('.')}.")


def outputs_of_one(served: Serving, samples: dict[str, np.ndarray]) -> Tensors:
    """Call the model on a single sample, or as many as it needs, and return what it returns.

    Raises:
        ValueError: if it cannot be run, or returns what a file cannot: text, or arrays without a batch axis.
    """
    rows = served.own_batch_size or 1
    picked = {name: np.resize(array, (rows, *array.shape[1:])) for name, array in samples.items()}
    outputs = _run(served, picked, served.outputs)
    named = dict(zip(_names(served, outputs), keras.tree.flatten(outputs), strict=True))
    if not named:
        raise ValueError(f"{served.model.name!r} returns nothing: there is nothing to predict.")
    for name, output in named.items():
        _check_output(f"Output {name!r} of {served.model.name!r}", output, rows)
    return outputs


def keras_outputs(served: Serving, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run the model on samples, all by name.

    Raises:
        ValueError: if it cannot be run, or returns NaN, infinity or arrays without a batch axis.
    """
    outputs = _run(served, samples, partial(_predict, served))
    rows = len(next(iter(samples.values())))
    for name, array in outputs.items():
        where = f"Output {name!r} of {served.model.name!r}"
        _check_output(where, array, rows)
        if nonfinite(array).any():
            in_half = (
                "compute the layers that exceed 65504, where float16 ends, in float32: dtype='float32'; "
            )
            raise ValueError(
                f"{where} holds NaN or infinity in Keras already: "
                f"{in_half if computes_in_half(served.model) else ''}"
                "check the weights, or pass calibration= with real samples."
            )
    return outputs


def _predict(served: Serving, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    try:
        return served.predict(samples)
    except Exception:  # a model may raise anything
        if served.batch_size in (None, served.own_batch_size):
            raise
        # Its code may be written for the batch size of the file, and no other.
        return replace(served, own_batch_size=served.batch_size).predict(samples)


def _names(served: Serving, outputs: Tensors) -> list[str]:
    names: list[str] = keras.tree.flatten(served.interface(outputs).outputs)
    return names


def _run(
    served: Serving, samples: dict[str, np.ndarray], run: Callable[[dict[str, np.ndarray]], Outputs]
) -> Outputs:
    try:
        return run(samples)
    except Exception as error:  # a model may raise anything
        raise ModelCannotRun(served.model, samples, one_line(error)) from error


def _check_output(where: str, output: Tensor, rows: int) -> None:
    if not hasattr(output, "shape"):
        raise ValueError(f"{where} is {type(output).__name__}, and a file returns arrays: leave it out.")
    if isinstance(output, tf.SparseTensor):
        raise ValueError(f"{where} is sparse, and a file returns dense arrays: return tf.sparse.to_dense(x).")
    if isinstance(output, tf.RaggedTensor):
        raise ValueError(f"{where} is ragged, and a file returns dense arrays: return x.to_tensor().")
    if str(getattr(output.dtype, "name", output.dtype)) in ("string", "object"):
        raise ValueError(f"{where} is text, and a file returns numbers: leave the lookup out of the model.")
    shape = tuple(output.shape)
    if not shape or shape[0] != rows:
        raise ValueError(
            f"{where} has no batch axis: for {rows} {'sample' if rows == 1 else 'samples'} its shape is "
            f"{shape}. Return arrays whose first axis is the samples."
        )
