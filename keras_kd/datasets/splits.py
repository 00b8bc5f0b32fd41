"""The rows of a dataset: their labels, and which of them belong to which split."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from keras_kd.datasets.checks import are_one_hot
from keras_kd.messages import number_of

SPLIT_SEED = 20_260  # the splits never depend on the seed of a training run

# What splits are called in folders and tables, in any case -> in `Data.arrays`.
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}

Labels: TypeAlias = np.ndarray | Mapping[str, np.ndarray]


class Split(NamedTuple):
    """The arrays of one split.

    Attributes:
        x: Inputs, `(samples, ...)`.
        y: Labels, `(samples, ...)`: integers for class numbers, other numbers for anything else. For a model
            with several outputs, a dict of them by the names of the outputs.
        weight: Sample weights, `(samples,)`, or `None` for ones.

    Examples:
        >>> from keras_kd.datasets import digits
        >>> x, y, weight = digits().arrays["test"]
        >>> x.shape, y.shape, weight
        ((360, 8, 8, 1), (360,), None)
    """

    x: np.ndarray
    y: Labels
    weight: np.ndarray | None = None

    def rows(self, indices: np.ndarray) -> "Split":
        """The split with these rows only, in this order."""
        weight = None if self.weight is None else self.weight[indices]
        return Split(self.x[indices], map_labels(lambda y: y[indices], self.y), weight)


def map_labels(function: Callable[[np.ndarray], np.ndarray], labels: Labels) -> Labels:
    """The labels of each output, changed by a function."""
    if isinstance(labels, np.ndarray):
        return function(labels)
    return {name: function(array) for name, array in labels.items()}


def count(labels: Labels) -> int:
    """The number of rows."""
    return len(labels if isinstance(labels, np.ndarray) else next(iter(labels.values())))


def class_numbers(labels: Labels) -> np.ndarray | None:
    """The labels if there is one integer for each row; `None` for others."""
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels
    return None


def labels_in_words(y: Labels, classes: int | None) -> str:
    """What labels are: `"10 classes"`, `"5 labels"`, `"regression targets (3)"`, `"outputs: age, kind"`."""
    if not isinstance(y, np.ndarray):
        return f"outputs: {', '.join(y)}"
    if classes is not None:
        return number_of(classes, "class", "classes")
    sizes = "x".join(map(str, y.shape[1:]))
    if y.dtype.kind == "f":
        return f"regression targets ({sizes or 1})"
    if are_one_hot(y):
        return f"one-hot rows ({sizes})"
    return f"{sizes} labels" if y.ndim == 2 else f"label maps {sizes}"


def select_rows(y: Labels, size: int, seed: int, balanced: bool = False) -> np.ndarray:
    """Indices of `size` rows: each class in proportion, or balanced as far as possible.

    Without class numbers they are any rows.
    """
    order = np.random.default_rng(seed).permutation(count(y))
    rank = _ranks(y, order, lambda rows: np.arange(rows) / (1 if balanced else rows))
    return order[np.argsort(rank[order], kind="stable")[:size]]


def split_off(split: Split, size: int) -> tuple[Split, Split]:
    """The remaining rows, and `size` rows with every class in proportion."""
    rows = select_rows(split.y, size, SPLIT_SEED)
    rest = np.setdiff1d(np.arange(count(split.y)), rows)
    return split.rows(rest), split.rows(rows)


def portions(y: Labels, *sizes: int) -> list[np.ndarray]:
    """The indices of the remaining rows, and of as many rows as each size says.

    They are in ascending order. Each class is in proportion, and a class of one row remains.
    """
    order = np.random.default_rng(SPLIT_SEED).permutation(count(y))
    rank = _ranks(y, order, lambda rows: (np.arange(rows) + 0.5) / rows)
    sorted_rows = order[np.argsort(rank[order], kind="stable")]
    *parts, rest = np.split(sorted_rows, np.cumsum(sizes))
    return [np.sort(rows) for rows in (rest, *parts)]


def _ranks(y: Labels, order: np.ndarray, rank_rows: Callable[[int], np.ndarray]) -> np.ndarray:
    """A number for each row, which `rank_rows` gives to the rows of each class in that order."""
    rank, classes = np.empty(len(order)), class_numbers(y)
    if classes is None:
        classes = np.zeros(len(order), int)
    for label in np.unique(classes):
        rows = order[classes[order] == label]
        rank[rows] = rank_rows(len(rows))
    return rank
