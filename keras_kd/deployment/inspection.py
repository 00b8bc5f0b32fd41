"""A converted file, compared with Keras and described before anybody else sees it."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np

from keras_kd.deployment.comparison import disagreement
from keras_kd.deployment.exported import Exported
from keras_kd.deployment.flatbuffer import Contents
from keras_kd.deployment.integer_parts import IntegerParts, about_integers, about_size
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.notes import about_float_weights, about_sparse_weights
from keras_kd.deployment.quantizations import FLOAT16, FLOAT32
from keras_kd.deployment.request import Request
from keras_kd.deployment.serving import Serving
from keras_kd.deployment.source_model import computes_in_half
from keras_kd.deployment.tensor_details import TensorDetails


def inspect_file(
    request: Request, served: Serving, expected: dict[str, np.ndarray], actual: dict[str, np.ndarray] | None
) -> Exported:
    """Compare the file of a request with Keras and describe it.

    Args:
        request: What was converted.
        served: The Keras model.
        expected: Its outputs by name, `(samples, ...)`.
        actual: The file's outputs for the same samples; `None` where it could not be run.

    Raises:
        ValueError: if the file disagrees with Keras, or has inputs or outputs of another type than requested.
    """
    content, contents = request.file.read_bytes(), Contents.read(request.file)
    if actual is None:
        max_error, (inputs, outputs) = None, _keras_tensors(served, expected)
    else:
        lite = LiteModel(request.file)
        max_error = _checked_error(request, served, lite, expected, actual)
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
        max_error=max_error,
        compared=0 if actual is None else len(next(iter(expected.values()))),
        notes=tuple(_notes(request, contents, served, was_run=actual is not None)),
    )


def _checked_error(
    request: Request,
    served: Serving,
    lite: LiteModel,
    expected: dict[str, np.ndarray],
    actual: dict[str, np.ndarray],
) -> float:
    quantization = request.quantization
    half = quantization is FLOAT32 and computes_in_half(served.model)
    max_error, fault = disagreement(expected, actual, FLOAT16.error if half else quantization.error)
    fault = fault or io_fault(served, lite, expected, request.io)
    if fault:
        hint = " Try sparse=False." if request.sparse else ""
        raise ValueError(f"The {quantization.label} file of {served.model.name!r} is wrong: {fault}.{hint}")
    return max_error


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


def _notes(request: Request, contents: Contents, served: Serving, was_run: bool) -> list[str]:
    notes = about_float_weights(contents) if request.quantization.may_skip_weights else []
    if request.quantization.integer_activations:
        notes += about_integers(IntegerParts.read(request.file))
    elif request.quantization is FLOAT16:
        notes += about_size(IntegerParts.read(request.file))
    if request.sparse:
        notes += about_sparse_weights(contents)
    if computes_in_half(served.model):
        notes.append("the Keras model computes in half precision, the file in float32")
    if not was_run:
        flex = ", ".join(contents.flex_operators)
        notes.append(f"needs the Flex delegate for {flex}; it was not run, and nothing about it is verified")
    return notes
