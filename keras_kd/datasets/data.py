"""A dataset with splits, and the selection of rows."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

SPLIT_SEED = 20_260  # the splits never depend on the seed of a training run
CALIBRATION_SAMPLES = 256


class Split(NamedTuple):
    """The arrays of one split.

    Attributes:
        x: Inputs, `(samples, ...)`.
        y: Integer labels, `(samples,)`.
        weight: Sample weights, `(samples,)`, or `None` for ones.

    Examples:
        >>> from keras_kd.datasets import digits
        >>> x, y, weight = digits().arrays["test"]
        >>> x.shape, y.shape, weight
        ((360, 8, 8, 1), (360,), None)
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A dataset with splits, ready for `fit`.

    `train`, `validation`, `test` and `calibration` are batched `tf.data` datasets of `(x, y)`, or of
    `(x, y, weight)` if a split has weights. `train` is reshuffled in every epoch, in an order that depends
    only on `keras.utils.set_random_seed`. Each access restarts that order from the beginning, so two students
    that access `train` see the same batches. The others keep the order of the arrays.

    Args:
        name: Its name in reports.
        classes: Number of classes. Labels run from 0 to `classes - 1`.
        arrays: The splits `"train"`, `"validation"`, `"test"` and `"calibration"`. The last is a part of the
            training inputs, for quantization.
        batch_size: Samples per batch.
        steps: Batches per epoch of `train`, which is repeated to provide them. `None` means one pass.

    Examples:
        >>> from keras_kd.datasets import digits
        >>> data = digits(batch_size=16)
        >>> x, y = next(iter(data.train))
        >>> tuple(x.shape), tuple(y.shape)
        ((16, 8, 8, 1), (16,))
        >>> data.arrays["test"].x.shape
        (360, 8, 8, 1)
    """

    name: str
    classes: int
    arrays: Mapping[str, Split]
    batch_size: int = 64
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    def __str__(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        sizes = ", ".join(f"{len(self.arrays[name].x)} {name}" for name in ("train", "validation", "test"))
        return f"{self.name}: inputs {shape}, {self.classes} classes, {sizes}"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, without the batch axis."""
        return self.arrays["train"].x.shape[1:]

    @property
    def train(self) -> tf.data.Dataset:
        """Training batches, reshuffled in every epoch."""
        rows = self._rows("train").shuffle(len(self.arrays["train"].x), seed=SPLIT_SEED)
        if self.steps is None:
            return rows.batch(self.batch_size).prefetch(2)
        return rows.repeat().batch(self.batch_size).take(self.steps).prefetch(2)

    @property
    def validation(self) -> tf.data.Dataset:
        """Validation batches: for learning curves, never trained on."""
        return self._rows("validation").batch(self.batch_size).prefetch(2)

    @property
    def test(self) -> tf.data.Dataset:
        """Test batches: for the final figures only."""
        return self._rows("test").batch(self.batch_size).prefetch(2)

    @property
    def calibration(self) -> tf.data.Dataset:
        """Batches of training inputs for `kd.export(..., calibration=...)`."""
        return self._rows("calibration").batch(self.batch_size).prefetch(2)

    def labelled_only(self, labels: int, seed: int = 0) -> "Data":
        """The same data with only `labels` training rows, balanced across classes as far as possible.

        An epoch keeps its number of steps: the few rows are repeated, so that a student trained on them
        alone takes as many steps as one that sees every input.

        Args:
            labels: How many training rows to keep, from `classes` to all of them.
            seed: Selects the rows. `partly_labelled` with the same seed selects the same ones.

        Raises:
            ValueError: If there are fewer labels than classes, or more than training rows.

        Examples:
            >>> from keras_kd.datasets import digits
            >>> few = digits().labelled_only(100)
            >>> len(few.arrays["train"].x), np.bincount(few.arrays["train"].y).tolist()
            (100, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10])
        """
        train = self.arrays["train"]
        rows = self._labelled_rows(labels, seed)
        steps = self.steps or -(-len(train.x) // self.batch_size)
        return self._with_train(Split(train.x[rows], train.y[rows]), steps, labels)

    def partly_labelled(self, labels: int, seed: int = 0) -> "Data":
        """The same data with all of its training inputs, only `labels` of which keep their label.

        The weight of a labeled row is `rows / labels` and that of every other row is 0, so that the weights
        have mean 1 and the mean over a batch estimates the mean over the labeled rows. Removed labels
        are 0.

        Args:
            labels: How many training rows keep their label, from `classes` to all of them.
            seed: Selects the rows. `labelled_only` with the same seed selects the same ones.

        Raises:
            ValueError: If there are fewer labels than classes, or more than training rows.

        Examples:
            >>> from keras_kd.datasets import digits
            >>> x, y, weight = digits().partly_labelled(100).arrays["train"]
            >>> len(x), int((weight > 0).sum()), round(float(weight.mean()), 3)
            (1257, 100, 1.0)
        """
        train = self.arrays["train"]
        rows = self._labelled_rows(labels, seed)
        y = np.zeros_like(train.y)
        y[rows] = train.y[rows]
        weight = np.zeros(len(y), "float32")
        weight[rows] = len(y) / labels
        return self._with_train(Split(train.x, y, weight), self.steps, labels)

    def _labelled_rows(self, labels: int, seed: int) -> np.ndarray:
        y = self.arrays["train"].y
        if not self.classes <= labels <= len(y):
            raise ValueError(
                f"labels must be from {self.classes} (one per class) to {len(y)} (every row), got {labels}"
            )
        return select_rows(y, labels, seed, balanced=True)

    def _with_train(self, train: Split, steps: int | None, labels: int) -> "Data":
        name = f"{self.name}, {labels} labels"
        return dataclasses.replace(self, name=name, arrays={**self.arrays, "train": train}, steps=steps)

    def _rows(self, split: str) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            tuple(part for part in self.arrays[split] if part is not None)
        )


def select_rows(y: np.ndarray, size: int, seed: int, balanced: bool = False) -> np.ndarray:
    """Indices of `size` rows: each class in proportion, or balanced as far as possible."""
    order = np.random.default_rng(seed).permutation(len(y))
    rank = np.empty(len(y))
    for label in np.unique(y):
        rows = order[y[order] == label]
        rank[rows] = np.arange(len(rows)) / (1 if balanced else len(rows))
    return order[np.argsort(rank[order], kind="stable")[:size]]


def split_off(split: Split, size: int) -> tuple[Split, Split]:
    """The remaining rows, and `size` rows with every class in proportion."""
    rows = select_rows(split.y, size, SPLIT_SEED)
    rest = np.setdiff1d(np.arange(len(split.y)), rows)
    return Split(split.x[rest], split.y[rest]), Split(split.x[rows], split.y[rows])


def make_data(name: str, classes: int, train: Split, validation: Split, test: Split, batch_size: int) -> Data:
    """`Data` with a calibration split taken from the training rows."""
    rows = select_rows(train.y, CALIBRATION_SAMPLES, SPLIT_SEED)
    calibration = Split(train.x[rows], train.y[rows])
    arrays = {"train": train, "validation": validation, "test": test, "calibration": calibration}
    return Data(name, classes, arrays, batch_size)
