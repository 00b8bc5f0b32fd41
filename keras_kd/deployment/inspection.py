"""A converted file, compared with Keras and described before anybody else sees it."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from keras_kd.deployment.comparison import Comparison, compare_outputs
from keras_kd.deployment.conversion.failures import about_float16
from keras_kd.deployment.conversion.request import Request
from keras_kd.deployment.edges import read_edges
from keras_kd.deployment.exported import Exported
from keras_kd.deployment.input_steps import RoundedInput
from keras_kd.deployment.integer_parts import IntegerParts, about_integers, about_size
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.notes import about_float_weights, about_sparse_weights
from keras_kd.deployment.opening.flatbuffer import Contents
from keras_kd.deployment.quantizations import FLOAT16, FLOAT32
from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.source.source_model import computes_in_half
from keras_kd.deployment.spread import FLOAT16_STEP
from keras_kd.deployment.tensor_details import TensorDetails


def inspect_file(
    request: Request,
    served: Serving,
    expected: dict[str, np.ndarray],
    actual: dict[str, np.ndarray] | None,
    *,
    real_samples: bool = True,
    rerun: Callable[[], Mapping[str, np.ndarray]] | None = None,
    rounded: Callable[[], Iterable[RoundedInput]] = tuple,
) -> Exported:
    """Compare the file of a request with Keras and describe it.

    Args:
        request: What was converted.
        served: The Keras model.
        expected: Its outputs by name, `(samples, ...)`.
        actual: The file's outputs for the same samples; `None` where it could not be run.
        real_samples: As for `compare_outputs`.
        rerun: As for `compare_outputs`.
        rounded: As for `compare_outputs`.

    Raises:
        ValueError: if the file disagrees with Keras, or has inputs or outputs of another type than requested.

    Warns:
        UserWarning: if the file lost most of what Keras's outputs tell apart.
    """
    content, contents = request.file.read_bytes(), Contents.read(request.file)
    comparison, (inputs, outputs) = None, _keras_tensors(served, expected)
    if actual is not None:
        lite = LiteModel(request.file)
        compare = partial(compare_outputs, real_samples=real_samples, rerun=rerun, rounded=rounded)
        comparison = _compare(compare, request, served, lite, expected, actual)
        inputs, outputs = lite.inputs, lite.outputs
    return Exported(
        path=request.file,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        quantization=request.quantization.name,
        batch_size=request.batch_size,
        inputs=inputs,
        outputs=outputs,
        operators=contents.operators,
        needs_flex=bool(contents.flex_operators),
        float_tensors=contents.float_tensors if request.quantization.integer_activations else (),
        max_error=comparison.max_error if comparison else None,
        compared=_samples(actual),
        notes=tuple(_notes(request, contents, served, comparison)),
    )


def _samples(outputs: dict[str, np.ndarray] | None) -> int:
    return 0 if outputs is None else len(next(iter(outputs.values())))


def _compare(
    compare: Callable[..., Comparison],
    request: Request,
    served: Serving,
    lite: LiteModel,
    expected: dict[str, np.ndarray],
    actual: dict[str, np.ndarray],
) -> Comparison:
    quantization, half = request.quantization, computes_in_half(served.model)
    bound = FLOAT16.error if half and quantization is FLOAT32 else quantization.error
    bound = replace(bound, step=FLOAT16_STEP) if half else bound
    probabilities = frozenset(read_edges(request.file).activations)
    comparison = compare(expected, actual, bound, probabilities=probabilities)
    fault = comparison.fault or io_fault(served, lite, expected, request.io)
    what = f"The {quantization.label} file of {served.model.name!r}"
    if fault:
        hints = [about_float16(served.model, request.file)] if quantization is FLOAT16 else []
        hints += ["Try sparse=False."] if request.sparse and not any(hints) else []
        end = "" if fault.endswith((".", "?")) else "."
        raise ValueError(f"{what} is wrong: {fault}{end} {' '.join(hints)}".rstrip())
    for loss in comparison.losses:
        warnings.warn(f"{what} lost information: {loss}", UserWarning, stacklevel=5)
    return comparison


def io_fault(served: Serving, lite: LiteModel, expected: dict[str, np.ndarray], io: str) -> str | None:
    """Say which input or output has another type than was requested, or return `None`."""
    real = {tensor.name for tensor in served.inputs if tensor.dtype.startswith("float")}
    for tensor in lite.inputs:
        if tensor.name in real and tensor.dtype != io:
            return f"io={io!r} was requested, but input {tensor.name!r} is {tensor.dtype}"
    for tensor in lite.outputs:
        if expected[tensor.name].dtype.kind in "fV" and tensor.dtype != io:
            return f"io={io!r} was requested, but output {tensor.name!r} is {tensor.dtype}"
    return None


def _keras_tensors(
    served: Serving, expected: dict[str, np.ndarray]
) -> tuple[tuple[TensorDetails, ...], tuple[TensorDetails, ...]]:
    """The inputs and outputs that the file must have, from Keras: this file cannot be opened."""
    inputs = [
        replace(tensor, shape=(served.batch_size, *tensor.shape[1:]), index=index)
        for index, tensor in enumerate(served.inputs)
    ]
    outputs = [
        TensorDetails(name, (served.batch_size, *array.shape[1:]), array.dtype.name, index=index)
        for index, (name, array) in enumerate(expected.items())
    ]
    return tuple(inputs), tuple(outputs)


def _notes(request: Request, contents: Contents, served: Serving, comparison: Comparison | None) -> list[str]:
    notes = [*comparison.losses, *comparison.notes] if comparison else []
    notes += about_float_weights(contents) if request.quantization.may_skip_weights else []
    if request.quantization.integer_activations:
        notes += about_integers(IntegerParts.read(request.file))
    elif request.quantization is FLOAT16:
        notes += about_size(IntegerParts.read(request.file))
    if request.sparse:
        notes += about_sparse_weights(contents)
    if computes_in_half(served.model):
        notes.append("the Keras model computes in half precision, the file in float32")
    if comparison is None:
        flex = ", ".join(contents.flex_operators)
        notes.append(f"needs the Flex delegate for {flex}; it was not run, and nothing about it is verified")
    return notes
