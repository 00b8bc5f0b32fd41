"""The names of a table's columns, which are known before the table is read."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from keras_kd.messages import did_you_mean

_USUAL_TARGETS = ("label", "target", "class", "y")


def column_names(path: Path) -> list[str]:
    """The columns of a `.csv`, `.tsv` or `.parquet` file; none if it is damaged, which reading it tells.

    Examples:
        >>> _ = Path("roses.csv").write_text("height,kind")
        >>> column_names(Path("roses.csv"))
        ['height', 'kind']
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            from pyarrow import parquet

            return [name for name in parquet.read_schema(path).names if not is_row_label(name)]
        with path.open(encoding="utf-8-sig", newline="") as file:
            return next(csv.reader(file, delimiter="\t" if suffix == ".tsv" else ","), [])
    except (OSError, ValueError, csv.Error):
        return []


def is_row_label(name: str) -> bool:
    """Whether a column is where pandas keeps the labels of rows.

    Examples:
        >>> is_row_label("__index_level_0__")
        True
    """
    return re.fullmatch(r"__index_level_\d+__", name) is not None


def find_targets(source: str, names: Sequence[str], target: str) -> list[str]:
    """The columns of labels that a text names, separated by commas.

    Args:
        source: The file.
        names: Its columns.
        target: The text.

    Raises:
        ValueError: There is no such column.

    Examples:
        >>> find_targets("roses.csv", ["height", "kind"], "kind, height")
        ['kind', 'height']
    """
    if target in names:  # a name may contain a comma
        return [target]
    wanted = list(dict.fromkeys(name.strip() for name in target.split(",")))
    for name in wanted:
        if name not in names:
            raise ValueError(
                f"{source!r} has no column {name!r} for the labels."
                f"{did_you_mean(name, names)} Its columns are {', '.join(names)}."
            )
    return wanted


def missing_target(source: str, names: Sequence[str]) -> str:
    """The message of an error about a table whose labels are not named.

    Args:
        source: The file.
        names: Its columns.

    Examples:
        >>> missing_target("roses.csv", ["height", "kind"])[:60]
        "'roses.csv' needs target=: the column with the labels, or se"
    """
    likely = next((name for name in names if name.lower() in _USUAL_TARGETS), names[-1])
    return (
        f"{source!r} needs target=: the column with the labels, or several, separated by commas. "
        f"Its columns are {', '.join(names)}; perhaps target={likely!r}."
    )
