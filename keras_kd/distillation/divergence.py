"""Why the losses of an epoch are not finite: because of the teacher, the data or the student.

Nothing is looked at while the losses are finite, and nothing in the steps themselves.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.distillation.wiring import Wiring
from keras_kd.finite import nonfinite
from keras_kd.legacy import keras_classes
from keras_kd.signals import batches
from keras_kd.tensors import Tensor
from keras_kd.training.first_batch import numbers_of


class Diagnosis:
    """Warns at the end of an epoch whose losses are not finite, once for each cause.

    The teacher's weights are looked at first, then the data and what the teacher makes of it, batch by batch:
    at most as many as the epoch had, and only if the data can be read again without consuming it.

    Args:
        wiring: Returns the current wiring, which has the teacher.
        losses: The names under which losses are logged.
        arguments: The arguments of `fit`, by name.
    """

    def __init__(
        self, wiring: Callable[[], Wiring], losses: Sequence[str], arguments: Mapping[str, Any]
    ) -> None:
        self._wiring, self._losses, self._arguments = wiring, losses, arguments
        self._warned: set[str] = set()

    def end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        """Look for the cause if the losses of an epoch, counted from 0, are not finite."""
        logged = logs or {}
        wrong = [name for name in self._losses if name in logged and not np.isfinite(logged[name])]
        if not wrong:
            return
        cause = self._find_cause(epoch)
        if cause is not None and cause[0] not in self._warned:
            self._warned.add(cause[0])
            warnings.warn(f"Not finite in epoch {epoch + 1}: {', '.join(wrong)}. {cause[1]}", stacklevel=2)

    def _find_cause(self, epoch: int) -> tuple[str, str] | None:
        """The cause, `"teacher"`, `"data"` or `"student"`, and what to say of it."""
        teacher = self._wiring().models.teacher
        broken = [] if teacher is None else [w for w in teacher.weights if nonfinite(w).any()]
        if teacher is not None and broken:
            path = getattr(broken[0], "path", broken[0].name)
            return "teacher", (
                f"The cause is the teacher {teacher.name!r}: its weight {path!r} holds NaN or infinity."
            )
        if self._warned:
            return None  # the student has not been finite since
        read = 0
        for batch in _read_again(self._arguments, epoch):
            read += 1
            found = self._find_in_batch(batches.unpack(batch))
            if found is not None:
                return found
        where = f"{read} batches of the data" if read else "the data, which cannot be read again"
        searched = where if teacher is None else f"the teacher or in {where}"
        return "student", f"No NaN or infinity was found in {searched}: {self._blame_student()}"

    def _blame_student(self) -> str:
        if any(nonfinite(weight).any() for weight in self._wiring().models.student.weights):
            return "the student diverged. Try a smaller learning rate, or clip the gradients (clipnorm=1.0)."
        return (
            "and the student's weights are finite. Its outputs may be too large for a loss, as when it "
            "begins to diverge; or minus infinity, for a class that the teacher does not suppress."
        )

    def _find_in_batch(self, batch: batches.Batch) -> tuple[str, str] | None:
        signals = {f"teacher signal {tap!r}": value for tap, value in (batch.cached_signals or {}).items()}
        given = {"inputs": batch.inputs, "labels": batch.labels, "sample weights": batch.sample_weight}
        for name, value in {**given, **signals}.items():
            suppresses = name not in ("inputs", "sample weights")
            if any(_is_wrong(part, suppresses) for part in keras.tree.flatten(value)):
                return "data", f"The cause is the data: its {name} hold NaN or infinity. Clean the data."
        wiring = self._wiring()
        teacher = wiring.models.teacher
        if teacher is None:
            return None
        for tap, value in wiring.run_teacher(batch).raw.items():
            if _is_wrong(value, may_suppress=True):
                return "teacher", (
                    f"The cause is the teacher {teacher.name!r}: its {tap!r} holds NaN or infinity for "
                    "inputs that hold none. Check its preprocessing, and its range if it computes in float16."
                )
        return None


def _is_wrong(tensor: Tensor | None, may_suppress: bool) -> bool:
    """Whether a tensor holds NaN or infinity, or a row of which every class is suppressed."""
    values = numbers_of(tensor)
    if not isinstance(values, (tf.Tensor, np.ndarray)):
        return False
    wrong = nonfinite(values, may_suppress=may_suppress)
    return bool(wrong.any()) or (wrong.ndim > 1 and bool(nonfinite(values).all(axis=-1).any()))


def _read_again(arguments: Mapping[str, Any], epoch: int) -> Iterator[Any]:
    """The batches of an epoch, from data that can be read again; none from a generator."""
    data, steps = arguments.get("x"), arguments.get("steps_per_epoch")
    epoch -= arguments.get("initial_epoch", 0)
    if isinstance(data, tf.data.Dataset):
        size = int(data.cardinality())
        if steps:  # the epochs go on where the last one ended
            done = epoch * steps
            data = data.skip(done % size if size > 0 else done).take(steps)
        yield from data
    elif isinstance(data, keras_classes("utils.Sequence")):  # the older name of a PyDataset
        size = getattr(data, "num_batches", None) or len(data)
        yield from (data[i % size] for i in range(steps or size))
    else:
        yield from _slices(arguments)


def _slices(arguments: Mapping[str, Any]) -> Iterator[Any]:
    whole = tuple(arguments.get(name) for name in ("x", "y", "sample_weight"))
    arrays = [array for array in keras.tree.flatten(whole) if array is not None]
    if not arrays or not all(isinstance(array, (np.ndarray, tf.Tensor)) for array in arrays):
        return
    size = arguments.get("batch_size") or 32
    for start in range(0, len(arrays[0]), size):
        rows = slice(start, start + size)
        yield keras.tree.map_structure(
            lambda array, rows=rows: None if array is None else tf.convert_to_tensor(array[rows]), whole
        )


class DivergenceCallback(keras.callbacks.Callback):
    """Asks for a diagnosis at the end of each epoch."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__()
        self._diagnosis = diagnosis

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._diagnosis.end_epoch(epoch, logs)


def add_callback(callbacks: Any, added: Any) -> Any:
    """The callbacks of `fit`, as a list or a `CallbackList`, with another one at the end."""
    if hasattr(callbacks, "callbacks"):  # a CallbackList, which is the user's
        copied = copy.copy(callbacks)
        copied.callbacks = [*callbacks.callbacks, added]
        return copied
    listed = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    return [*(callback for callback in listed if callback is not None), added]
