"""What a teacher is made of: a model, a function of TensorFlow, or something that answers on the host."""

import functools
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf

from keras_kd.deployment.litemodel import LiteModel
from keras_kd.legacy import KerasModel, comes_from, is_layer, is_model
from keras_kd.locations import check_teacher
from keras_kd.model_files import load_model
from keras_kd.teachers.estimators import estimator_teacher, is_estimator
from keras_kd.teachers.foreign import (
    TensorFunction,
    is_signature,
    of_layer,
    of_loaded,
    of_signature,
    of_tf_function,
    open_saved_model,
)
from keras_kd.teachers.host import HostFunction, HostTeacher
from keras_kd.teachers.host_files import lite_teacher, onnx_digest, onnx_teacher, open_onnx
from keras_kd.teachers.outputs import Kinds

Source: TypeAlias = "KerasModel | TensorFunction | HostTeacher"


def find_source(source: object, name: str | None = None, outputs: Kinds = None) -> tuple[Source, str, Kinds]:
    """What answers, its name, and what its answers are still to be made logits of.

    Those of a `HostTeacher` are logits already.

    Args:
        source: A path, or an object.
        name: Its name, if the user gave one.
        outputs: What the user says of its outputs.

    Raises:
        TypeError: Nothing that answers.
        OSError: There is no such file.
        ValueError: It does not load.
    """
    if isinstance(source, (str, os.PathLike)):
        path = check_teacher(source)
        found, name, outputs = _named(_open(path), name or _plain(path.stem), outputs)
        if path.suffix.lower() == ".onnx" and isinstance(found, HostFunction):
            found = replace(found, fingerprint=functools.partial(onnx_digest, path))
        return found, name, outputs
    return _named(source, name or _name_of(source), outputs)


def _open(path: Path) -> object:
    if (path / "saved_model.pb").exists():
        return open_saved_model(path)
    if path.suffix.lower() == ".tflite":
        return LiteModel(path)
    return open_onnx(path) if path.suffix.lower() == ".onnx" else load_model(path, compile=False)


def _name_of(source: Any) -> str:
    named = getattr(source, "__name__", None) or getattr(source, "name", None)
    if isinstance(source, LiteModel):
        named = source.path.stem
    if isinstance(named, str) and named != "<lambda>":
        return _plain(named)
    return "teacher" if callable(source) else _plain(type(source).__name__)


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("_") or "teacher"


def _named(source: Any, name: str, outputs: Kinds) -> tuple[Source, str, Kinds]:
    if is_model(source):
        return source, name, outputs
    function = _tensor_function(source)
    if function is not None:
        return function, name, outputs
    host = _host(source, name, outputs)
    if host is not None:
        return host, name, None
    if isinstance(source, type):
        raise TypeError(
            f"A teacher is an object, and {source.__name__} is a class: pass a trained object of it."
        )
    if isinstance(source, (list, tuple)) and not any(hasattr(each, "__array__") for each in source):
        raise TypeError(f"Received {len(source)} sources. Make a teacher of each, and kd.ensemble of them.")
    raise TypeError(
        "A teacher is made of the path of a file, a model, or something that answers for a batch: a "
        f"function, an estimator with predict_proba, kd.LiteModel(...). Received: {type(source).__name__}."
    )


def _tensor_function(source: Any) -> TensorFunction | None:
    if isinstance(source, TensorFunction):
        return source
    if is_layer(source):
        return of_layer(source)
    if hasattr(source, "signatures") and comes_from(source, "tensorflow"):
        return of_loaded(source, "The SavedModel")
    if is_signature(source):
        return of_signature(source)
    types = tf.types.experimental.PolymorphicFunction, tf.types.experimental.ConcreteFunction
    return of_tf_function(source) if isinstance(source, (*types, tf.Module)) and callable(source) else None


def _host(source: Any, name: str, outputs: Kinds) -> HostTeacher | None:
    made: HostFunction | None = None
    if isinstance(source, LiteModel):
        made = lite_teacher(source, name)
    elif comes_from(source, "onnxruntime"):
        made = onnx_teacher(source, name)
    elif isinstance(source, HostTeacher):
        if outputs is not None:
            raise ValueError(
                f"`outputs` says what a file, an estimator or a function answers with. {name!r} has a method "
                f"`answer`, which returns logits or numbers as they are to be read. Received: {outputs!r}."
            )
        return source
    elif is_estimator(source):
        made, outputs = estimator_teacher(source, name, outputs)
    elif callable(source) and not isinstance(source, type):
        made = HostFunction(name, source, fingerprint=getattr(source, "fingerprint", None))
    return None if made is None else replace(made, outputs=outputs)
