"""Checks of what is asked of `export`, before any work is done."""

from __future__ import annotations

import difflib
import os
import uuid
from pathlib import Path
from typing import Any

import keras

from keras_kd.deployment.kinds import kinds, wrapper_of
from keras_kd.deployment.serving import layers_of
from keras_kd.legacy import is_model, is_tf_keras

QUANTIZATIONS = (None, "float16", "dynamic", "int8", "int16x8")
_INTEGER_IO = {"int8": ("int8", "uint8"), "int16x8": ("int16",)}
# Sparse integer weights convert. Then, in ai-edge-litert 2.3, convolutions and dense layers of dynamic files
# fail to run, dense layers of int8 files fail or give wrong outputs, convolutions of int16x8 files fail.
_SPARSE = (None, "float16")
# What is left to do where a wrapper of tensorflow-model-optimization is still there.
_UNFINISHED = {
    "PruneLowMagnitude": "tfmot.sparsity.keras.strip_pruning(model)",
    "ClusterWeights": "tfmot.clustering.keras.strip_clustering(model)",
    "QuantizeAnnotate": "tfmot.quantization.keras.quantize_apply(model)",
}


def check_model(model: Any) -> keras.Model:
    """Return the model to export: the student of a `Distiller`, else the model itself."""
    student = getattr(model, "student", None)
    model = student if is_model(student) else model
    if not is_model(model):
        raise TypeError(
            f"Expected a keras.Model; received {type(model).__name__}. Files: keras.models.load_model."
        )
    for layer in layers_of(model):
        wrapper = wrapper_of(layer)
        if wrapper in _UNFINISHED:
            raise ValueError(
                f"Layer {layer.name!r} of {model.name!r} is still wrapped in {wrapper}: "
                f"pass {_UNFINISHED[wrapper]}."
            )
        if not is_tf_keras(layer) and layer.quantization_mode is not None:
            raise ValueError(
                f"{model.name!r} was quantized by Keras ({layer.name!r}: {layer.quantization_mode}); "
                "files of such models are wrong. Export the unquantized model with quantization= instead."
            )
        if getattr(layer, "stateful", False) and isinstance(layer, kinds("layers.RNN")):
            raise ValueError(
                f"Layer {layer.name!r} keeps its state between batches; a file cannot. Set stateful=False."
            )
    return model


def check_path(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """Check that a `.tflite` file can be written at `path`."""
    target = Path(path)
    if target.suffix != ".tflite":
        raise ValueError(f"The path must end in .tflite; received {str(target)!r}.")
    if not target.parent.exists():
        raise FileNotFoundError(f"The folder {str(target.parent)!r} does not exist; create it first.")
    if target.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a folder.")
    if target.exists() and not overwrite:
        raise FileExistsError(f"{str(target)!r} exists; pass overwrite=True to replace it.")
    # Permission bits do not tell whether a folder can be written to; writing does.
    trial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    trial.touch()
    trial.unlink()
    return target


def is_quantization_aware(model: keras.Model) -> bool:
    """Tell whether a model was trained to be an int8 file, and so holds its ranges itself."""
    return any(wrapper_of(layer) == "QuantizeWrapper" for layer in layers_of(model))


def check_quantization(model: keras.Model, quantization: str | None, io: str, calibration: Any) -> None:
    """Check that model, quantization, io and calibration fit each other."""
    if quantization not in QUANTIZATIONS:
        near = difflib.get_close_matches(str(quantization), [name for name in QUANTIZATIONS if name], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"Unknown quantization {quantization!r}; expected one of {QUANTIZATIONS}.{hint}")
    allowed = ("float32", *_INTEGER_IO.get(quantization or "", ()))
    if io not in allowed:
        raise ValueError(
            f"io={io!r} does not go with quantization={quantization!r}; expected one of {allowed}."
        )
    if is_quantization_aware(model):
        if quantization != "int8":
            # The others give this very file, or one that imitates it with more operators.
            raise ValueError(
                f"{model.name!r} is quantization aware: it was trained to be an int8 file. "
                f"Pass quantization='int8'; received {quantization!r}."
            )
    elif quantization in _INTEGER_IO and calibration is None:
        raise ValueError(
            f"quantization={quantization!r} needs calibration=: some hundred samples of the training inputs, "
            "as a tf.data.Dataset or arrays."
        )


def check_sparse(sparse: bool, quantization: str | None) -> None:
    """Check that a sparse file can be of this quantization."""
    if sparse and quantization not in _SPARSE:
        raise ValueError(
            f"sparse=True goes with quantization in {_SPARSE}; received {quantization!r}: sparse files with "
            "integer weights convert and do not run. Without sparse=True, gzip makes the zeros small."
        )


def fixed_batch(model: keras.Model, batch_size: int | None) -> tuple[int | None, list[str]]:
    """Return the batch to convert with, and what to note about it."""
    if batch_size is not None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(
                f"batch_size must be None or a whole number of 1 or more; received {batch_size!r}."
            )
        return batch_size, []
    loop = recurrent_layer(model)
    if loop is None:
        return None, []
    return 1, [f"the batch is fixed at 1 because of the recurrent layer {loop!r}"]


def recurrent_layer(model: keras.Model) -> str | None:
    """Name a layer that loops over time, however deep it is; an unrolled one does not loop."""
    for layer in layers_of(model):
        if isinstance(layer, kinds("layers.RNN")) and not layer.unroll:
            return layer.name
    return None
