"""Teachers that answer outside TensorFlow: one plain function from arrays to arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from keras_kd.finite import NotFinite, first_bad_row
from keras_kd.parts import parts
from keras_kd.teachers.outputs import Kinds, WrongAnswer, kind_at, log_of
from keras_kd.tensors import Tensors

# What tells a teacher from others whatever it is called, or a function that finds it out; `None`: nothing.
OwnFingerprint: TypeAlias = Callable[[], str | None] | str | None


@runtime_checkable
class HostTeacher(Protocol):
    """What answers on the host: all that a store of answers, or a step that waits for them, needs to know.

    It may have a `fingerprint`, a text or a method that returns one, by which `kd.precompute` recognizes it.

    Attributes:
        name: Its name, for messages.
        inputs: Specs of what it takes, `keras.KerasTensor`s in their structure with a free batch size; `None`
            if it does not tell.
    """

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> Any: ...

    def answer(self, batch: Tensors) -> dict[str, np.ndarray]:
        """The signals of a batch by tap, `"output"` or `"output/NAME"`, with a row for each sample.

        Args:
            batch: Arrays `(samples, ...)` in the structure of the inputs, any number of samples.

        Raises:
            NotFinite: An answer is NaN or infinite; the message names the sample.
        """


@dataclass(frozen=True)
class HostFunction:
    """A function of NumPy arrays as a `HostTeacher`.

    Args:
        name: Its name.
        run: Takes a batch of arrays and returns an array, or a structure of arrays.
        inputs: As for a `HostTeacher`.
        outputs: What the arrays hold; probabilities become logits.
        fingerprint: What tells it from others.
        file: The `.tflite` file that it runs.

    Examples:
        >>> teacher = HostFunction("double", lambda x: 2 * x)
        >>> teacher.answer(np.ones((1, 3)))
        {'output': array([[2., 2., 2.]], dtype=float32)}
    """

    name: str
    run: Callable[[Any], Any] = field(repr=False)
    inputs: Any = None
    outputs: Kinds = None
    fingerprint: OwnFingerprint = field(default=None, repr=False)
    file: Path | None = field(default=None, repr=False)

    def answer(self, batch: Tensors) -> dict[str, np.ndarray]:
        """See `HostTeacher`."""
        samples = len(next(iter(parts(batch).values())))
        found = {path: np.asarray(array) for path, array in parts(self.run(batch)).items()}
        self._check_kinds(list(found))
        answers = {}
        for path, array in found.items():
            self._check_rows(path, array, samples)
            array = log_of(array, kind_at(self.outputs, path))
            number = array.dtype.kind == "f" and array.dtype != np.float32
            answers[f"output/{path}" if path else "output"] = array.astype("float32") if number else array
        return answers

    def _check_kinds(self, paths: list[str]) -> None:
        named = list(self.outputs) if isinstance(self.outputs, Mapping) else []
        unknown = next((path for path in named if path not in paths), None)
        if unknown is not None:
            has = (
                f"answers with {paths}" if paths != [""] else "has one output: say what it is, without a name"
            )
            raise WrongAnswer(f"`outputs` names {unknown!r}, and the teacher {self.name!r} {has}.")

    def _check_rows(self, path: str, array: np.ndarray, samples: int) -> None:
        what = f"{path!r} of the teacher {self.name!r}" if path else f"The teacher {self.name!r}"
        if array.ndim == 0 or array.dtype.kind not in "fiub":
            raise WrongAnswer(
                f"{what} answers with {array.dtype} of shape {array.shape}. It has to answer with an array "
                "of numbers (samples, ...), or with a list or dictionary of such arrays."
            )
        if len(array) != samples:
            raise WrongAnswer(f"{what} answers with {len(array)} rows for {samples} samples.")
        row = first_bad_row(array, may_suppress=True)
        if row is not None:
            raise NotFinite(f"{what} answers with NaN or infinity for sample {row} of the batch.", row)
