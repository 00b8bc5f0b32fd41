"""Counting the predictions of the models and files in a comparison, in one pass over the data."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import keras
import numpy as np

from keras_kd.deployment.accuracy import Accuracy, Differences, top_classes, true_classes
from keras_kd.finite import nonfinite
from keras_kd.messages import one_line
from keras_kd.reports.subjects import Subject
from keras_kd.tensors import Tensors

Outputs = Mapping[str, np.ndarray]


@dataclass
class Tally(Accuracy):
    """The predictions of one subject so far.

    Args:
        differences: How far its outputs are from those of the model that it was made from.
        why: Why its predictions, or its accuracy, cannot be counted; empty if they can.
    """

    differences: Differences = field(default_factory=Differences)
    why: str = ""

    @property
    def max_error(self) -> float | None:
        """The largest difference; `None` if nothing was compared."""
        return self.differences.largest if self.differences.elements else None


def count(
    subjects: Sequence[Subject],
    data: Iterable[tuple[Tensors, Tensors]],
    baseline: str | None,
    sources: Mapping[str, str],
    progress: Callable[[str], None],
) -> tuple[dict[str, Tally], int]:
    """Run every subject on every batch.

    All of them run on a batch before the next one is read, so that even a dataset that is reshuffled whenever
    it is read gives them the same samples.

    Returns:
        A tally per subject, and the number of samples.
    """
    tallies = {subject.name: Tally() for subject in subjects}
    samples = 0
    for x, y in data:
        rows = (np.shape(keras.tree.flatten(x)[0]) or (1,))[0]
        if rows == 0:
            continue
        check_finite(x)
        outputs = {subject.name: predict(subject, x) for subject in subjects}
        if samples == 0:
            check_same_shapes(outputs, baseline)
        count_batch(tallies, outputs, y, baseline)
        for name, source in sources.items():
            for output, reference in paired(outputs[name], outputs[source]):
                tallies[name].differences.add(output, reference)
        samples += rows
        progress(f"predicted {samples:,} samples with {len(subjects)} models")
    if samples == 0:
        raise ValueError("The data is empty: pass at least one sample.")
    return tallies, samples


def count_batch(
    tallies: Mapping[str, Tally], outputs: Mapping[str, Outputs], y: Tensors, baseline: str | None
) -> None:
    """Count the predicted classes of one batch."""
    classes = {name: _classes(output) for name, output in outputs.items()}
    reference = None if baseline is None else classes[baseline]
    for name, tally in tallies.items():
        answers = classes[name]
        if answers is None:
            tally.why = "the output is not one vector of class scores per sample"
            continue
        several = y is None or isinstance(y, dict | list | tuple)
        truth = None if several else true_classes(y, next(iter(outputs[name].values())).shape)
        if truth is None:
            tally.why = "the data holds no labels" if y is None else "the labels are not classes"
        tally.add(answers, truth, reference)


def _classes(output: Outputs) -> np.ndarray | None:
    return top_classes(next(iter(output.values()))) if len(output) == 1 else None


def check_finite(x: Tensors) -> None:
    """Reject inputs for which no figure would be meaningful."""
    if any(nonfinite(array).any() for array in keras.tree.flatten(x)):
        raise ValueError("The data holds NaN or infinity: remove those samples first.")


def predict(subject: Subject, x: Tensors) -> Outputs:
    """The outputs for one batch; an error names the subject."""
    try:
        return subject.predict(x)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{subject.name!r} cannot run on this data: {one_line(error)}") from error


def check_same_shapes(outputs: Mapping[str, Outputs], baseline: str | None) -> None:
    """Reject outputs of different shapes, which cannot be compared."""
    first = baseline if baseline is not None else next(iter(outputs))
    for name, output in outputs.items():
        same = len(output) == len(outputs[first])
        if not same or any(a.shape != b.shape for a, b in paired(output, outputs[first])):
            shapes = f"{first!r} has {_shapes(outputs[first])}, {name!r} has {_shapes(output)}"
            raise ValueError(f"All models must have outputs of the same shape: {shapes}.")


def _shapes(output: Outputs) -> list[tuple[int, ...]]:
    return [array.shape[1:] for array in output.values()]


def paired(output: Outputs, other: Outputs) -> list[tuple[np.ndarray, np.ndarray]]:
    """The arrays of two models side by side: by name, or in order if the names differ."""
    if output.keys() == other.keys():
        return [(array, other[name]) for name, array in output.items()]
    return list(zip(output.values(), other.values(), strict=True))
