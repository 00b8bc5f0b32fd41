"""From a Keras model to a `.tflite` file that is run and compared before it is written."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from keras_kd.deployment.arguments import check_quantization, select_batch_size
from keras_kd.deployment.calibration import representative_samples
from keras_kd.deployment.conversion.converter_process import ConverterCrashed, converter
from keras_kd.deployment.conversion.failures import about_free_sizes, about_precision, failure_message
from keras_kd.deployment.conversion.request import COMPARED, Answer, Failure, Request
from keras_kd.deployment.conversion.saved_model import save
from keras_kd.deployment.data_sources import Data
from keras_kd.deployment.exported import Exported
from keras_kd.deployment.input_steps import rounded_inputs
from keras_kd.deployment.inspection import inspect_file
from keras_kd.deployment.integer_parts import check_integer_io
from keras_kd.deployment.opening.trials import trials
from keras_kd.deployment.origin import Origin
from keras_kd.deployment.ranges import InputRange, ranges_of, unlike_model
from keras_kd.deployment.source.input_shapes import InputShape, sized
from keras_kd.deployment.source.input_structure import InputSpecs
from keras_kd.deployment.source.keras_outputs import keras_outputs, outputs_of_one
from keras_kd.deployment.source.random_samples import random_samples
from keras_kd.deployment.source.serving import Serving, make_serving
from keras_kd.deployment.source.source_model import is_quantization_aware, resolve_model, student_keys
from keras_kd.files import write_atomically
from keras_kd.locations import check_lite_target
from keras_kd.messages import one_line


def export(
    model: keras.Model,
    path: str | os.PathLike[str],
    *,
    quantization: str | None = None,
    calibration: Data = None,
    io: str = "float32",
    batch_size: int | None = 1,
    overwrite: bool = False,
    sparse: bool = False,
    allow_flex: bool = False,
    inputs: InputSpecs = None,
    input_shape: InputShape | None = None,
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
        quantization: `None` or `"float32"`, `"float16"` (weights of half the size), `"dynamic"` (8-bit
            weights), `"int8"` (8-bit weights and activations), `"int16x8"` (8-bit weights, 16-bit
            activations).
        calibration: inputs that look like real ones: arrays, a dict or list of them, or a tuple `(x, y)`; a
            batched `tf.data.Dataset`, a `keras.utils.PyDataset`, a generator, a list, an object with `len`
            and an index such as `tfds.data_source`, or a function that returns one, such as TensorFlow
            Lite's `representative_dataset`. Required for `"int8"` and `"int16x8"`; 256 samples are used:
            spread evenly over arrays, the first ones of anything else. A quantization-aware model has its own
            ranges; samples are then only compared.
        io: type of float inputs and outputs in the file: `"float32"`; `"int8"` or `"uint8"` for an
            `"int8"` file; `"int16"` for an `"int16x8"` file.
        batch_size: how many samples the file takes per call. Browsers (LiteRT.js) and delegates for GPUs and
            NPUs need a fixed number. `None` leaves it free, except for models with recurrent layers, which
            only convert with a fixed one: they get 1.
        overwrite: replace an existing file.
        sparse: store weights that are 30 % or more zeros without the zeros, if `quantization` is
            `None` or `"float16"`; `notes` names them. The file is smaller, but seldom faster.
        allow_flex: accept operators that TensorFlow Lite lacks. Such a file needs the Flex delegate and
            cannot be run, and so not be checked, from Python.
        inputs: `keras.InputSpec`s in the structure that the model takes, for subclassed models with inputs
            that are not float32.
        input_shape: the shape of one sample, such as `(224, 224, 3)`: fixes the sizes that the model leaves
            free. For several inputs a dict or list of shapes.

    Returns:
        What was written, as an `Exported`.

    Raises:
        ValueError: for incompatible arguments, a model that the converter cannot convert, or a file that
            disagrees with Keras.
        TypeError: if `model` is not a Keras model.
        FileNotFoundError: if the folder does not exist.
        FileExistsError: if the file exists and `overwrite` is false.
        TimeoutError: if the conversion needs more than two hours, or than the environment variable
            `KERAS_KD_CONVERT_TIMEOUT` says, in seconds.

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
    keys, model = student_keys(model), resolve_model(model)
    target = check_lite_target(path, overwrite=overwrite)
    row = check_quantization(model, quantization, io, sparse=sparse, calibrated=calibration is not None)
    converter.start()  # TensorFlow loads in the child while the model is traced here
    served = sized(make_serving(model, inputs=inputs, keys=keys), input_shape)
    served, notes = _with_batch(served, batch_size)
    random = calibration is None
    samples = random_samples(served, COMPARED) if random else representative_samples(calibration, served)
    ranges, unlike = ((), []) if random else _scale(served, samples)
    with converter.folder() as folder:
        request = Request(
            folder, row, io, served.batch_size, sparse, allow_flex, is_quantization_aware(model)
        )
        exported = _convert(request, served, samples, real_samples=not random and not unlike)
        _write(request.file.read_bytes(), target, overwrite)
    return replace(exported, path=target, calibration=ranges, notes=(*notes, *unlike, *exported.notes))


def _with_batch(served: Serving, batch_size: int | None) -> tuple[Serving, list[str]]:
    batch, notes = select_batch_size(served.model, batch_size, served.own_batch_size)
    return replace(served, batch_size=batch), notes


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
    request = replace(
        request,
        interface=served.interface(outputs_of_one(served, compared)),
        made_from=Origin.of(served.model, request.quantization.name, request.batch_size),
    )
    expected = keras_outputs(served, compared)
    try:
        actual = _file_outputs(request, served, samples)
        check_integer_io(request, served.model.name)
        return inspect_file(
            request,
            served,
            expected,
            actual,
            real_samples=real_samples,
            rerun=lambda: served.predict({name: _nudged(array) for name, array in compared.items()}),
            rounded=partial(rounded_inputs, served, compared, samples, request.quantization.input_steps),
        )
    except ValueError as error:
        _check_unread(request, served)
        # Where the file is for now tells nobody anything.
        text = str(error).replace(repr(str(request.file)), "The converted file")
        if text == str(error):
            raise
        raise ValueError(text) from error


def _check_unread(request: Request, served: Serving) -> None:
    """Raise a `ValueError` if integers cannot go in because an input goes nowhere, which has no range."""
    if request.io == "float32" or not request.saved_model.exists():  # which cannot be traced
        return
    floats = {tensor.name for tensor in served.inputs if tensor.dtype == "float32"}
    unread = [name for name in served.unread_inputs() if name in floats]
    if unread:
        raise ValueError(
            f"io={request.io!r} is not possible for {served.model.name!r}: no layer reads its input "
            f"{unread[0]!r}, which stays float32. Leave that input out of the model, or leave io= out."
        )


def _file_outputs(
    request: Request, served: Serving, samples: dict[str, np.ndarray]
) -> dict[str, np.ndarray] | None:
    """Have the file written and run; return its outputs, or `None` if it needs the Flex delegate."""
    shapes = {name: array.shape[1:] for name, array in samples.items()}
    try:
        save(served, request.saved_model)
    except Exception as error:  # tracing runs the model's own code
        advice = about_precision(served.model) or about_free_sizes(served.model, served.inputs, shapes)[0]
        reason = one_line(error).partition(" You can attempt")[0].rstrip(".")  # TensorFlow's advice
        raise ValueError(
            f"{served.model.name!r} cannot be saved for inference: {reason}. {advice}".rstrip()
        ) from error
    np.savez(request.samples, **samples)  # type: ignore[arg-type]
    answer: Answer
    try:
        answer = converter.convert(request)
    except ConverterCrashed as crash:
        answer = Failure("run" if request.file.exists() else "crash", str(crash))
    if isinstance(answer, Failure):
        raise ValueError(failure_message(served.model, request, answer, served.inputs, shapes))
    if not answer.ran:
        return None
    trials.remember_good(request.file)
    with np.load(request.outputs) as outputs:
        return dict(outputs)


def _nudged(array: np.ndarray) -> np.ndarray:
    """Floats moved by two rounding steps; everything else as it is."""
    is_float = np.issubdtype(array.dtype, np.floating)
    return (array * (1 + 2 * np.finfo(array.dtype).eps)).astype(array.dtype) if is_float else array


def _write(content: bytes, target: Path, overwrite: bool) -> None:
    with write_atomically(target) as part:
        part.write_bytes(content)
        check_lite_target(target, overwrite=overwrite)  # it may have appeared in the meantime
