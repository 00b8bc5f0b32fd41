"""A dataset with splits."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from keras_kd.datasets.splits import SPLIT_SEED, Labels, Split, labels_in_words, map_labels, select_rows
from keras_kd.locations import Pixels as Pixels

CALIBRATION_SAMPLES = 256

# What bytes are multiplied by, and what is added, so that they are in these ranges.
SCALES: dict[Pixels, tuple[float, float]] = {
    "0..255": (1.0, 0.0),
    "0..1": (1 / 255, 0.0),
    "-1..1": (2 / 255, -1.0),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Data:
    """A dataset with splits, ready for `fit`.

    `train`, `validation`, `test` and `calibration` are batched `tf.data` datasets of `(x, y)`, or of
    `(x, y, weight)` if a split has weights. `train` is reshuffled in every epoch, in an order that depends
    only on `keras.utils.set_random_seed`. Each access restarts that order from the beginning, so two students
    that access `train` see the same batches. The others keep the order of the arrays.

    Args:
        name: Its name in reports.
        classes: Number of classes. Labels run from 0 to `classes - 1`. `None` if the labels are not class
            numbers.
        arrays: The splits `"train"`, `"validation"`, `"test"` and `"calibration"`. The last is a part of the
            training inputs, for quantization.
        batch_size: Samples per batch.
        steps: Batches per epoch of `train`, which is repeated to provide them. `None` means one pass.
        class_names: The names of the classes, if they are known.
        pixels: The range of the inputs in the batches, `"0..255"`, `"0..1"` or `"-1..1"`, if the arrays hold
            bytes that are turned into float32 batch by batch. `None`: the batches hold what the arrays hold.
        source: Where the rows came from and how they were split, in one line.

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
    classes: int | None
    arrays: Mapping[str, Split]
    batch_size: int = 64
    steps: int | None = None
    class_names: tuple[str, ...] = ()
    pixels: Pixels | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")

    def __str__(self) -> str:
        shape = "x".join(map(str, self.input_shape))
        sizes = ", ".join(f"{len(self.arrays[name].x)} {name}" for name in ("train", "validation", "test"))
        return f"{self.name}: inputs {shape}, {self.labels}, {sizes}"

    @property
    def labels(self) -> str:
        """What the labels are, in words: `"10 classes"`, `"5 labels"`, `"outputs: age, kind"`."""
        return labels_in_words(self.arrays["train"].y, self.classes)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, without the batch axis."""
        return self.arrays["train"].x.shape[1:]

    @property
    def train(self) -> tf.data.Dataset:
        """Training batches, reshuffled in every epoch."""
        rows = self._rows("train").shuffle(len(self.arrays["train"].x), seed=SPLIT_SEED)
        if self.steps is None:
            return self._batches(rows)
        return self._batches(rows.repeat(), self.steps)

    @property
    def validation(self) -> tf.data.Dataset:
        """Validation batches: for learning curves, never trained on."""
        return self._batches(self._rows("validation"))

    @property
    def test(self) -> tf.data.Dataset:
        """Test batches: for the final figures only."""
        return self._batches(self._rows("test"))

    @property
    def calibration(self) -> tf.data.Dataset:
        """Batches of training inputs for `kd.export(..., calibration=...)`."""
        return self._batches(self._rows("calibration"))

    def labelled_only(self, labels: int, seed: int = 0) -> "Data":
        """The same data with only `labels` training rows, balanced across classes as far as possible.

        Rows whose labels are not class numbers are selected at random.

        An epoch keeps its number of steps: the few rows are repeated, so that a student trained on them
        alone takes as many steps as one that sees every input.

        Args:
            labels: How many training rows to keep, from one per class to all of them.
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
        return self._with_train(Split(train.x, train.y).rows(rows), steps, labels)

    def partly_labelled(self, labels: int, seed: int = 0) -> "Data":
        """The same data with all of its training inputs, only `labels` of which keep their label.

        The weight of a labeled row is `rows / labels` and that of every other row is 0, so that the weights
        have mean 1 and the mean over a batch estimates the mean over the labeled rows. Removed labels
        are 0.

        Args:
            labels: How many training rows keep their label, from one per class to all of them.
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
        weight = np.zeros(len(train.x), "float32")
        weight[rows] = len(train.x) / labels
        y = map_labels(
            lambda array: np.where(_like(weight > 0, array), array, 0).astype(array.dtype), train.y
        )
        return self._with_train(Split(train.x, y, weight), self.steps, labels)

    def _labelled_rows(self, labels: int, seed: int) -> np.ndarray:
        train = self.arrays["train"]
        least, why = (1, "") if self.classes is None else (self.classes, " (one per class)")
        if not least <= labels <= len(train.x):
            raise ValueError(f"labels must be from {least}{why} to {len(train.x)} (every row), got {labels}")
        return select_rows(train.y, labels, seed, balanced=True)

    def _with_train(self, train: Split, steps: int | None, labels: int) -> "Data":
        name = f"{self.name}, {labels} labels"
        return dataclasses.replace(self, name=name, arrays={**self.arrays, "train": train}, steps=steps)

    def _rows(self, split: str) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(
            tuple(part for part in self.arrays[split] if part is not None)
        )

    def _batches(self, rows: tf.data.Dataset, steps: int = -1) -> tf.data.Dataset:
        return scaled(rows.batch(self.batch_size).take(steps), self.pixels).prefetch(2)


def _like(rows: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A value for each row, in a shape that broadcasts against an array."""
    return rows.reshape(-1, *[1] * (array.ndim - 1))


def make_data(
    name: str, classes: int | None, train: Split, validation: Split, test: Split, batch_size: int
) -> Data:
    """`Data` with a calibration split taken from the training rows."""
    calibration = train.rows(calibration_rows(train.y))
    arrays = {"train": train, "validation": validation, "test": test, "calibration": calibration}
    return Data(name, classes, arrays, batch_size)


def calibration_rows(y: Labels) -> np.ndarray:
    """The training rows that ranges are measured on."""
    return select_rows(y, CALIBRATION_SAMPLES, SPLIT_SEED)


def scaled(batches: tf.data.Dataset, pixels: Pixels | None) -> tf.data.Dataset:
    """Batches whose inputs, which are bytes, are turned into float32; `None` leaves them as they are."""
    if pixels is None:
        return batches
    factor, offset = SCALES[pixels]

    def scale(x: tf.Tensor, *others: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, ...]:
        floats = tf.cast(x, "float32") * factor + offset
        return (floats, *others) if others else floats

    return batches.map(scale)


def scale_pixels(x: np.ndarray, pixels: Pixels) -> np.ndarray:
    """Bytes as float32 in the range of `pixels`."""
    factor, offset = SCALES[pixels]
    return x.astype("float32") * np.float32(factor) + np.float32(offset)
