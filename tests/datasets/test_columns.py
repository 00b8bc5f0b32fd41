"""Columns of files."""

import decimal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from keras_kd.datasets.columns import read_columns

FLOWERS = {"width": [1.5, 2.0, 3.0], "count": [1, 2, 3], "kind": ["rose", "tulip", "rose"]}


def write_text(path, columns, separator):
    rows = [columns, *zip(*columns.values(), strict=True)]
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet", "A.CSV"])
def test_files_of_every_kind(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        parquet.write_table(pa.table(FLOWERS), path)
    else:
        write_text(path, FLOWERS, "\t" if name.endswith("tsv") else ",")
    columns = read_columns(path)
    assert columns.names == list(FLOWERS)
    assert [columns.are_numbers(name) for name in columns.names] == [True, True, False]
    np.testing.assert_array_equal(columns.inputs("count"), np.array([1, 2, 3], "float32"))
    numbers, names = columns.labels("kind")
    assert (numbers.tolist(), names) == ([0, 1, 0], ("rose", "tulip"))
    assert columns.labels("count")[0].tolist() == [1, 2, 3]
    assert columns.named("count, kind,count") == ["count", "kind"]


def test_types_of_parquet(tmp_path):
    kinds = {
        "boolean": pa.array([True, False]),
        "decimal": pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]),
        "category": pa.array(["b", "a"]).dictionary_encode(),
        "large": pa.array(["b", "a"], pa.large_string()),
        "time": pa.array([1, 2], pa.timestamp("s")),
        "Class, kind": pa.array([1, 2], pa.int8()),
        "__index_level_0__": pa.array([7, 8]),  # of pandas
    }
    parquet.write_table(pa.table(kinds), tmp_path / "a.parquet")
    columns = read_columns(tmp_path / "a.parquet")
    assert columns.names == list(kinds)[:-1]
    assert columns.inputs("boolean").tolist() == [1, 0]
    assert columns.inputs("decimal").tolist() == [1.5, 2.5]
    assert columns.labels("category")[1] == columns.labels("large")[1] == ("a", "b")
    assert columns.named("Class, kind") == ["Class, kind"]
    with pytest.raises(ValueError, match=r"column 'time' holds timestamp.*, and a model reads numbers"):
        columns.inputs("time")
    with pytest.raises(ValueError, match=r"column 'time' holds timestamp\[ms\]. Labels are numbers or text"):
        columns.labels("time")


def test_a_type_is_told_by_all_rows(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "1,2\n" * 400_000 + "1.5,2\n")
    assert read_columns(tmp_path / "a.csv").inputs("x")[-1] == 1.5


MISSING = {
    "a number": ("x,y\n1,a\n2,a\n,a\n,b\n", "x", "no value in 2 of 4 rows, the first time in row 2"),
    "NaN": ("x,y\n1,a\nnan,a\n", "x", "no value in 1 of 2 rows, the first time in row 1"),
    "text": ("x,y\n1,\n2,a\n", "y", "column 'y' has no value in 1 of 2 rows, the first time in row 0"),
}


@pytest.mark.parametrize(("text", "name", "message"), MISSING.values(), ids=MISSING)
def test_missing_values(tmp_path, text, name, message):
    (tmp_path / "a.csv").write_text(text)
    columns = read_columns(tmp_path / "a.csv")
    for read in (columns.inputs, columns.labels) if name == "x" else (columns.labels,):
        with pytest.raises(ValueError, match=message):
            read(name)


def test_NaN_of_parquet_is_missing(tmp_path):
    parquet.write_table(pa.table({"x": [1.0, float("nan")]}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="column 'x' has no value in 1 of 2 rows, the first time in row 1"):
        read_columns(tmp_path / "a.parquet").labels("x")


def test_columns_that_are_no_inputs(tmp_path):
    (tmp_path / "a.csv").write_text("color,huge\nred,1e300\nNA,1\n")
    columns = read_columns(tmp_path / "a.csv")
    assert columns.labels("color")[1] == ("NA", "red")  # a name as good as any
    with pytest.raises(ValueError, match=r"column 'color' holds string, and a model reads numbers. Encode"):
        columns.inputs("color")
    with pytest.raises(ValueError, match="column 'huge': 1 values hold NaN or infinity, the first at row 0"):
        columns.inputs("huge")
    with pytest.raises(ValueError, match=r"no column 'colour' .* Did you mean 'color'.* are color, huge"):
        columns.named("colour")


NOT_UTF8 = "is not text in UTF-8. Save it again as UTF-8 .* iconv -f %s -t UTF-8"
DAMAGED = {
    "UTF-16": ("a.csv", "x,kind\n1,rosé\n".encode("utf-16"), NOT_UTF8 % "UTF-16"),
    "UTF-16, bytes swapped": ("a.tsv", b"\xfe\xff" + "x,y\n1,2\n".encode("utf-16-be"), NOT_UTF8 % "UTF-16"),
    "UTF-16 without a mark": ("a.csv", "x,größe\n1,2\n".encode("utf-16-le"), NOT_UTF8 % "UTF-16LE"),
    "UTF-16 without a mark, bytes swapped": ("a.tsv", "x\ty\n".encode("utf-16-be"), NOT_UTF8 % "UTF-16BE"),
    "Latin-1 in a value": ("a.csv", "x,kind\n1,rosé\n".encode("latin-1"), NOT_UTF8 % "LATIN1"),
    "Latin-1 in a name": ("a.csv", "größe,kind\n1,rose\n".encode("latin-1"), NOT_UTF8 % "LATIN1"),
    "ragged": ("a.csv", b"a,b\n1,2\n3\n", "cannot be read as a .csv table: .*Expected 2 columns, got 1"),
    "empty": ("a.csv", b"", "cannot be read as a .csv table"),
    "no rows": ("a.csv", b"a,b\n", "has no rows"),
    "twice": ("a.csv", b"a,a\n1,2\n", "has several columns named 'a': rename them"),
    "semicolons": ("a.csv", b"a;b\n1;2\n", "separates its columns with ';'. Write it with ','"),
    "no parquet": ("a.parquet", b"hello" * 9, "cannot be read as a .parquet table"),
    "empty parquet": ("a.parquet", b"", "cannot be read as a .parquet table"),
}


@pytest.mark.parametrize(("name", "content", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_columns(tmp_path / name)
    assert str(tmp_path) in str(error.value)


def test_a_file_cut_short(tmp_path):
    parquet.write_table(pa.table(FLOWERS), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for size in (len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.parquet").write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cannot be read as a .parquet table"):
            read_columns(tmp_path / "a.parquet")
    with pytest.raises(FileNotFoundError):
        read_columns(tmp_path / "b.parquet")
