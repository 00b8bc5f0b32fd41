"""The columns of a table, by its first line."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from keras_kd.datasets.columns import read_columns
from keras_kd.headers import column_names, find_targets, is_row_label, missing_target

TABLES = {
    "a.csv": b'\xef\xbb\xbfx,"a, b",kind\n1,2,rose\n',
    "b.CSV": b"x\r\n1\r\n",
    "c.tsv": b"x\ty, z\n1\t2\n",
}


@pytest.mark.parametrize(("name", "content"), TABLES.items(), ids=TABLES)
def test_columns_are_those_that_are_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert column_names(tmp_path / name) == read_columns(tmp_path / name).names


def test_columns_of_parquet(tmp_path):
    parquet.write_table(pa.table({"x": [1], "__index_level_0__": [0]}), tmp_path / "a.parquet")
    assert column_names(tmp_path / "a.parquet") == read_columns(tmp_path / "a.parquet").names == ["x"]
    assert not is_row_label("index")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b""), ("a.csv", "größe\n".encode("latin-1")), ("a.parquet", b"hello"), ("none.csv", None)],
)
def test_what_is_damaged_is_told_when_it_is_read(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert column_names(tmp_path / name) == []


@pytest.mark.parametrize(("names", "likely"), [(["a", "Label", "b"], "Label"), (["a", "b"], "b")])
def test_the_likely_target(names, likely):
    assert missing_target("t.csv", names).endswith(
        f"Its columns are {', '.join(names)}; perhaps target={likely!r}."
    )


def test_targets_that_a_text_names():
    names = ["a", "b,c", "d"]
    assert find_targets("t.csv", names, "b,c") == ["b,c"]
    assert find_targets("t.csv", names, "d, a,d") == ["d", "a"]
    with pytest.raises(
        ValueError, match=r"^'t.csv' has no column 'e' for the labels\. Its columns are a, b,c, d"
    ):
        find_targets("t.csv", names, "a,e")
