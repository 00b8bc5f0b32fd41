"""Data from wherever it is: a file of arrays, a folder of images, a table, or tensorflow-datasets."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_kd.datasets.bundled import fashion_folder, prepare_fashion
from keras_kd.datasets.catalog import find_builder, find_prepared, input_shape
from keras_kd.datasets.checks import check_class_numbers
from keras_kd.datasets.data import Data, Pixels, calibration_rows, make_data, scale_pixels, scaled
from keras_kd.datasets.downloads import prepare_by_download
from keras_kd.datasets.images import find_images
from keras_kd.datasets.labels import check_units, fit_labels
from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.npz import find_arrays, load_calibration, load_test, load_training, load_validation
from keras_kd.datasets.rows import ALL_ROWS, Found, Rows, read_rows
from keras_kd.datasets.splits import Labels, class_numbers, labels_in_words
from keras_kd.datasets.tables import find_table
from keras_kd.locations import TFDS, check_data, check_reading, data_kind
from keras_kd.messages import some_of


def open_data(
    source: str | os.PathLike[str],
    model: ModelShape,
    *,
    batch_size: int = 64,
    target: str | None = None,
    pixels: Pixels = "0..255",
    image_size: tuple[int, int] | None = None,
    name: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Data:
    r"""Open the data that a text or path names, in the form that a model takes.

    Args:
        source: One of

            - an `.npz` file, as `load` describes it. For several outputs, its labels are `y_train_NAME` and
              `y_test_NAME`, with the names of the outputs;
            - a folder with folders `train`, `test` and, if you have it, `val`, which hold a folder of images
              for each class; or a folder that holds these directly;
            - a `.csv`, `.tsv` or `.parquet` table, with numbers in its columns. A column `split` may say
              `train`, `val` or `test`;
            - `tfds:NAME`, a dataset of tensorflow-datasets.
        model: The shapes of the model, as `ModelShape.of(model)` gives them.
        batch_size: Samples per batch.
        target: The columns of a table that hold the labels, separated by commas.
        pixels: The range of pixels that the model expects: `"0..255"`, `"0..1"` or `"-1..1"`. It applies to
            images that are read here, and, unless it is the first, to arrays of bytes.
        image_size: Height and width of images, for a model that leaves them free.
        name: The name of the data in reports. Default: that of the source.
        progress: Called with a line of text before slow work.

    Returns:
        `Data`. Splits that are missing are set aside from the training rows: a tenth for validation, and a
        tenth for the test, always the same rows, with each class in proportion. Labels fit the outputs of the
        model: class numbers, also from names; 0 and 1 for each of several labels and in one-hot rows; float32
        for numbers. Images stay bytes until they are in a batch.

    Raises:
        OSError: There is no such file, or a dataset cannot be prepared.
        ValueError: The data cannot be used. The message says what is wrong, and where.

    Examples:
        >>> with open("flowers.csv", "w") as file:
        ...     _ = file.write("width,length,kind\n" + 20 * "1.5,3,rose\n2.5,1,tulip\n")
        >>> shape = ModelShape({"x": (2,)}, {"kind": (2,)})
        >>> print(open_data("flowers.csv", shape, target="kind"))
        flowers: inputs 2, 2 classes, 32 train, 4 validation, 4 test
    """
    opened = Source(os.fspath(source), target, pixels, image_size, progress)
    name = name or opened.name
    found = opened.find(model, needs_labels=True)
    groups, how = found.split(name)
    labels = {key: rows.y for key, rows in groups.items() if rows.y is not None}
    classes = _count_classes(labels, found.class_names)
    words = labels_in_words(labels["train"], classes)
    if found.class_names:
        words += f" ({some_of((f'{i} {text}' for i, text in enumerate(found.class_names)), most=10)})"
    line = f"{name}: {found.text}; {words}; {how}"
    opened.say(line)
    splits = {key: read_rows(rows, found, name) for key, rows in groups.items()}
    data = make_data(name, classes, splits["train"], splits["validation"], splits["test"], batch_size)
    return replace(data, class_names=found.class_names, pixels=found.pixels, source=line)


def _count_classes(labels: Mapping[str, Labels], class_names: tuple[str, ...]) -> int | None:
    """The number of classes, if the labels are class numbers; those of training have all classes."""
    train = class_numbers(labels["train"])
    if train is None:
        return None
    classes = len(class_names) or int(train.max()) + 1
    for key, array in labels.items():
        check_class_numbers(np.asarray(array), classes, key)
    return classes


@dataclass(frozen=True)
class Source:
    """Where data is and how it is read. `open_data` explains the arguments.

    Args:
        text: What names the data.
        target: The columns of a table that hold the labels.
        pixels: The range of pixels that the model expects.
        image_size: Height and width of images, for a model that leaves them free.
        progress: Called with a line of text before slow work.

    Raises:
        OSError: There is no such file.
        ValueError: The arguments are not for this kind of data.

    Examples:
        >>> np.savez("houses.npz", x_train=np.ones((300, 4)), x_test=np.ones((3, 4)), y_test=[0.5, 1.5, 2.5])
        >>> houses, shape = Source("houses.npz"), ModelShape({"x": (4,)}, {"price": (1,)})
        >>> houses.calibration(shape).shape
        (256, 4)
        >>> [y.numpy().tolist() for x, y in houses.test(shape)]
        [[0.5, 1.5, 2.5]]
    """

    text: str
    target: str | None = None
    pixels: Pixels = "0..255"
    image_size: tuple[int, int] | None = None
    progress: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        check_data(self.text)
        check_reading(self.text, target=self.target, pixels=self.pixels, image_size=self.image_size)

    @property
    def name(self) -> str:
        """A short name for reports."""
        if data_kind(self.text) == "tfds":
            return self.text.removeprefix(TFDS)
        return Path(os.path.abspath(self.text)).stem

    def say(self, line: str) -> None:
        """Report progress."""
        if self.progress is not None:
            self.progress(line)

    def find(self, model: ModelShape, *, needs_labels: bool) -> Found:
        """What the source holds, with labels that fit the model's outputs.

        Args:
            model: The model's shapes.
            needs_labels: Whether there have to be labels.
        """
        kind = data_kind(self.text)
        if kind == "arrays":
            return find_arrays(Path(self.text), model, self.pixels_of_arrays)
        if kind == "table":
            found = find_table(Path(self.text), model, self.target, needs_target=needs_labels)
        elif kind == "folder":
            found = find_images(Path(self.text), model.image(self.image_size), self.pixels)
        else:
            found = self._prepared(model)
        check_units(len(found.class_names), model, self.name)
        labels = {key: rows.y for key, rows in found.groups.items() if rows.y is not None}
        fitted = fit_labels(labels, model) if labels else {}
        return replace(
            found, groups={key: replace(rows, y=fitted.get(key)) for key, rows in found.groups.items()}
        )

    def _prepared(self, model: ModelShape) -> Found:
        builder = find_builder(self.text.removeprefix(TFDS))
        input_shape(builder, model, self.image_size)  # before a download
        if not builder.data_path.exists():
            if builder.name == "fashion_mnist":  # its files may be here already
                prepare_fashion(builder, fashion_folder(None), self.say)
            else:
                prepare_by_download(builder, self.say)
        self.say(f"reading {self.text}")
        return find_prepared(builder, model, self.pixels, self.image_size)

    def test(self, model: ModelShape, *, batch_size: int = 64) -> tf.data.Dataset:
        """The test rows in batches. Labels may be missing; those of an `.npz` file are as they are there."""
        if data_kind(self.text) == "arrays":
            return scaled(load_test(self.text, batch_size=batch_size), self.pixels_of_arrays)
        return self._batches("test", "the test", model, batch_size)

    def validation(self, model: ModelShape, *, batch_size: int = 64) -> tf.data.Dataset:
        """The same of the validation rows."""
        if data_kind(self.text) == "arrays":
            rows, where = load_validation(self.text)
            self.say(f"{self.name}: {rows.size:,} rows for validation, {where}")
            return _in_batches(rows, self.pixels_of_arrays, batch_size)
        return self._batches("validation", "validation", model, batch_size)

    def _batches(self, split: str, purpose: str, model: ModelShape, batch_size: int) -> tf.data.Dataset:
        found, rows = self._rows(split, model)
        self.say(f"{self.name}: {found.text}; {rows.size:,} of them for {purpose}")
        return _in_batches(rows, found.pixels, batch_size)

    def _rows(self, split: str, model: ModelShape) -> tuple[Found, Rows]:
        found = self.find(model, needs_labels=False)
        return found, found.split(self.name)[0][split]

    def training(self, model: ModelShape, *, batch_size: int = 256) -> Callable[[], Iterator[np.ndarray]]:
        """The training inputs: a function that reads them, batch by batch; labels may be missing."""
        if data_kind(self.text) == "arrays":
            x, pixels = load_training(self.text).x, self.pixels_of_arrays
            rows = Rows(len(x), x.__getitem__)
        else:
            found, rows = self._rows("train", model)
            pixels = found.pixels
            self.say(f"{self.name}: {found.text}; {rows.size:,} of them for training")

        def read() -> Iterator[np.ndarray]:
            for start in range(0, rows.size, batch_size):
                some = rows.read(np.arange(start, min(start + batch_size, rows.size)))
                yield some if pixels is None else scale_pixels(some, pixels)

        return read

    def calibration(self, model: ModelShape) -> np.ndarray:
        """The training inputs that ranges are measured on; labels may be missing."""
        if data_kind(self.text) == "arrays":
            x, pixels = load_calibration(self.text), self.pixels_of_arrays
        else:
            found, rows = self._rows("train", model)
            some = calibration_rows(np.empty(rows.size) if rows.y is None else rows.y)
            self.say(f"{self.name}: {found.text}; {len(some):,} of them for calibration")
            x = rows.read(some)
            pixels = found.pixels
        return x if pixels is None else scale_pixels(x, pixels)

    @property
    def pixels_of_arrays(self) -> Pixels | None:
        """The range that bytes in an `.npz` file are turned into; `None` if they are used as they are."""
        return None if self.pixels == "0..255" else self.pixels


def _in_batches(rows: Rows, pixels: Pixels | None, batch_size: int) -> tf.data.Dataset:
    x = rows.read(ALL_ROWS)
    return scaled(
        tf.data.Dataset.from_tensor_slices(x if rows.y is None else (x, rows.y)).batch(batch_size), pixels
    )
