"""The columns of a `.csv`, `.tsv` or `.parquet` file."""

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_kd.datasets.checks import check_finite
from keras_kd.files import check_regular
from keras_kd.headers import find_targets, is_row_label
from keras_kd.messages import one_line

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Columns:
    """The columns of a file, read as numbers or text; none of their values may be missing.

    Args:
        path: The file.
        table: What it holds.
    """

    path: Path
    table: "pa.Table"

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.table.column_names)

    def named(self, text: str) -> list[str]:
        """The columns that a text names, separated by commas.

        Raises:
            ValueError: There is no such column.
        """
        return find_targets(str(self.path), self.names, text)

    def are_numbers(self, name: str) -> bool:
        """Whether a column holds numbers, or yes and no."""
        from pyarrow import types

        kind = self.table.schema.field(name).type
        tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
        return any(test(kind) for test in tests)

    def values(self, name: str) -> np.ndarray:
        """The values of a column: numbers, or objects.

        Raises:
            ValueError: Some are missing.
        """
        from pyarrow import compute

        column = self.table.column(name)
        missing, values = compute.is_null(column, nan_is_null=True).to_numpy(), column.to_numpy()
        if not self.are_numbers(name):
            missing = missing | (values == "")
        if missing.any():
            raise ValueError(
                f"{self._of(name)} has no value in {missing.sum():,} of {len(missing):,} rows, the first "
                f"time in row {missing.argmax()} (counting from 0). Fill them in, or leave the rows out."
            )
        return values.astype("float64") if self.are_numbers(name) and values.dtype == object else values

    def inputs(self, name: str) -> np.ndarray:
        """The numbers of a column that a model reads.

        Raises:
            ValueError: They are no numbers, some are missing, or too large for float32.
        """
        if not self.are_numbers(name):
            raise ValueError(
                f"{self._of(name)} holds {self._type(name)}, and a model reads numbers. Encode it as "
                "numbers, or leave it out."
            )
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            values = self.values(name).astype("float32")
        check_finite(values, f"{self._of(name)}: %d values")
        return values

    def labels(self, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
        """Labels as numbers; if they are text, class numbers in sorted order and the text of each class.

        Raises:
            ValueError: They are neither, or some are missing.
        """
        values = self.values(name)
        if self.are_numbers(name):
            return values, ()
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"{self._of(name)} holds {self._type(name)}. Labels are numbers or text.")
        class_names, numbers = np.unique(values.astype(str), return_inverse=True)
        return numbers.astype("int32"), tuple(class_names.tolist())

    def _of(self, name: str) -> str:
        return f"{str(self.path)!r}: column {name!r}"

    def _type(self, name: str) -> str:
        return str(self.table.schema.field(name).type)


def read_columns(path: Path) -> Columns:
    """The columns of a file.

    Raises:
        OSError: There is no such file.
        ValueError: It cannot be read, has no rows, or two columns of the same name.
    """
    import pyarrow as pa

    suffix = path.suffix.lower()
    check_regular(path, f"a {suffix} file")
    if suffix != ".parquet":
        _check_encoding(path)
    try:
        table = _read(path, suffix)
        names = table.column_names
    except pa.ArrowException as error:
        raise ValueError(f"{str(path)!r} cannot be read as a {suffix} table: {one_line(error)}") from None
    except UnicodeDecodeError:  # in a name of a column
        raise _not_utf8(path) from None
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise ValueError(f"{str(path)!r} has several columns named {repeated[0]!r}: rename them.")
    if not table.num_rows:
        raise ValueError(f"{str(path)!r} has no rows.")
    if len(names) == 1 and ";" in names[0]:
        raise ValueError(f"{str(path)!r} separates its columns with ';'. Write it with ',' instead.")
    return Columns(path, table)


def _read(path: Path, suffix: str) -> "pa.Table":
    if suffix == ".parquet":
        from pyarrow import parquet

        table = parquet.ParquetFile(path).read()
        return table.drop_columns([name for name in table.column_names if is_row_label(name)])
    from pyarrow import csv, types

    options = csv.ParseOptions(delimiter="\t" if suffix == ".tsv" else ",")
    table = csv.read_csv(path, parse_options=options)
    if any(types.is_binary(kind) for kind in table.schema.types):  # what pyarrow makes of other encodings
        raise _not_utf8(path)
    return table


def _check_encoding(path: Path) -> None:
    """Raise an error for UTF-16, which a mark or the zeros in it tell, and pyarrow does not."""
    with path.open("rb") as file:
        start = file.read(1000)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _not_utf8(path, "UTF-16")
    if b"\0" in start:  # in an ASCII character, the second byte or the first
        raise _not_utf8(path, "UTF-16LE" if start.index(b"\0") % 2 else "UTF-16BE")


def _not_utf8(path: Path, encoding: str = "LATIN1") -> ValueError:
    return ValueError(
        f"{str(path)!r} is not text in UTF-8. Save it again as UTF-8 (in a spreadsheet: CSV UTF-8), or "
        f"convert it, as in iconv -f {encoding} -t UTF-8 OLD > NEW."
    )
