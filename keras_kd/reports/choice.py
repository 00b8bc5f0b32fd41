"""Which file to ship, from sizes, times and what each file answers for each sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_kd.reports.card import size
from keras_kd.reports.front import is_faster
from keras_kd.reports.paired_test import PairedTest, compare_scores
from keras_kd.reports.rows import Row
from keras_kd.reports.verdict import Choice

# Files whose sizes differ by less are of one size.
_SAME_SIZE = 1.01
# What a file may lose however sure it is: half a point of accuracy, or a hundredth of an error.
_MARGIN, _MARGIN_OF_ERROR = 0.005, 0.01


@dataclass(frozen=True)
class _Candidate:
    """A file that may be chosen, what it is compared with, and the result."""

    row: Row
    reference: str
    test: PairedTest
    margin: float
    same: bool

    @property
    def bytes(self) -> int:
        """Its size; a file of unknown size is no candidate."""
        return self.row.bytes or 0

    @property
    def loses(self) -> bool:
        """Whether it is less accurate than what it is compared with, beyond chance and what it may lose."""
        return self.test.outcome == "worse" and -self.test.difference > self.margin


def choose(
    rows: Sequence[Row], scores: Mapping[str, np.ndarray], *, error: str | None = None
) -> Choice | None:
    """The smallest file that is not measurably less accurate than the best model that has a good file.

    A file is good if it is not measurably less accurate than the model that it was made from. So a small file
    of a bad model is not chosen where there is a good file of a better one, and a file as good as its model
    is not refused because a model without any file, such as a teacher, is better.

    A loss counts if chance does not explain it, and it is more than half a point of accuracy, or more than a
    hundredth of an error.

    Files that differ by less than 1 % in size count as equally small; then the faster one is chosen, if the
    intervals of their times do not touch. A file of an unknown model is compared with the most accurate file.

    Args:
        rows: The rows of a comparison. Files are those of another kind than `"keras"`.
        scores: Name of a row -> its score on each sample, such as 1 for right and 0 for wrong; NaN where a
            sample has no label. All rows saw the same samples. A file without scores is never chosen: leave
            out those that are unusable.
        error: What the scores are the negative of, such as `"mean absolute error"`; `None` for accuracies.

    Returns:
        The choice, or `None`: there are no files, nothing to compare them by, or each of them loses accuracy.

    Examples:
        >>> right = np.repeat([1, 0], [98, 2])
        >>> files = [Row("float32", "float32", bytes=4000), Row("int8", "int8", bytes=1000)]
        >>> choice = choose(files, {"float32": right, "int8": np.roll(right, 1)})
        >>> choice.name
        'int8'
    """
    sizes = {row.name: row.bytes for row in rows if row.kind != "keras" and row.bytes and row.name in scores}
    if not sizes:
        return None
    files = [row for row in rows if row.name in sizes]
    reference = _reference(files, scores, error)
    if reference is None:
        return None
    candidates = [one for row in files if (one := _tried(row, reference, scores, error))]
    kept = sorted((one for one in candidates if not one.loses), key=lambda one: one.bytes)
    chosen = kept[0]
    for one in kept:
        if one.bytes <= _SAME_SIZE * kept[0].bytes and is_faster(one.row, chosen.row):
            chosen = one
    smaller = [one for one in candidates if one.loses and one.bytes < chosen.bytes]
    return Choice(chosen.row.name, _why(chosen, kept[0], len(sizes), smaller, error))


def _reference(files: Sequence[Row], scores: Mapping[str, np.ndarray], error: str | None) -> str | None:
    """What all files are compared with; `None` if each of them is worse than what it was made from."""

    def accuracy(name: str) -> float:
        return float(np.nanmean(scores[name]))

    best = max((row.name for row in files), key=accuracy)
    own = [(row, row.source if row.source in scores else best) for row in files]
    tried = [_tried(row, model, scores, error) for row, model in own if model is not None]
    return max((one.reference for one in tried if one and not one.loses), key=accuracy, default=None)


def _tried(
    row: Row, reference: str, scores: Mapping[str, np.ndarray], error: str | None
) -> _Candidate | None:
    """A file beside what it is compared with; `None` for fewer samples than a test needs."""
    own, other = scores[row.name], scores[reference]
    labelled = ~np.isnan(own)
    if labelled.sum() < 2:
        return None
    margin = _MARGIN if error is None else _MARGIN_OF_ERROR * float(np.abs(other[labelled]).mean())
    same = np.allclose(
        own[labelled], other[labelled], rtol=1e-5, atol=1e-6 * float(np.abs(other[labelled]).max())
    )
    test = compare_scores(own[labelled], other[labelled])
    return _Candidate(row, reference, test, margin, same)


def _why(
    chosen: _Candidate, smallest: _Candidate, files: int, smaller: Sequence[_Candidate], error: str | None
) -> str:
    if files == 1:
        place = "The only file"
    elif chosen is not smallest:
        place = f"As small as the smallest of {files} files, and faster"
    elif smaller:
        place = f"The smallest of {files} files that loses no accuracy beyond chance"
    else:
        place = f"The smallest of {files} files"
    rejected = [
        f" {one.row.name} is smaller, {size(one.bytes)}, and loses {_amount(one.test.difference, error)}"
        f" (p = {one.test.p:.2g})."
        for one in _compromises(smaller)
    ]
    return f"{place}; {_against(chosen, error)}.{''.join(rejected)}"


def _compromises(smaller: Sequence[_Candidate]) -> list[_Candidate]:
    """Of files that lose accuracy those that are worth naming, the largest first: no other beats them."""
    found: list[_Candidate] = []
    for one in sorted(smaller, key=lambda one: (one.bytes, -one.test.difference)):
        if not found or one.test.difference > found[-1].test.difference:
            found.append(one)
    return found[::-1]


def _amount(difference: float, error: str | None) -> str:
    """A loss without its sign."""
    return f"{abs(100 * difference):.2f} points" if error is None else f"{abs(difference):.3g} in {error}"


def _against(one: _Candidate, error: str | None) -> str:
    """How accurate a file is beside what it is compared with."""
    test = one.test
    if one.reference == one.row.name:
        return "no file is more accurate"
    if one.same:
        right = "is right on the same samples" if error is None else "has the same errors"
        return f"it {right} as {one.reference}"
    chance = "which chance explains" if test.outcome == "inconclusive" else "more than chance explains"
    if test.outcome == "worse":
        chance += f", and less than {'half a point' if error is None else 'a hundredth'}"
    if error is not None:
        return (
            f"{error} {-test.difference:+.3g} against {one.reference}, {chance} (p = {test.p:.2g}; at 95 %: "
            f"{-test.high:+.3g} to {-test.low:+.3g})"
        )
    return (
        f"accuracy {100 * test.difference:+.2f} points against {one.reference}, {chance} "
        f"(p = {test.p:.2g}; at 95 %: {100 * test.low:+.2f} to {100 * test.high:+.2f})"
    )
