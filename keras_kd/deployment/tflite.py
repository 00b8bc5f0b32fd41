"""From a Keras model to a `.tflite` file that was run and compared before it was written."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_kd.deployment.calibration import representative_samples
from keras_kd.deployment.comparison import disagreement
from keras_kd.deployment.converter_process import ConverterCrashed, converter
from keras_kd.deployment.exported import Exported as Exported
from keras_kd.deployment.flatbuffer import Contents
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.notes import about_float_weights, about_sparse_weights
from keras_kd.deployment.request import (
    check_model,
    check_path,
    check_quantization,
    check_sparse,
    fixed_batch,
    is_quantization_aware,
    recurrent_layer,
)
from keras_kd.deployment.saved_model import save
from keras_kd.deployment.serving import Serving, computes_in_half, serving
from keras_kd.deployment.tensors import Tensor
from keras_kd.files import write_atomically
from keras_kd.messages import one_line

COMPARED = 16


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    quantization: str | None = None,
    calibration: Any = None,
    io: str = "float32",
    batch_size: int | None = None,
    overwrite: bool = False,
    sparse: bool = False,
    allow_flex: bool = False,
    inputs: Any = None,
) -> Exported:
    """Write a model as a `.tflite` file, after it was loaded, run and compared with Keras.

    The conversion runs in a child process, so that a crash of the converter is an error here and
    not the end of the program. The file appears at `path` whole and checked, or not at all.

    The file must agree with Keras on up to 16 samples, of the calibration data where it is given, else
    made up: the largest error may be 0.001 of the largest output in float32 and 0.05 in float16
    (and for models that compute in half precision). The error of integer files is reported in
    `max_error`; it is refused if it is as large as the outputs themselves.

    Args:
        model: a built model of Keras 3 or tf_keras; of a `Distiller`, the student is exported. One that
            tensorflow-model-optimization made quantization aware becomes an `"int8"` file as it is;
            wrappers of pruning and clustering are stripped first.
        path: the file to write; it ends in `.tflite`, in a folder that exists.
        quantization: `None` (float32), `"float16"` (weights of half the size), `"dynamic"` (weights
            in 8 bits), `"int8"` (weights and activations), `"int16x8"` (activations in 16 bits).
        calibration: inputs that look like real ones: a batched `tf.data.Dataset`, an array, a dict or
            list of arrays, or a tuple `(x, y)`. Needed for `"int8"` and `"int16x8"`; the first 256
            samples are used. A quantization-aware model brings its ranges; samples are then only compared.
        io: type of float inputs and outputs in the file: `"float32"`; `"int8"` or `"uint8"` for an
            `"int8"` file; `"int16"` for an `"int16x8"` file.
        batch_size: fixes the batch. `None` leaves it free, except for models with recurrent layers,
            which only convert with a fixed batch: they get a batch of 1.
        overwrite: replace a file that exists.
        sparse: store weights that are zero in 30 % or more of their places without the zeros, where
            `quantization` is `None` or `"float16"`; `notes` names them. Smaller, and seldom faster.
        allow_flex: accept operators that TensorFlow Lite lacks. Such a file needs the Flex delegate and
            cannot be run, and so not be checked, from Python.
        inputs: `keras.InputSpec`s in the structure that the model takes, for subclassed models with inputs
            that are not float32.

    Returns:
        What was written.

    Raises:
        ValueError: for arguments that do not fit each other or the model, a model that the converter
            cannot convert, or a file that disagrees with Keras.
        TypeError: if `model` is not a model of Keras.
        FileNotFoundError: if the folder does not exist.
        FileExistsError: if the file exists and `overwrite` is false.

    Examples:
        >>> import keras, numpy as np, tempfile
        >>> from keras_kd.deployment.tflite import export
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> samples = np.random.default_rng(0).normal(size=(64, 4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     exported = export(model, f"{folder}/m.tflite", quantization="int8", calibration=samples)
        >>> exported.operators
        {'DEQUANTIZE': 1, 'FULLY_CONNECTED': 1, 'QUANTIZE': 1}
        >>> exported.max_error < 0.1
        True
    """
    model = check_model(model)
    target = check_path(path, overwrite)
    check_sparse(sparse, quantization)
    check_quantization(model, quantization, io, calibration)
    converter.start()  # TensorFlow loads in the child while the model is traced here
    batch, notes = fixed_batch(model, batch_size)
    served = serving(model, batch_size=batch, inputs=inputs)
    samples = served.made_up(COMPARED)
    if calibration is not None:
        samples = representative_samples(calibration, served)
    expected = _keras_outputs(served, {name: array[:COMPARED] for name, array in samples.items()})
    request = {
        "quantization": quantization,
        "io": io,
        "batch_size": served.batch_size,
        "sparse": sparse,
        "has_ranges": is_quantization_aware(model),
        "allow_flex": allow_flex,
        "compared": COMPARED,
    }
    with tempfile.TemporaryDirectory(prefix="keras_kd_") as folder:
        file, actual = _converted(served, samples, request, Path(folder))
        described = _described(file, served, request, expected, actual)
        described["notes"] = (*notes, *described["notes"])
        content = file.read_bytes()
    _put(content, target, overwrite)
    return Exported(
        path=target,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        quantization=quantization,
        batch_size=served.batch_size,
        **described,
    )


def _keras_outputs(served: Serving, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    try:
        outputs = served.predict(samples)
    except Exception as error:  # a model may raise anything
        shapes = {name: array.shape for name, array in samples.items()}
        raise ValueError(
            f"{served.model.name!r} cannot be run on samples of shape {shapes}: {one_line(error)}"
        ) from error
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(
                f"Output {name!r} of {served.model.name!r} holds NaN or infinity in Keras already: "
                "check the weights, or pass calibration= with real samples."
            )
    return outputs


def _converted(
    served: Serving, samples: dict[str, np.ndarray], request: dict[str, Any], folder: Path
) -> tuple[Path, dict[str, np.ndarray] | None]:
    names = ("saved_model", "samples.npz", "model.tflite", "outputs.npz")
    saved_model, stored, file, outputs = (folder / name for name in names)
    try:
        save(served, saved_model)
    except Exception as error:  # tracing runs the model's own code
        raise ValueError(f"{served.model.name!r} cannot be saved for inference: {one_line(error)}") from error
    np.savez(stored, **samples)  # type: ignore[arg-type]
    paths = {"saved_model": saved_model, "samples": stored, "file": file, "outputs": outputs}
    try:
        answer = converter.convert(request | {key: str(value) for key, value in paths.items()})
    except ConverterCrashed as crash:
        answer = {"failed": "run" if file.exists() else "crash", "reason": str(crash)}
    if "failed" in answer:
        raise ValueError(_failure(served.model, request, answer))
    if not answer["ran"]:
        return file, None
    with np.load(outputs) as loaded:
        return file, dict(loaded)


def _failure(model: keras.Model, request: dict[str, Any], answer: dict[str, str]) -> str:
    kind = request["quantization"] or "float32"
    article = "an" if kind.startswith("int") else "a"
    said = {
        "convert": f"The converter cannot make {article} {kind} file of {model.name!r}",
        "crash": f"The converter crashed on making {article} {kind} file of {model.name!r}",
        "run": f"The {kind} file of {model.name!r} converts and then fails to run",
    }[answer["failed"]]
    return f"{said}: {answer['reason'].rstrip('.')}. {_advice(model, request, **answer)}"


def _advice(model: keras.Model, request: dict[str, Any], failed: str, reason: str) -> str:
    kind = request["quantization"]
    if "TensorFlow Lite does not have" in reason:
        return "Replace the layers that use them; allow_flex=True writes a file that Python cannot run."
    if "even with Flex" in reason:
        return "Replace the layers that use them."
    if "SIGKILL" in reason:
        return "Something ended the process, perhaps for want of memory; try again with more of it."
    if kind in ("int8", "int16x8"):
        loop = recurrent_layer(model)
        unroll = f", or unroll=True in layer {loop!r}" if loop else ""
        return f"Try quantization='dynamic' or 'float16'{unroll}."
    if kind is not None:
        return "Try quantization=None."
    if failed == "run" and request["batch_size"] is None:
        return "A fixed batch may help: batch_size=1."
    return "Replace the layer that the converter stumbles over."


def _compared(
    file: Path,
    served: Serving,
    expected: dict[str, np.ndarray],
    actual: dict[str, np.ndarray],
    request: dict[str, Any],
) -> tuple[float, LiteModel]:
    quantization = request["quantization"]
    bound = "float16" if quantization is None and computes_in_half(served.model) else quantization
    max_error, fault = disagreement(expected, actual, bound)
    lite = LiteModel(file)
    fault = fault or _io_fault(served, lite, expected, request["io"])
    if fault:
        hint = " Try sparse=False." if request["sparse"] else ""
        raise ValueError(
            f"The {quantization or 'float32'} file of {served.model.name!r} is wrong: {fault}.{hint}"
        )
    return max_error, lite


def _described(
    file: Path,
    served: Serving,
    request: dict[str, Any],
    expected: dict[str, np.ndarray],
    actual: dict[str, np.ndarray] | None,
) -> dict[str, Any]:
    contents = Contents.read(file)
    notes = [] if request["quantization"] != "dynamic" else about_float_weights(contents)
    if request["sparse"]:
        notes += about_sparse_weights(contents)
    if computes_in_half(served.model):
        notes.append("the Keras model computes in half precision, the file in float32")
    if actual is None:
        flex = ", ".join(contents.flex_operators)
        notes.append(f"needs the Flex delegate for {flex}; it was not run, and nothing about it is verified")
        max_error, inputs = None, served.inputs
        outputs = tuple(
            Tensor(name, (served.batch_size, *array.shape[1:]), array.dtype.name)
            for name, array in expected.items()
        )
    else:
        max_error, lite = _compared(file, served, expected, actual, request)
        inputs, outputs = lite.inputs, lite.outputs
    return {
        "inputs": inputs,
        "outputs": outputs,
        "operators": contents.operators,
        "needs_flex": bool(contents.flex_operators),
        "float_tensors": contents.float_tensors if request["quantization"] in ("int8", "int16x8") else (),
        "max_error": max_error,
        "compared": 0 if actual is None else len(next(iter(expected.values()))),
        "notes": tuple(notes),
    }


def _io_fault(served: Serving, lite: LiteModel, expected: dict[str, np.ndarray], io: str) -> str | None:
    real = {tensor.name for tensor in served.inputs if tensor.dtype.startswith("float")}
    for tensor in lite.inputs:
        if tensor.name in real and tensor.dtype != io:
            return f"io={io!r} was asked for, and input {tensor.name!r} is {tensor.dtype}"
    for tensor in lite.outputs:
        if expected[tensor.name].dtype.kind in "fV" and tensor.dtype != io:
            return f"io={io!r} was asked for, and output {tensor.name!r} is {tensor.dtype}"
    return None


def _put(content: bytes, target: Path, overwrite: bool) -> None:
    with write_atomically(target) as part:
        part.write_bytes(content)
        check_path(target, overwrite)  # it may have appeared meanwhile
