"""Rows that were found somewhere and are read when it is known which are needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import psutil

from keras_kd.datasets.data import Pixels
from keras_kd.datasets.splits import Labels, Split, map_labels, portions

Indices: TypeAlias = np.ndarray | slice
ALL_ROWS = slice(None)


@dataclass(frozen=True)
class Rows:
    """Rows whose labels are known before their inputs are read.

    Args:
        size: How many there are.
        read: Returns the inputs of some of them.
        y: Their labels, if they have any.
    """

    size: int
    read: Callable[[Indices], np.ndarray]
    y: Labels | None = None

    def labels(self, indices: Indices) -> Labels | None:
        """The labels of some rows."""
        return None if self.y is None else map_labels(lambda y: y[indices], self.y)

    def among(self, indices: np.ndarray) -> "Rows":
        """Some of the rows."""
        return Rows(len(indices), lambda some: self.read(indices[some]), self.labels(indices))


@dataclass(frozen=True)
class Found:
    """What a source holds.

    Args:
        groups: Its rows: `"train"`, and `"validation"` and `"test"` if it has these.
        text: What they are, in words.
        class_names: The names of the classes, if it has them.
        pixels: The range that the bytes in its inputs are to be turned into.
        row_bytes: How many bytes the inputs of a row need in memory, if they are not there yet.
        how: How the rows were split, if the source did more than to give splits.
    """

    groups: Mapping[str, Rows]
    text: str
    class_names: tuple[str, ...] = ()
    pixels: Pixels | None = None
    row_bytes: int = 0
    how: str = "split as given"

    def split(self, what: str) -> tuple[dict[str, Rows], str]:
        """Rows for training, validation and test, and how they were split, in words.

        What is missing is set aside at random, always the same rows, with each class in proportion.

        Args:
            what: The source, for the error.

        Raises:
            ValueError: There are too few rows.
        """
        groups = dict(self.groups)
        missing = [name for name in ("validation", "test") if name not in groups]
        if missing:
            rows = groups["train"]
            size = max(1, rows.size // 10)
            if rows.size < 1 + len(missing):
                raise ValueError(
                    f"{what}: {rows.size} rows are too few to set some aside for {' and '.join(missing)}."
                )
            y = np.empty(rows.size) if rows.y is None else rows.y
            parts = zip(["train", *missing], portions(y, *[size for _ in missing]), strict=True)
            groups |= {name: rows.among(some) for name, some in parts}
        how = f"{' and '.join(missing)} set aside" if missing else self.how
        sizes = ", ".join(f"{groups[name].size:,} {name}" for name in ("train", "validation", "test"))
        return groups, f"{how}: {sizes}"


def read_rows(rows: Rows, found: Found, what: str) -> Split:
    """Read all of these rows; they have labels."""
    assert rows.y is not None, "labels were required"
    check_memory(rows.size * found.row_bytes, f"{what}: {rows.size:,} rows")
    return Split(rows.read(ALL_ROWS), rows.y)


def check_memory(needed: int, what: str) -> None:
    """Raise a `ValueError` if something needs more than half of the memory that is free."""
    free = psutil.virtual_memory().available
    if needed > free / 2:
        raise ValueError(
            f"{what} need {needed / 1e9:.1f} GB of memory, more than half of the {free / 1e9:.1f} GB that "
            "are free. Use fewer rows, smaller images or a machine with more memory, or train in Python "
            "with a tf.data.Dataset that reads them batch by batch."
        )
