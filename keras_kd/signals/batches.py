"""Signals that come with the data rather than from a model: `"labels"`, `"input"` and their parts."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf


class Taught(NamedTuple):
    """Inputs that carry what a teacher said of them, so that no teacher has to run.

    A data set of `(kd.Taught(inputs, signals), labels)` trains a Distiller without a teacher. `evaluate` and
    `predict` read the inputs alone.

    Attributes:
        inputs: The student's inputs, as they would be given without a teacher.
        signals: `{tap: tensor}`, the teacher's signals by the names under which objectives read them:
            `"output"`, a layer path, `"output/NAME"`. Each tensor has the batch axis first.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> x, labels = np.random.rand(32, 4), np.random.randint(0, 3, 32)
        >>> logits = np.random.rand(32, 3)  # what the teacher said
        >>> distiller = kd.Distiller(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
        >>> distiller.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = distiller.fit(kd.Taught(x, {"output": logits}), labels, verbose=0)
        >>> sorted(history.history)
        ['loss', 'soft_targets', 'student_loss']
    """

    inputs: Any
    signals: dict[str, Any]


def unpack(data: Any) -> tuple[Any, Any, Any, dict[str, Any] | None]:
    """Inputs, labels, sample weights, and what a teacher said, if the data carries it."""
    data = (data,) if isinstance(data, Taught) else data  # which is a tuple of two itself
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(x, Taught):
        if not isinstance(x.signals, dict):
            raise TypeError(
                "kd.Taught(inputs, signals) takes the signals by tap, such as {'output': logits}. Received: "
                f"{type(x.signals).__name__}."
            )
        return x.inputs, y, sample_weight, x.signals
    return x, y, sample_weight, None


def untaught(data: Any) -> Any:
    """The same data without what a teacher said."""
    x, y, sample_weight, _ = unpack(data)
    return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def spec(tensor: Any) -> tf.TensorSpec | None:
    """What is known of a tensor in every batch: all but the number of samples."""
    return None if tensor is None else tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)


def specs_of(x: Any, y: Any) -> Any:
    """Specs of the batches that `fit` will make of its arguments, or `None` if only the data tells."""
    if isinstance(x, tf.data.Dataset):
        known = keras.tree.flatten(x.element_spec)
        return x.element_spec if all(isinstance(part, tf.TensorSpec) for part in known) else None
    arrays = [array for array in keras.tree.flatten((x, y)) if array is not None]
    if not arrays or not all(isinstance(array, (np.ndarray, tf.Tensor)) for array in arrays):
        return None
    return keras.tree.map_structure(_array_spec, (x, y))


def _array_spec(array: Any) -> tf.TensorSpec | None:
    if array is None:
        return None
    dtype = tf.as_dtype(array.dtype)
    return tf.TensorSpec((None, *array.shape[1:]), keras.config.floatx() if dtype.is_floating else dtype)


def check_said(wanted: list[str], said: Any) -> None:
    """Raise a `ValueError` unless the teacher's signals that are wanted come with the data."""
    if said is None:
        raise ValueError(
            "This Distiller has no teacher. Set `distiller.teacher = ...` before `fit`, or train on data "
            "that carries the teacher's signals: kd.Taught(inputs, signals)."
        )
    missing = [tap for tap in wanted if tap not in said]
    if missing:
        raise ValueError(
            f"An objective reads the teacher's {missing[0]!r}, and the data carries the signals {list(said)}."
        )


def comes_with_data(tap: str) -> bool:
    """Whether a tap names the labels or the inputs, or a part of them (`"input/index"`)."""
    return tap.partition("/")[0] in ("labels", "input")


def parts(structure: Any) -> dict[str, Any]:
    """The tensors of a structure by their paths, such as `"heads/a"` or `"0"`; `""` for a tensor alone."""
    if isinstance(structure, dict):
        inside = structure.items()
    elif isinstance(structure, (list, tuple)):
        inside = dict(enumerate(structure)).items()
    else:
        return {"": structure}
    found = [
        (f"{key}/{path}".rstrip("/"), part) for key, value in inside for path, part in parts(value).items()
    ]
    return dict(found)


def samples(structure: Any) -> Any:
    """How many samples a batch has: a scalar tensor."""
    return tf.shape(next(tensor for tensor in keras.tree.flatten(structure) if tensor is not None))[0]


def read(tap: str, x: Any, y: Any) -> Any:
    """The tensor that a tap names in a batch's inputs and labels, or in their specs.

    Raises:
        ValueError: No labels, or no such part.
    """
    source, _, part = tap.partition("/")
    value = x if source == "input" else y
    if value is None:
        raise ValueError(f"{tap!r} is read by an objective, and the data has no {source}.")
    if isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    named = parts(value)
    if "" in named:
        if part:
            raise ValueError(f"No tap {tap!r}: the data's {source} is one tensor. Write {source!r}.")
        return value
    if part not in named:
        taps = [f"{source}/{key}" for key in named]
        raise ValueError(f"No tap {tap!r}: the data has {taps}.")
    return named[part]
