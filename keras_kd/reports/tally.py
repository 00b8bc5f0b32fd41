"""Counting right answers, equal answers and differences while the data goes by once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_kd.deployment.classes import true_classes
from keras_kd.messages import one_line
from keras_kd.reports.subjects import Subject

Outputs = Mapping[str, np.ndarray]


class Tally:
    """What one subject answered so far; `why` says what keeps its answers from being counted."""

    def __init__(self) -> None:
        self.right = self.labelled = 0
        self.agreed = self.compared = 0
        self.answers = self.broken = 0
        self.why = ""
        self.max_error: float | None = None

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, None without labels."""
        return self.right / self.labelled if self.labelled else None

    @property
    def agreement(self) -> float | None:
        """Share of answers that are the baseline's, None without a baseline."""
        return self.agreed / self.compared if self.compared else None

    def answer(self, classes: np.ndarray, truth: np.ndarray | None, reference: np.ndarray | None) -> None:
        """Counts one batch of top classes; -1 stands for no answer."""
        self.answers += classes.size
        self.broken += int((classes < 0).sum())
        if truth is not None:
            self.right += int((classes == truth).sum())
            self.labelled += classes.size
        if reference is not None:
            # Two models that both fail to answer agree on nothing.
            self.agreed += int(((classes == reference) & (classes >= 0)).sum())
            self.compared += classes.size

    def differ(self, output: Outputs, source: Outputs) -> None:
        """Keeps the largest absolute difference seen; NaN once a difference is NaN."""
        worst = [np.abs(a.astype("float64") - b.astype("float64")).max() for a, b in paired(output, source)]
        self.max_error = float(np.max([*worst, self.max_error or 0.0]))


def count(
    subjects: Sequence[Subject],
    data: Iterable[tuple[Any, Any]],
    baseline: str | None,
    sources: Mapping[str, str],
    progress: Callable[[str], None],
) -> tuple[dict[str, Tally], int]:
    """Runs every subject on every batch.

    All of them see a batch before the next one is read, so that a data set that is shuffled anew each time
    it is read still gives them the same samples.

    Returns:
        A tally a subject, and the number of samples.
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
            check_alike(outputs, baseline)
        answer(tallies, outputs, y, baseline)
        for name, source in sources.items():
            tallies[name].differ(outputs[name], outputs[source])
        samples += rows
        progress(f"predicted {samples:,} samples with {len(subjects)} models")
    if samples == 0:
        raise ValueError("The data is empty: pass at least one sample.")
    return tallies, samples


def answer(
    tallies: Mapping[str, Tally], outputs: Mapping[str, Outputs], y: Any, baseline: str | None
) -> None:
    """Counts the top classes of one batch."""
    classes = {name: top_classes(output) for name, output in outputs.items()}
    reference = None if baseline is None else classes[baseline]
    for name, tally in tallies.items():
        found = classes[name]
        if found is None:
            tally.why = "the output is not one vector of class scores a sample"
            continue
        several = y is None or isinstance(y, dict | list | tuple)
        truth = None if several else true_classes(y, next(iter(outputs[name].values())).shape)
        if truth is None:
            tally.why = "the data holds no labels" if y is None else "the labels are not classes"
        tally.answer(found, truth, reference)


def check_finite(x: Any) -> None:
    """Refuses inputs on which no figure would mean anything."""
    for array in map(np.asarray, keras.tree.flatten(x)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError("The data holds NaN or infinity: remove those samples first.")


def predict(subject: Subject, x: Any) -> Outputs:
    """Outputs for one batch; what goes wrong names the subject."""
    try:
        return subject.predict(x)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{subject.name!r} cannot run on this data: {one_line(error)}") from error


def check_alike(outputs: Mapping[str, Outputs], baseline: str | None) -> None:
    """Refuses outputs of different shapes: such rows would say nothing about each other."""
    first = baseline if baseline is not None else next(iter(outputs))
    for name, output in outputs.items():
        alike = len(output) == len(outputs[first])
        if not alike or any(a.shape != b.shape for a, b in paired(output, outputs[first])):
            shapes = f"{first!r} has {_shapes(outputs[first])}, {name!r} has {_shapes(output)}"
            raise ValueError(f"All models must have outputs of one shape: {shapes}.")


def _shapes(output: Outputs) -> list[tuple[int, ...]]:
    return [array.shape[1:] for array in output.values()]


def paired(output: Outputs, other: Outputs) -> list[tuple[np.ndarray, np.ndarray]]:
    """The arrays of two models side by side: by name, or in order where the names differ."""
    if output.keys() == other.keys():
        return [(array, other[name]) for name, array in output.items()]
    return list(zip(output.values(), other.values(), strict=True))


def top_classes(output: Outputs) -> np.ndarray | None:
    """The class of the highest score, -1 where a score is NaN; None for what is not one vector of scores."""
    scores = next(iter(output.values()))
    if len(output) > 1 or scores.ndim < 2 or scores.shape[-1] < 2 or scores.dtype.kind != "f":
        return None
    return np.where(np.isnan(scores).any(-1), -1, scores.argmax(-1))
