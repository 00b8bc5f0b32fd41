"""Random samples that a model can be run on, for checks and timings without data."""

from __future__ import annotations

import keras
import numpy as np

from keras_kd.deployment.source.input_shapes import LENGTHS, is_free
from keras_kd.deployment.source.keras_outputs import ModelCannotRun, outputs_of_one
from keras_kd.deployment.source.serving import Serving
from keras_kd.finite import nonfinite
from keras_kd.legacy import is_tf_keras
from keras_kd.messages import one_line


def random_samples(served: Serving, rows: int) -> dict[str, np.ndarray]:
    """Draw valid inputs; free axes, except the batch, get the first length that the model can be run with.

    Args:
        served: the model.
        rows: how many samples.

    Raises:
        ValueError: if it can be run with none of the lengths that are tried.
    """
    if not any(is_free(tensor) for tensor in served.inputs):
        return served.random_inputs(rows)
    failures: list[ModelCannotRun] = []
    for length in _lengths(served):
        samples = served.random_inputs(rows, length)
        try:
            _check_shapes(served, samples)
            outputs = outputs_of_one(served, samples)
        except ModelCannotRun as failure:
            failures.append(failure)
        else:
            if not any(nonfinite(output).any() for output in keras.tree.flatten(outputs)):
                return samples
    if failures:
        raise ValueError(f"{failures[0]} Say which size it takes: input_shape=.") from failures[0]
    return served.random_inputs(rows)


def _lengths(served: Serving) -> list[int]:
    # A table of positions is as long as the longest sequence.
    longest = min([LENGTHS[0], *served.vocabularies()])
    return [*dict.fromkeys([longest, *LENGTHS])]


def _check_shapes(served: Serving, samples: dict[str, np.ndarray]) -> None:
    """Refuse samples so small that some layer would return nothing, which TensorFlow does not mind."""
    if is_tf_keras(served.model):
        return
    symbols = [keras.KerasTensor((1, *samples[t.name].shape[1:]), t.dtype) for t in served.inputs]
    try:
        served.model.compute_output_spec(keras.tree.pack_sequence_as(served.structure, symbols))
    except Exception as error:  # a model may raise anything
        raise ModelCannotRun(served.model, samples, one_line(error)) from error
