"""Why an epoch ends with losses or weights that are not finite: the teacher, the data or the student.

Nothing is looked at in the steps themselves. The losses alone do not tell: TensorFlow's relu makes 0 of NaN,
and the loss of a student that NaN has ruined may be finite.
"""

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_kd.distillation.suppressed_classes import SuppressedClassError
from keras_kd.distillation.wiring import Wiring
from keras_kd.finite import nonfinite
from keras_kd.legacy import keras_classes
from keras_kd.signals import batches
from keras_kd.tensors import Tensor
from keras_kd.training.first_batch import numbers_of

_SUMMED = (tf.float16, tf.bfloat16, tf.float32, tf.float64)


class Diagnosis:
    """Warns at the end of an epoch that gives losses or weights that are not finite, once for each cause.

    The teacher's weights are looked at first, then the data, what the teacher makes of it, and whether the
    objectives can take classes that it suppresses, batch by batch: at most as many as the epoch had, and only
    if the data can be read again without consuming it.

    Args:
        wiring: Returns the current wiring, which has the teacher.
        losses: The names under which losses are logged.
        arguments: The arguments of `fit`, by name.
        unpack: Makes a batch of what the data gives.
    """

    def __init__(
        self,
        wiring: Callable[[], Wiring],
        losses: Sequence[str],
        arguments: Mapping[str, Any],
        unpack: Callable[[object], batches.Batch] = batches.unpack,
    ) -> None:
        self._unpack = unpack
        self._wiring, self._losses, self._arguments = wiring, losses, arguments
        self._warned: set[str] = set()

    def end_epoch(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        """Look for the cause if the losses of an epoch, counted from 0, or the weights are not finite.

        Raises:
            ValueError: Precomputed signals turned out not to be what the first batch made of them.
        """
        logged = logs or {}
        wrong = [name for name in self._losses if name in logged and not np.isfinite(logged[name])]
        if not wrong:
            broken = broken_weight(self._wiring().trained_weights)
            if broken is None:
                return
            wrong = [f"the weight {_path(broken)!r}, though the losses are finite"]
        cause = self._find_cause(epoch)
        if cause is not None and cause[0] not in self._warned:
            self._warned.add(cause[0])
            warnings.warn(f"Not finite in epoch {epoch + 1}: {', '.join(wrong)}. {cause[1]}", stacklevel=2)

    def _find_cause(self, epoch: int) -> tuple[str, str] | None:
        """The cause, `"teacher"`, `"data"` or `"student"`, and what to say of it."""
        teacher = self._wiring().models.teacher
        broken = None if teacher is None else broken_weight(teacher.weights)
        if teacher is not None and broken is not None:
            return "teacher", (
                f"The cause is the teacher {teacher.name!r}: its weight {_path(broken)!r} holds NaN or "
                "infinity."
            )
        if self._warned:
            return None  # the student has not been finite since
        read = 0
        for batch in _read_again(self._arguments, epoch):
            read += 1
            found = self._find_in_batch(self._unpack(batch))
            if found is not None:
                return found
        return "student", self._blame_student(read)

    def _blame_student(self, read: int) -> str:
        teacher = self._wiring().models.teacher
        advice = "the student diverged. Try a smaller learning rate, or clip the gradients (clipnorm=1.0)."
        if broken_weight(self._wiring().trained_weights) is None:
            advice = (
                "and the student's weights are finite. Its outputs may be too large for a loss, as when it "
                "begins to diverge; or minus infinity, for a class that the teacher does not suppress."
            )
        if read:
            searched = f"{'' if teacher is None else 'the teacher or in '}{read} batches of the data"
            return f"No NaN or infinity was found in {searched}: {advice}"
        weights = "" if teacher is None else "The teacher's weights are finite. "
        return (
            f"{weights}The data cannot be read again: it may hold NaN or infinity"
            f"{self._wiring().doubt_cached_signals()}. If not, {advice}"
        )

    def _find_in_batch(self, batch: batches.Batch) -> tuple[str, str] | None:
        signals = {f"teacher signal {tap!r}": value for tap, value in (batch.cached_signals or {}).items()}
        given = {"inputs": batch.inputs, "labels": batch.labels, "sample weights": batch.sample_weight}
        for name, value in {**given, **signals}.items():
            suppresses = name not in ("inputs", "sample weights")
            if any(_is_wrong(part, suppresses) for part in keras.tree.flatten(value)):
                return "data", f"The cause is the data: its {name} hold NaN or infinity. Clean the data."
        self._wiring().check_cached_range(batch)
        return self._find_in_signals(batch)

    def _find_in_signals(self, batch: batches.Batch) -> tuple[str, str] | None:
        """What is wrong with the teacher's signals of a batch, or with the objectives that read them."""
        wiring = self._wiring()
        teacher, signals = wiring.models.teacher, wiring.run_teacher(batch)
        for tap, value in signals.raw.items():
            if teacher is not None and _is_wrong(value, may_suppress=True):
                return "teacher", (
                    f"The cause is the teacher {teacher.name!r}: its {tap!r} holds NaN or infinity for "
                    "inputs that hold none. Check its preprocessing, and its range if it computes in float16."
                )
        try:
            wiring.check_suppressed_classes(signals, batch, "a batch of the data")
        except SuppressedClassError as error:
            return "objective", str(error)
        return None


def broken_weight(weights: Sequence[Any]) -> Any | None:
    """The first weight that holds NaN or infinity, or `None`; minus infinity may be a bias or a mask.

    Each is summed up where it is, and all sums are read at once: the sum of finite numbers may overflow, but
    no sum of others is finite.
    """
    numbers = [weight for weight in weights if tf.as_dtype(weight.dtype) in _SUMMED]
    sums = [tf.cast(tf.reduce_sum(tf.convert_to_tensor(weight)), "float32") for weight in numbers]
    suspects = [weight for weight, bad in zip(numbers, nonfinite(tf.stack(sums)), strict=True) if bad]
    return next((w for w in suspects if nonfinite(w, may_suppress=True).any()), None)


def _path(weight: Any) -> str:
    return str(getattr(weight, "path", weight.name))


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


def add_callback(callbacks: Any, added: Any) -> Any:
    """The callbacks of `fit`, as a list or a `CallbackList`, with another one at the end."""
    if hasattr(callbacks, "callbacks"):  # a CallbackList, which is the user's
        copied = copy.copy(callbacks)
        copied.callbacks = [*callbacks.callbacks, added]
        return copied
    listed = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    return [*(callback for callback in listed if callback is not None), added]
