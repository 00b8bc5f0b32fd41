"""What `verify` measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_kd.results import Result


@dataclass(frozen=True)
class OutputVerification(Result):
    """The figures of one output; see `Verification`."""

    name: str
    max_error: float
    mean_error: float
    agreement: float | None
    keras_accuracy: float | None
    file_accuracy: float | None
    relative_error: float | None = None
    metric: str | None = None
    keras_metric: float | None = None
    file_metric: float | None = None


@dataclass(frozen=True)
class Verification(Result):
    """What `verify` measured.

    Args:
        path: the file.
        samples: number of samples that both ran on.
        max_error: largest |file - Keras| over all outputs.
        mean_error: mean |file - Keras| over all outputs.
        agreement: fraction of answers (0 to 1) where both give the same class, or the same yes or no; `None`
            if the model has several outputs or these are neither.
        keras_accuracy: accuracy of the Keras model, 0 to 1; `None` without labels that are such answers.
        file_accuracy: accuracy of the file, likewise.
        outputs: the same figures for each output.
        relative_error: the errors beside what the outputs tell apart: root mean square, as a fraction of the
            spread of Keras's outputs over the samples. A perfect file has 0, and one that always says the
            same has 1 or more. `None` for several outputs, and for outputs that do not vary.
        metric: the metric that was asked for, or `"accuracy"`; `None` if there is neither.
        keras_metric: its value for the Keras model.
        file_metric: its value for the file.
        notes: what was not measured, and why; and what seems to be wrong.

    Examples:
        >>> import keras, numpy as np, tempfile
        >>> import keras_kd as kd
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> x = np.random.default_rng(0).normal(size=(50, 4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = kd.verify(model, kd.export(model, f"{folder}/m.tflite").path, x)
        >>> result.samples, result.agreement, len(result.notes)
        (50, None, 1)
    """

    path: Path
    samples: int
    max_error: float
    mean_error: float
    agreement: float | None
    keras_accuracy: float | None
    file_accuracy: float | None
    outputs: tuple[OutputVerification, ...]
    relative_error: float | None = None
    metric: str | None = None
    keras_metric: float | None = None
    file_metric: float | None = None
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
        for output in self.outputs:
            if output.metric not in (None, "accuracy"):
                keras = _metric_text(output.metric, output.keras_metric)
                file = _metric_text(output.metric, output.file_metric)
                lines.append(f"{output.metric} of {output.name}: Keras {keras}, file {file}")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def _metric_text(metric: str, value: float | None) -> str:
    # An accuracy of 1 would read like a count. What a function calls an accuracy may be any number.
    is_fraction = "accuracy" in metric and value is not None and 0 <= value <= 1
    return f"{value:.2%}" if is_fraction else f"{value:.6g}"
