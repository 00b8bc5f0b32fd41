"""A batch of data, and the signals that it carries: `"labels"`, `"input"`, their parts, a teacher's."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_kd.parts import parts
from keras_kd.tensors import Tensor, Tensors, TensorSpecs


class Taught(NamedTuple):
    """Inputs with precomputed teacher signals, so that no teacher has to run.

    A data set of `(kd.Taught(inputs, signals), labels)` trains a Distiller without a teacher. `evaluate` and
    `predict` read only the inputs.

    Attributes:
        inputs: The student's inputs, as they would be passed without precomputed signals.
        signals: `{tap: tensor}`, the teacher's signals by the names under which objectives read them:
            `"output"`, a layer path, `"output/NAME"`. Each tensor has the batch axis first.

    Examples:
        >>> import keras, numpy as np
        >>> import keras_kd as kd
        >>> x, labels = np.random.rand(32, 4), np.random.randint(0, 3, 32)
        >>> logits = np.random.rand(32, 3)  # the output of the teacher
        >>> distiller = kd.Distiller(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]))
        >>> distiller.compile("adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = distiller.fit(kd.Taught(x, {"output": logits}), labels, verbose=0)
        >>> sorted(history.history)
        ['loss', 'soft_targets', 'student_loss']
    """

    inputs: Any
    signals: dict[str, Any]


class Batch(NamedTuple):
    """The contents of a batch of data, as tensors or their specs.

    Attributes:
        inputs: The student's inputs.
        labels: `None` if there are none.
        sample_weight: `None` if there is none.
        cached_signals: `{tap: tensor}`, the precomputed teacher signals of a `kd.Taught`; else `None`.
    """

    inputs: Tensors
    labels: Tensors = None
    sample_weight: Tensors = None
    cached_signals: dict[str, Any] | None = None

    def specs(self) -> "Batch":
        """The specs that all batches share: without the number of samples and sample weights."""
        of_all = self.inputs, self.labels, self.cached_signals
        inputs, labels, cached_signals = (keras.tree.map_structure(_spec, part) for part in of_all)
        return Batch(inputs, labels, None, cached_signals)


def unpack(data: object) -> Batch:
    """The parts of the data that Keras passes to a step: inputs, or inputs, labels and sample weights.

    Raises:
        TypeError: The signals of a `kd.Taught` are not a dictionary.
    """
    data = (data,) if isinstance(data, Taught) else data  # a Taught is itself a tuple of two
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(x, Taught):
        return Batch(x, y, sample_weight)
    if not isinstance(x.signals, dict):
        raise TypeError(
            "kd.Taught(inputs, signals) takes the signals by tap, such as {'output': logits}. Received: "
            f"{type(x.signals).__name__}."
        )
    return Batch(x.inputs, y, sample_weight, x.signals)


def without_teacher_signals(data: object) -> Tensors:
    """The same data without the teacher signals of a `kd.Taught`: the student alone is evaluated on it."""
    x, y, sample_weight, _ = unpack(data)
    return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)


def _spec(tensor: Tensor | None) -> tf.TypeSpec | None:
    if tensor is None:
        return None
    if not hasattr(tensor, "dtype"):  # a DataFrame, in an eager step
        tensor = np.asarray(tensor)
    shape = (None, *tensor.shape[1:])
    if isinstance(tensor, (tf.SparseTensor, tf.SparseTensorSpec)):
        return tf.SparseTensorSpec(shape, tensor.dtype)
    if isinstance(tensor, (tf.RaggedTensor, tf.RaggedTensorSpec)):
        rows = tensor.row_splits_dtype if isinstance(tensor, tf.RaggedTensorSpec) else tensor.row_splits.dtype
        return tf.RaggedTensorSpec(shape, tensor.dtype, tensor.ragged_rank, rows)
    return tf.TensorSpec(shape, tensor.dtype)


def require_ranks(batch: Batch) -> None:
    """Raise a `ValueError` for a part of the data whose number of axes is unknown, as no Keras loss takes it.

    `tf.py_function` and `tf.numpy_function` return such tensors.
    """
    named = {
        "x": batch.inputs,
        "y": batch.labels,
        "sample_weight": batch.sample_weight,
        "Taught.signals": batch.cached_signals,
    }
    for name, structure in named.items():
        for path, tensor in parts(structure).items():
            if tensor is not None and tf.TensorShape(tensor.shape).rank is None:
                whole = f"{name}[{path!r}]" if path else name
                raise ValueError(
                    f"`{whole}` of the data has an unknown number of axes, as after tf.py_function or "
                    "tf.numpy_function. State its shape in `dataset.map`, with None where a size varies: "
                    "tf.ensure_shape(part, (None, ...))."
                )


def find_specs(x: object, y: object) -> TensorSpecs:
    """Specs of the batches that `fit` will make from its arguments, or `None` if unknown before it runs."""
    if isinstance(x, tf.data.Dataset):
        known = keras.tree.flatten(x.element_spec)
        return x.element_spec if all(isinstance(part, tf.TensorSpec) for part in known) else None
    arrays = [array for array in keras.tree.flatten((x, y)) if array is not None]
    if not arrays or not all(isinstance(array, (np.ndarray, tf.Tensor)) for array in arrays):
        return None
    return keras.tree.map_structure(_array_spec, (x, y))


def _array_spec(array: Tensor | None) -> tf.TensorSpec | None:
    if array is None:
        return None
    dtype = tf.as_dtype(array.dtype)
    return tf.TensorSpec((None, *array.shape[1:]), keras.config.floatx() if dtype.is_floating else dtype)


def require_cached_signals(taps: Iterable[str], batch: Batch) -> dict[str, Any]:
    """The precomputed teacher signals of a batch, by tap.

    Raises:
        ValueError: One of these taps is not among them.
    """
    wanted, cached = list(taps), batch.cached_signals
    if wanted and cached is None:
        raise ValueError(
            "This Distiller has no teacher. Set `distiller.teacher = ...` before `fit`, or train on data "
            "that carries the teacher's signals: kd.Taught(inputs, signals)."
        )
    cached = cached or {}
    missing = [tap for tap in wanted if tap not in cached]
    if missing:
        elements = tuple(tap for tap in cached if tap.startswith(f"{missing[0]}/"))
        advice = f" For several of them: teacher={elements}." if len(elements) > 1 else ""
        raise ValueError(
            f"An objective reads the teacher's {missing[0]!r}, and the data carries the signals "
            f"{list(cached)}.{advice}"
        )
    return cached


def comes_with_data(tap: str) -> bool:
    """Whether a tap names the labels or the inputs, or a part of either (`"input/index"`)."""
    return tap.partition("/")[0] in ("labels", "input")


def describe(x: Tensors) -> str:
    """The shape and dtype of a tensor, or of each tensor of a structure, by path."""
    described = {
        path: f"{tuple(part.shape)} {tf.as_dtype(part.dtype).name}"
        for path, part in parts(x).items()
        if part is not None
    }
    return described[""] if "" in described else str(described)


def as_tensor(value: Tensor | None) -> Tensor | None:
    """Arrays and numbers as a step sees them; tensors, sparse and ragged ones too, as they are."""
    kept = value is None or isinstance(value, (tf.Tensor, tf.SparseTensor, tf.RaggedTensor))
    return value if kept else tf.convert_to_tensor(value)


def count_samples(structure: Tensors) -> Tensor:
    """The number of samples in a batch, as a scalar tensor."""
    return tf.shape(next(tensor for tensor in keras.tree.flatten(structure) if tensor is not None))[0]


def read_tap(tap: str, batch: Batch) -> Any:
    """The tensor or spec that a tap names in the inputs or labels of a batch.

    Raises:
        ValueError: There are no labels, or there is no such part.
    """
    source, _, part = tap.partition("/")
    value = batch.inputs if source == "input" else batch.labels
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
