"""Does a file predict what its model predicts?"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from keras_kd.deployment.accuracy import Accuracy, Differences, top_classes, true_classes
from keras_kd.deployment.data_sources import Data, batches, is_endless
from keras_kd.deployment.input_structure import InputSpecs
from keras_kd.deployment.interface import paired
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.serving import make_serving
from keras_kd.deployment.source_model import resolve_model
from keras_kd.deployment.tensor_details import unknown_name
from keras_kd.results import Result
from keras_kd.tensors import Tensor, Tensors


@dataclass(frozen=True)
class OutputVerification(Result):
    """The figures of one output; see `Verification`."""

    name: str
    max_error: float
    mean_error: float
    agreement: float | None
    keras_accuracy: float | None
    file_accuracy: float | None


@dataclass(frozen=True)
class Verification(Result):
    """What `verify` measured.

    Args:
        path: the file.
        samples: number of samples that both ran on.
        max_error: largest |file - Keras| over all outputs.
        mean_error: mean |file - Keras| over all outputs.
        agreement: fraction of predictions (0 to 1) where both give the same class; `None` if the model has
            several outputs or does not classify.
        keras_accuracy: accuracy of the Keras model, 0 to 1; `None` without labels.
        file_accuracy: accuracy of the file, likewise.
        outputs: the same figures for each output.
        notes: what was not measured, and why.

    Examples:
        >>> import keras, numpy as np, tempfile
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> x = np.random.default_rng(0).normal(size=(50, 4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = kd.verify(model, kd.export(model, f"{folder}/m.tflite").path, x)
        >>> result.samples, result.agreement, result.notes
        (50, None, ('no agreement: the output is not one score per class',))
    """

    path: Path
    samples: int
    max_error: float
    mean_error: float
    agreement: float | None
    keras_accuracy: float | None
    file_accuracy: float | None
    outputs: tuple[OutputVerification, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.path} against Keras on {self.samples:,} samples"]
        lines.append(
            f"{'output':<16}{'max |error|':>12}{'mean |error|':>13}{'agreement':>11}{'Keras':>9}{'file':>9}"
        )
        for output in self.outputs:
            fractions = (output.agreement, output.keras_accuracy, output.file_accuracy)
            cells = ["-" if fraction is None else f"{fraction:.2%}" for fraction in fractions]
            lines.append(
                f"{output.name:<16}{output.max_error:>12.3g}{output.mean_error:>13.3g}"
                f"{cells[0]:>11}{cells[1]:>9}{cells[2]:>9}"
            )
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


@dataclass
class _OutputTally:
    """Running figures of one output."""

    differences: Differences = field(default_factory=Differences)
    keras: Accuracy = field(default_factory=Accuracy)
    file: Accuracy = field(default_factory=Accuracy)
    notes: set[str] = field(default_factory=set)

    def add(self, wanted: np.ndarray, received: np.ndarray, labels: Tensor | None) -> None:
        self.differences.add(received, wanted)
        truth = None
        if labels is not None and wanted.ndim > 1:
            truth = true_classes(labels, wanted.shape)
        keras_classes, file_classes = top_classes(wanted), top_classes(received)
        if keras_classes is None or file_classes is None:
            self.notes.add("no agreement: the output is not one score per class")
        elif labels is not None and truth is None:
            self.notes.add("no agreement and no accuracy: the labels are not classes of this output")
        else:
            self.keras.add(keras_classes, truth)
            self.file.add(file_classes, truth, reference=keras_classes)
            if labels is None:
                self.notes.add("no accuracy: the data has no labels")

    def result(self, name: str) -> OutputVerification:
        return OutputVerification(
            name=name,
            max_error=self.differences.largest,
            mean_error=self.differences.mean,
            agreement=self.file.agreement,
            keras_accuracy=self.keras.accuracy,
            file_accuracy=self.file.accuracy,
        )


def verify(
    model: keras.Model, path: str | os.PathLike[str], data: Data, *, inputs: InputSpecs = None
) -> Verification:
    """Run a model and its file on the same data and compare their outputs.

    Args:
        model: the exported model, of Keras 3 or tf_keras; for a `Distiller`, the student is compared.
        path: the `.tflite` file.
        data: batches of `x`, `(x, y)` or `(x, y, weights)`, in any form that `calibration` of `export` takes.
            Labels are class numbers or one-hot rows; for several outputs, a dict or list of them.
        inputs: as in `export`.

    Raises:
        ValueError: if there is no data, it does not fit the model, or the file was not made from this model.
        FileNotFoundError: if there is no file.

    Examples:
        >>> import keras, numpy as np, tempfile
        >>> from keras_kd.deployment.tflite import export
        >>> from keras_kd.deployment.verification import verify
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        >>> x, y = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50) % 2
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     exported = export(model, f"{folder}/m.tflite")
        ...     checked = verify(model, exported.path, (x, y))
        >>> checked.samples, checked.agreement, checked.max_error < 1e-4
        (50, 1.0, True)
    """
    model = resolve_model(model)
    if is_endless(data):
        raise ValueError("The data set is infinite: leave out repeat(), or take(...) some batches of it.")
    lite = LiteModel(path)
    served = make_serving(model, inputs=inputs)
    run = served.runner()
    tallies: dict[str, _OutputTally] = {}
    samples = 0
    for x, y in batches(data, inputs=served.data_inputs()):
        arrays = served.arrays(x)
        rows = len(next(iter(arrays.values())))
        wanted = run(arrays)
        received = _run_file(lite, arrays, list(wanted))
        _check_same_outputs(wanted, received, lite)
        labels = _labels_by_name(y, wanted)
        for name, array in wanted.items():
            tallies.setdefault(name, _OutputTally()).add(array, received[name], labels.get(name))
        samples += rows
    if samples == 0:
        raise ValueError("The data is empty; pass a batched tf.data.Dataset or arrays with some samples.")
    return _result(Path(path), samples, tallies)


def _run_file(lite: LiteModel, arrays: dict[str, np.ndarray], outputs: list[str]) -> dict[str, np.ndarray]:
    """Run the file on inputs by the model's names; its outputs have these names, too."""
    names = paired(arrays, [tensor.name for tensor in lite.inputs], "input")
    received = lite.predict_by_name({names[name]: array for name, array in arrays.items()})
    names = {theirs: name for name, theirs in paired(outputs, list(received), "output").items()}
    return {names.get(theirs, theirs): array for theirs, array in received.items()}


def _check_same_outputs(
    wanted: dict[str, np.ndarray], received: dict[str, np.ndarray], lite: LiteModel
) -> None:
    expected = {name: array.shape for name, array in wanted.items()}
    shapes = {name: array.shape for name, array in received.items()}
    if shapes != expected:
        raise ValueError(
            f"{str(lite.path)!r} is not a file of this model: expected outputs {expected}, received {shapes}."
        )


def _labels_by_name(labels: Tensors, outputs: dict[str, np.ndarray]) -> dict[str, Tensors]:
    names = list(outputs)
    if isinstance(labels, dict):
        for name in labels:
            if name not in outputs:
                raise ValueError(f"Labels: {unknown_name(name, names)}")
        return labels
    if isinstance(labels, (list, tuple)) and len(labels) == len(names) and len(names) > 1:
        return dict(zip(names, labels, strict=True))
    return {names[0]: labels} if len(names) == 1 else {}


def _result(path: Path, samples: int, tallies: dict[str, _OutputTally]) -> Verification:
    outputs = tuple(tally.result(name) for name, tally in tallies.items())
    differences = [tally.differences for tally in tallies.values()]
    one = outputs[0] if len(outputs) == 1 else None
    notes = [
        note if one else f"{name}: {note}" for name, tally in tallies.items() for note in sorted(tally.notes)
    ]
    return Verification(
        path=path,
        samples=samples,
        max_error=float(np.max([d.largest for d in differences])),
        mean_error=sum(d.total for d in differences) / max(1, sum(d.elements for d in differences)),
        agreement=one.agreement if one else None,
        keras_accuracy=one.keras_accuracy if one else None,
        file_accuracy=one.file_accuracy if one else None,
        outputs=outputs,
        notes=tuple(notes),
    )
