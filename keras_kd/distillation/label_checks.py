"""Labels that the compiled loss would misread, as far as this can be known before training."""

import itertools
from collections.abc import Generator, Iterable

import keras
import numpy as np
import tensorflow as tf

from keras_kd.distillation.compiled_losses import CompiledLoss, ignored_class, kind_of, name_of
from keras_kd.distillation.objectives import Objective
from keras_kd.signals.batches import Batch, read_tap, unpack
from keras_kd.tensors import Shape, Tensor, Tensors


def check_labels(y: Tensors, student: keras.Model, loss: CompiledLoss, name: str = "y") -> None:
    """Raise a `ValueError` for labels that are not valid classes of the student.

    Args:
        y: The labels.
        student: The student.
        loss: The compiled loss; labels are checked where it is Keras's sparse cross-entropy.
        name: What the labels are called in the error.
    """
    for given, labels, output in _pairs(loss, y, getattr(student, "output", None)):
        values = _numbers(labels)
        if kind_of(given) != "sparse" or values is None:
            continue
        ignored = ignored_class(given)
        values = values if ignored is None else values[values != ignored]
        _check_whole(values, name, f"{name_of(given)} reads classes")
        classes = None if output is None else output.shape[-1]
        if classes is None:
            continue
        wrong = values[(values < 0) | (values >= classes)]
        if len(wrong):
            raise ValueError(
                f"`{name}` holds the label {wrong[0]}, and the student has {classes} classes, "
                f"0 to {classes - 1}."
            )


def check_held_out_labels(held_out: object, student: keras.Model, loss: CompiledLoss) -> None:
    """Raise a `ValueError` for labels in `validation_data` that are not valid classes of the student.

    Of a data set the first batch is looked at, and only if its labels are floats where classes are read.
    """
    if isinstance(held_out, (list, tuple)) and len(held_out) > 1:
        check_labels(held_out[1], student, loss, "validation_data[1]")
    elif isinstance(held_out, tf.data.Dataset):
        _check_first_batch(held_out, student, loss, "validation_data")


def check_evaluated_labels(x: object, y: Tensors, student: keras.Model, loss: CompiledLoss) -> object:
    """Raise a `ValueError` for labels of `evaluate` that are not valid classes of the student.

    Of data that comes in batches the first one is looked at, as in `fit`.

    Returns:
        `x`; a generator, from which a batch was taken, as one that begins with this batch.
    """
    if isinstance(x, tf.data.Dataset):
        _check_first_batch(x, student, loss, "y")
    elif isinstance(x, keras.utils.PyDataset):
        check_labels(unpack(x[0]).labels, student, loss)
    elif isinstance(x, Generator):
        taken = list(itertools.islice(x, 1))
        for batch in taken:
            check_labels(unpack(batch).labels, student, loss)
        return _chain(taken, x)
    else:
        check_labels(y, student, loss)
    return x


def _chain(*parts: Iterable[object]) -> Generator[object, None, None]:
    """As `itertools.chain`, but a generator, which Keras knows."""
    for part in parts:
        yield from part


def _check_first_batch(data: tf.data.Dataset, student: keras.Model, loss: CompiledLoss, name: str) -> None:
    """Look at labels that are floats where classes are read; others need no pass over the data."""
    if "sparse" not in map(kind_of, keras.tree.flatten(loss)):
        return
    specs = keras.tree.flatten(unpack(data.element_spec).labels)
    if any(isinstance(spec, tf.TensorSpec) and spec.dtype.is_floating for spec in specs):
        for batch in data.take(1):
            check_labels(unpack(batch).labels, student, loss, name)


def check_objective_labels(objectives: Iterable[Objective], batch: Batch) -> None:
    """Raise a `ValueError` for fractional labels in a batch where an objective reads classes."""
    for objective in objectives:
        loss = objective.loss
        of_labels = loss.reads_labels and loss.reads_logits
        if not (of_labels or kind_of(getattr(loss, "loss", None)) == "sparse"):
            continue
        for tap in objective.data_taps:
            labels = read_tap(tap, batch)
            values = None if _is_one_hot(labels, objective) else _numbers(labels)
            if tap.startswith("labels") and values is not None:
                _check_whole(values, tap, f"the objective {objective.name!r} reads classes")


def _is_one_hot(labels: Tensor, objective: Objective) -> bool:
    shape = (objective.get_build_config() or {}).get("student_shape") or ()
    return len(labels.shape) == len(shape) and tuple(labels.shape)[-1:] == tuple(shape)[-1:]


def _check_whole(values: np.ndarray, name: str, reason: str) -> None:
    fractional = values[values != np.floor(values)]
    if len(fractional):
        raise ValueError(
            f"`{name}` holds the label {fractional[0]}, and {reason}: whole numbers, counted from 0. For "
            "values that are no classes, use a loss for regression, such as 'mse'; for a probability of each "
            "class, CategoricalCrossentropy."
        )


def _numbers(labels: object) -> np.ndarray | None:
    """Labels that can be looked at, in one row: arrays, tensors with values, tables. `None` for others."""
    if isinstance(labels, (tf.Tensor, tf.Variable)) and not hasattr(labels, "numpy"):
        return None  # symbolic
    if not hasattr(labels, "__array__"):
        return None
    values = np.asarray(labels)
    return values.ravel() if values.dtype.kind in "iuf" else None


def check_loss(loss: CompiledLoss, y: Tensors, student: keras.Model) -> None:
    """Raise a `ValueError` if labels do not have the shape that a compiled Keras loss reads.

    Keras would broadcast them and train on nonsense. What cannot be known is left to Keras: the user's own
    functions, and several outputs with labels of another structure.
    """
    for given, labels, output in _pairs(loss, y, getattr(student, "output", None)):
        kind = kind_of(given)
        if kind is None or labels is None or output is None or None in output.shape[1:]:
            continue
        wanted = tuple(output.shape[1:-1] if kind == "sparse" else output.shape[1:])
        received = tuple(labels.shape[1:])
        if _squeezed(received) != _squeezed(wanted):
            raise ValueError(
                f"compile(loss={name_of(given)}) does not match the outputs of {student.name!r}: for outputs "
                f"{tuple(output.shape)} it reads labels {(None, *wanted)}, and the data has "
                f"{(None, *received)}.{_ADVICE.get(kind, '')}"
            )


def _pairs(loss: CompiledLoss, y: Tensors, outputs: Tensors) -> list[tuple[object, Tensor, Tensor]]:
    """Losses, labels and outputs that belong together, if the structures say so."""
    outputs = outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs
    if isinstance(outputs, dict) and isinstance(y, dict):
        named = loss if isinstance(loss, dict) else dict.fromkeys(outputs, loss)
        return [
            pair
            for key in outputs
            if key in named and key in y
            for pair in _pairs(named[key], y[key], outputs[key])
        ]
    if isinstance(outputs, (list, tuple)) and isinstance(y, (list, tuple)):
        losses = loss if isinstance(loss, (list, tuple)) else [loss] * len(outputs)
        if isinstance(loss, dict):
            return []
        return [pair for each in zip(losses, y, outputs, strict=False) for pair in _pairs(*each)]
    single = not any(keras.tree.is_nested(part) for part in (loss, y, outputs))
    return [(loss, y, outputs)] if single else []


_ADVICE = {
    "sparse": " For one-hot labels use CategoricalCrossentropy.",
    "categorical": " For integer labels use SparseCategoricalCrossentropy.",
}


def _squeezed(shape: Shape) -> Shape:
    return shape[:-1] if shape and shape[-1] == 1 else shape
