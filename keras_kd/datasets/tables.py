"""A table in a file: columns of numbers, and one or several columns of labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_kd.datasets.columns import Columns, read_columns
from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.rows import Found, Rows
from keras_kd.datasets.splits import SPLIT_NAMES, Labels
from keras_kd.headers import missing_target
from keras_kd.messages import number_of, some_of

SPLIT_COLUMN = "split"


def find_table(path: Path, model: ModelShape, target: str | None, *, needs_target: bool) -> Found:
    """The rows of a table. A column `split` may say which are for training, validation and test.

    Args:
        path: The file.
        model: What its columns have to fit.
        target: The columns with the labels, separated by commas. `None`: all columns are inputs, and there
            are no labels.
        needs_target: Whether there have to be labels.

    Raises:
        OSError: There is no such file.
        ValueError: It is damaged, or its columns cannot be used. The message names the column.
    """
    columns = read_columns(path)
    if target is None and needs_target:
        raise ValueError(missing_target(str(path), columns.names))
    targets = columns.named(target) if target is not None else []
    splits = None if SPLIT_COLUMN in targets else _splits(columns)
    left_out = {*targets, *([] if splits is None else [SPLIT_COLUMN])}
    used = [name for name in columns.names if name not in left_out]
    x = _inputs(columns, used, model, bool(targets))
    labels, class_names = _labels(columns, targets, model)
    text = f"{number_of(len(x), 'row')} with {number_of(len(used), 'input')} ({some_of(used)})"
    text += f", labels in {some_of(targets)}" if targets else ""
    return Found(_groups(Rows(len(x), lambda some: x[some], labels), splits), text, class_names)


def _splits(columns: Columns) -> np.ndarray | None:
    """The split of each row, if there is a column that tells."""
    if SPLIT_COLUMN not in columns.names or columns.are_numbers(SPLIT_COLUMN):
        return None
    values = columns.values(SPLIT_COLUMN)
    for row, value in enumerate(values):
        if str(value).lower() not in SPLIT_NAMES:
            raise ValueError(
                f"{str(columns.path)!r}: column {SPLIT_COLUMN!r} has to say train, val or test. "
                f"Received: {value!r} in row {row} (counting from 0)."
            )
    splits = np.array([SPLIT_NAMES[value.lower()] for value in values])
    missing = [name for name in ("train", "test") if name not in splits]
    if missing:
        raise ValueError(f"{str(columns.path)!r}: no row has {missing[0]!r} in column {SPLIT_COLUMN!r}.")
    return splits


def _groups(rows: Rows, splits: np.ndarray | None) -> dict[str, Rows]:
    if splits is None:
        return {"train": rows}
    return {str(name): rows.among(np.flatnonzero(splits == name)) for name in np.unique(splits)}


def _inputs(columns: Columns, names: Sequence[str], model: ModelShape, has_target: bool) -> np.ndarray:
    """The columns of inputs, in the shape that the model takes."""
    shape, wanted = model.only_input("Tables"), model.columns()
    arrays = [columns.inputs(name) for name in names]
    if wanted not in (None, len(names)):
        hint = "" if has_target else " Name columns of labels with target=."
        raise ValueError(
            f"{str(columns.path)!r} has {number_of(len(names), 'column')} of inputs, but the model takes "
            f"{wanted}. They are {', '.join(names) or '-'}.{hint}"
        )
    x = np.stack(arrays, -1) if arrays else np.empty((columns.table.num_rows, 0), "float32")
    return x if wanted is None else x.reshape(-1, *(size or 0 for size in shape))


def _labels(
    columns: Columns, targets: Sequence[str], model: ModelShape
) -> tuple[Labels | None, tuple[str, ...]]:
    """The labels in the columns, and the names of the classes if they are text in a single one."""
    outputs, found = list(model.outputs), {name: columns.labels(name) for name in targets}
    if len(outputs) > 1 and targets:
        if len(targets) != len(outputs):
            raise ValueError(
                f"The model has the outputs {', '.join(outputs)}: target= needs a column for each. "
                f"Received: {', '.join(targets)}."
            )
        # By name, otherwise in order.
        names = outputs if set(targets) == set(outputs) else targets
        return {output: found[name][0] for output, name in zip(outputs, names, strict=True)}, ()
    if len(targets) < 2:
        return found[targets[0]] if targets else (None, ())
    for name, (_, class_names) in found.items():
        if class_names:
            raise ValueError(
                f"{str(columns.path)!r}: column {name!r} is text. Several columns of labels for one output "
                "have to be numbers."
            )
    return np.stack([numbers for numbers, _ in found.values()], -1), ()
