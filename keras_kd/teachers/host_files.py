"""Files of other runtimes as functions of NumPy arrays: `.tflite` and `.onnx`."""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_kd.contents import file_digest
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.locations import check_onnx_file
from keras_kd.parts import parts
from keras_kd.teachers.host import HostFunction
from keras_kd.tensors import Tensors

# Types of ONNX -> NumPy's, for those that Keras has.
_DTYPES = {"float": "float32", "double": "float64", "float16": "float16", "bool": "bool"}
_DTYPES |= {kind: kind for kind in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")}
_GRAPH = 2**26  # bytes in which the names of other files are sought; a larger file holds its weights itself
_RUNTIME = (
    "reading .onnx files needs the package onnxruntime, which is not installed: pip install 'keras-kd[onnx]'"
)


def lite_teacher(source: LiteModel, name: str) -> HostFunction:
    """A `.tflite` file; one with a fixed batch size runs chunk by chunk."""
    details = {tensor.name: tensor for tensor in source.inputs}
    inputs = keras.tree.map_structure(
        lambda key: keras.KerasTensor(
            (None, *details[key].shape[1:]), details[key].value_dtype, name=_layer_name(key)
        ),
        source.interface.inputs,
    )
    digest = functools.partial(file_digest, source.path)
    return HostFunction(name, source.predict, _single(inputs), fingerprint=digest, file=source.path)


def open_onnx(path: str | os.PathLike[str]) -> Any:
    """An `onnxruntime.InferenceSession` of a file.

    Raises:
        ImportError: onnxruntime is not installed.
        OSError: There is no such file.
        ValueError: onnxruntime cannot load it.
    """
    path = check_onnx_file(path)
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"{str(path)!r}: {_RUNTIME}.") from error
    try:
        return onnxruntime.InferenceSession(os.fspath(path), providers=onnxruntime.get_available_providers())
    except Exception as error:  # onnxruntime has an exception of its own for each of its statuses
        raise ValueError(
            f"{str(path)!r} does not load as an ONNX file: {str(error).strip()[:300]}"
        ) from error


def onnx_teacher(session: Any, name: str) -> HostFunction:
    """An `onnxruntime.InferenceSession`; one with a fixed batch size runs chunk by chunk.

    Raises:
        ValueError: An input of another type than numbers.
    """
    described = {one.name: (tuple(map(_size, one.shape)), one.type) for one in session.get_inputs()}
    dtypes = {key: _dtype(name, key, kind) for key, (_, kind) in described.items()}
    fixed = {shape[0] for shape, _ in described.values() if shape and shape[0] is not None}
    specs = {
        _layer_name(key): keras.KerasTensor((None, *shape[1:]), dtypes[key], name=_layer_name(key))
        for key, (shape, _) in described.items()
    }
    names = [one.name for one in session.get_outputs()]

    def run_once(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        return [np.asarray(array) for array in session.run(names, arrays)]

    def run(x: Tensors) -> Any:
        arrays = _by_name(x, dtypes)
        outputs = _chunked(run_once, arrays, max(fixed)) if fixed else run_once(arrays)
        return outputs[0] if len(names) == 1 else dict(zip(names, outputs, strict=True))

    return HostFunction(name, run, _single(specs))


def onnx_digest(path: Path) -> str:
    """The digest of an `.onnx` file, and of the files beside it that it names: large weights lie there."""
    with open(path, "rb") as file:
        graph = file.read(_GRAPH)
    others = (each for each in path.parent.iterdir() if each.is_file() and each != path)
    named = sorted(each for each in others if each.name.encode() in graph)
    return " ".join(map(file_digest, (path, *named)))


def _size(size: object) -> int | None:
    return size if isinstance(size, int) and size > 0 else None


def _dtype(name: str, key: str, kind: str) -> str:
    inside = kind.removeprefix("tensor(").removesuffix(")")
    if inside not in _DTYPES:
        raise ValueError(f"Input {key!r} of {name!r} is a {kind}; teachers take tensors of numbers.")
    return _DTYPES[inside]


def _by_name(x: Tensors, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
    given = [x[_layer_name(key)] for key in dtypes] if isinstance(x, dict) else list(parts(x).values())
    return {
        key: np.asarray(array).astype(dtype)
        for (key, dtype), array in zip(dtypes.items(), given, strict=True)
    }


def _chunked(
    run: Callable[[dict[str, np.ndarray]], list[np.ndarray]], arrays: dict[str, np.ndarray], size: int
) -> list[np.ndarray]:
    """Run on chunks of a fixed size; the last one is filled up with copies of its last row."""
    rows = len(next(iter(arrays.values())))
    results = [run(chunk) for chunk in _chunks(arrays, rows, size)]
    return [np.concatenate(each)[:rows] for each in zip(*results, strict=True)]


def _chunks(arrays: dict[str, np.ndarray], rows: int, size: int) -> Iterator[dict[str, np.ndarray]]:
    for start in range(0, max(rows, 1), size):
        taken = np.minimum(np.arange(start, start + size), max(rows, 1) - 1)
        yield {key: array[taken] for key, array in arrays.items()}


def _single(structure: Any) -> Any:
    """The only tensor of a structure, which data need not name; or the structure."""
    flat = list(parts(structure).values())
    return flat[0] if len(flat) == 1 else structure


def _layer_name(name: str) -> str:
    """The name of a tensor as Keras allows it for an input."""
    return name.replace("/", "_").replace(":", "_")
