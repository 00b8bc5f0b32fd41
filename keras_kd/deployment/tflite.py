"""From a Keras model to a `.tflite` file that is run and compared before it is written."""

from __future__ import annotations

import os
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_kd.deployment.arguments import check_path, check_quantization, select_batch_size
from keras_kd.deployment.calibration import Data, representative_samples
from keras_kd.deployment.converter_process import ConverterCrashed, converter
from keras_kd.deployment.exported import Exported
from keras_kd.deployment.failures import failure_message
from keras_kd.deployment.input_structure import InputSpecs
from keras_kd.deployment.inspection import inspect_file
from keras_kd.deployment.ranges import InputRange, ranges_of, unlike_model
from keras_kd.deployment.request import COMPARED, Answer, Failure, Request
from keras_kd.deployment.saved_model import save
from keras_kd.deployment.serving import Serving, make_serving
from keras_kd.deployment.source_model import is_quantization_aware, resolve_model
from keras_kd.files import write_atomically
from keras_kd.finite import nonfinite
from keras_kd.messages import one_line


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    quantization: str | None = None,
    calibration: Data = None,
    io: str = "float32",
    batch_size: int | None = None,
    overwrite: bool = False,
    sparse: bool = False,
    allow_flex: bool = False,
    inputs: InputSpecs = None,
) -> Exported:
    """Write a model as a `.tflite` file, after that file was loaded, run and compared with Keras.

    The conversion runs in a child process, so that a crash of the converter raises an error here and
    does not end the program. The file appears at `path` complete and checked, or not at all.

    The file is compared with Keras on up to 16 samples, from the calibration data if given, otherwise
    random inputs. Errors are judged beside the spread of Keras's outputs over these samples, in each channel:
    the largest may be 0.001 of it in float32 and 0.05 in float16 (and for models that compute in half
    precision), besides rounding. What an integer file loses is reported in `max_error`, with a warning if it
    lost most of the spread; it is refused if it lost all of it. Random inputs may hardly move the outputs;
    `notes` says so where they prove nothing. The samples are those that the ranges came from: `verify` tells
    how good the file is on others.

    Args:
        model: a built Keras 3 or tf_keras model; for a `Distiller`, the student is exported. A model that
            tensorflow-model-optimization made quantization aware becomes an `"int8"` file as it is;
            wrappers for pruning and clustering must be stripped first.
        path: the file to write; it ends in `.tflite`, in an existing folder.
        quantization: `None` (float32), `"float16"` (weights of half the size), `"dynamic"` (8-bit weights),
            `"int8"` (8-bit weights and activations), `"int16x8"` (8-bit weights, 16-bit activations).
        calibration: inputs that look like real ones: a batched `tf.data.Dataset`, an array, a dict or
            list of arrays, or a tuple `(x, y)`. Required for `"int8"` and `"int16x8"`; the first 256
            samples are used. A quantization-aware model has its own ranges; samples are then only compared.
        io: type of float inputs and outputs in the file: `"float32"`; `"int8"` or `"uint8"` for an
            `"int8"` file; `"int16"` for an `"int16x8"` file.
        batch_size: the batch size to fix. `None` leaves it dynamic, except for models with recurrent layers,
            which only convert with a fixed batch size: they get a batch size of 1.
        overwrite: replace an existing file.
        sparse: store weights that are 30 % or more zeros without the zeros, if `quantization` is
            `None` or `"float16"`; `notes` names them. The file is smaller, but seldom faster.
        allow_flex: accept operators that TensorFlow Lite lacks. Such a file needs the Flex delegate and
            cannot be run, and so not be checked, from Python.
        inputs: `keras.InputSpec`s in the structure that the model takes, for subclassed models with inputs
            that are not float32.

    Returns:
        What was written, as an `Exported`.

    Raises:
        ValueError: for incompatible arguments, a model that the converter cannot convert, or a file that
            disagrees with Keras.
        TypeError: if `model` is not a Keras model.
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
    model = resolve_model(model)
    target = check_path(path, overwrite)
    row = check_quantization(model, quantization, io, sparse=sparse, calibrated=calibration is not None)
    converter.start()  # TensorFlow loads in the child while the model is traced here
    batch, notes = select_batch_size(model, batch_size)
    served = make_serving(model, batch_size=batch, inputs=inputs)
    random = calibration is None
    samples = served.random_inputs(COMPARED) if random else representative_samples(calibration, served)
    ranges, unlike = ((), []) if random else _scale(served, samples)
    with tempfile.TemporaryDirectory(prefix="keras_kd_") as folder:
        request = Request(
            Path(folder), row, io, served.batch_size, sparse, allow_flex, is_quantization_aware(model)
        )
        exported = _convert(request, served, samples, real_samples=not random and not unlike)
        _write(request.file.read_bytes(), target, overwrite)
    return replace(exported, path=target, calibration=ranges, notes=(*notes, *unlike, *exported.notes))


def _scale(served: Serving, samples: dict[str, np.ndarray]) -> tuple[tuple[InputRange, ...], list[str]]:
    """The ranges of calibration samples, and warnings about samples on another scale than the model takes."""
    unlike = unlike_model(served, samples)
    for sentence in unlike:
        warnings.warn(f"calibration: {sentence}", UserWarning, stacklevel=3)
    return ranges_of(samples), unlike


def _convert(
    request: Request, served: Serving, samples: dict[str, np.ndarray], *, real_samples: bool
) -> Exported:
    compared = {name: array[:COMPARED] for name, array in samples.items()}
    expected = _keras_outputs(served, compared)
    actual = _file_outputs(request, served, samples)
    try:
        return inspect_file(
            request,
            served,
            expected,
            actual,
            real_samples=real_samples,
            rerun=lambda: served.predict(
                {name: _nudged(array[:COMPARED]) for name, array in samples.items()}
            ),
        )
    except ValueError as error:
        # Where the file is for now tells nobody anything.
        raise ValueError(str(error).replace(repr(str(request.file)), "The converted file")) from error


def _keras_outputs(served: Serving, samples: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    try:
        outputs = served.predict(samples)
    except Exception as error:  # a model may raise anything
        shapes = {name: array.shape for name, array in samples.items()}
        raise ValueError(
            f"{served.model.name!r} cannot be run on samples of shape {shapes}: {one_line(error)}"
        ) from error
    for name, array in outputs.items():
        if nonfinite(array).any():
            raise ValueError(
                f"Output {name!r} of {served.model.name!r} holds NaN or infinity in Keras already: "
                "check the weights, or pass calibration= with real samples."
            )
    return outputs


def _file_outputs(
    request: Request, served: Serving, samples: dict[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """Have the file written and run; return its outputs, or `None` if it needs the Flex delegate."""
    try:
        save(served, request.saved_model)
    except Exception as error:  # tracing runs the model's own code
        raise ValueError(f"{served.model.name!r} cannot be saved for inference: {one_line(error)}") from error
    np.savez(request.samples, **samples)  # type: ignore[arg-type]
    answer: Answer
    try:
        answer = converter.convert(request)
    except ConverterCrashed as crash:
        answer = Failure("run" if request.file.exists() else "crash", str(crash))
    if isinstance(answer, Failure):
        raise ValueError(failure_message(served.model, request, answer))
    if not answer.ran:
        return None
    with np.load(request.outputs) as outputs:
        return dict(outputs)


def _nudged(array: np.ndarray) -> np.ndarray:
    """Floats moved by two rounding steps; everything else as it is."""
    is_float = np.issubdtype(array.dtype, np.floating)
    return (array * (1 + 2 * np.finfo(array.dtype).eps)).astype(array.dtype) if is_float else array


def _write(content: bytes, target: Path, overwrite: bool) -> None:
    with write_atomically(target) as part:
        part.write_bytes(content)
        check_path(target, overwrite)  # it may have appeared in the meantime
