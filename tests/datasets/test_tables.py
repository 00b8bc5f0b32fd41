"""Tables: which columns are inputs, labels, and the split."""

import numpy as np
import pytest

from keras_kd.datasets.model_shape import ModelShape
from keras_kd.datasets.rows import ALL_ROWS
from keras_kd.datasets.tables import find_table

ONE = ModelShape({"x": (2,)}, {"kind": (2,)})


@pytest.fixture
def table(tmp_path):
    """Finds the rows of a table with this header and these rows."""

    def find(header, *rows, model=ONE, target=None, needs_target=True):
        path = tmp_path / "mine.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return find_table(path, model, target, needs_target=needs_target)

    return find


def test_columns_are_inputs_in_the_order_of_the_file(table):
    found = table("kind,b,a", "rose,1,2", "tulip,3,4", target="kind")
    rows = found.groups["train"]
    np.testing.assert_array_equal(rows.read(ALL_ROWS), [[1, 2], [3, 4]])
    assert (rows.y.tolist(), found.class_names) == ([0, 1], ("rose", "tulip"))
    assert found.text == "2 rows with 2 inputs (b, a), labels in kind"


@pytest.mark.parametrize(("shape", "wanted"), [((2, 1, 1), (1, 2, 1, 1)), ((None,), (1, 2))])
def test_inputs_have_the_shape_of_the_model(table, shape, wanted):
    found = table("a,b,y", "1,2,0", model=ModelShape({"x": shape}, {"kind": (2,)}), target="y")
    assert found.groups["train"].read(ALL_ROWS).shape == wanted


def test_a_column_tells_the_split(table):
    rows = [
        f"{index},0,{index % 2},{split}" for index, split in enumerate(["train", "val", "Test", "training"])
    ]
    groups = table("a,b,y,split", *rows, target="y").groups
    read = {name: rows.read(ALL_ROWS)[:, 0].tolist() for name, rows in groups.items()}
    assert read == {"test": [2], "train": [0, 3], "validation": [1]}
    assert {name: rows.y.tolist() for name, rows in groups.items()} == {
        "test": [0],
        "train": [0, 1],
        "validation": [1],
    }
    numbers = table("a,split,y", "1,2,0", target="y").groups["train"]  # an input like any other
    assert numbers.read(ALL_ROWS).tolist() == [[1, 2]]


@pytest.mark.parametrize(("target", "expected"), [("age,kind", "by name"), ("p,q", "in order")])
def test_a_column_for_each_output(table, target, expected):
    model = ModelShape({"x": (2,)}, {"kind": (2,), "age": (1,)})
    first, second = target.split(",")
    y = table(f"{second},a,b,{first}", "1,0,0,7", "0,0,0,8", model=model, target=target).groups["train"].y
    assert list(y) == ["kind", "age"]
    kind, age = ([1, 0], [7, 8]) if expected == "by name" else ([7, 8], [1, 0])
    assert (y["kind"].tolist(), y["age"].tolist()) == (kind, age)


def test_several_columns_for_one_output(table):
    rows = table("a,b,p,q", "0,0,1,0", "0,0,1.5,1", target="p,q").groups["train"]
    assert rows.y.tolist() == [[1, 0], [1.5, 1]]


def test_labels_may_be_missing_where_they_are_not_needed(table):
    found = table("a,b", "1,2", needs_target=False)
    assert found.groups["train"].y is None
    assert found.text == "1 row with 2 inputs (a, b)"


THREE = ModelShape({"x": (2,)}, {"kind": (2,), "age": (1,), "size": (1,)})
WRONG = {
    "no target": ("a,b,Class", {}, "needs target=: .* columns are a, b, Class; perhaps target='Class'"),
    "no usual name": ("a,b,c", {}, "perhaps target='c'"),
    "no such column": ("a,b,kind", {"target": "knid"}, "has no column 'knid' .* Did you mean 'kind'"),
    "too many inputs": (
        "a,b,c,kind",
        {"target": "kind"},
        "3 columns of inputs, .* takes 2. They are a, b, c",
    ),
    "no inputs": ("kind", {"target": "kind"}, "has 0 columns of inputs, .* They are -"),
    "labels among the inputs": (
        "a,b,kind",
        {"needs_target": False},
        "are a, b, kind. Name columns of labels",
    ),
    "outputs": (
        "a,b,c",
        {"target": "c", "model": THREE},
        "outputs kind, age, size: target= needs a column for",
    ),
    "two inputs": ("a", {"target": "a", "model": ModelShape({"x": (1,), "y": (1,)}, {})}, "one input"),
}


@pytest.mark.parametrize(("header", "options", "message"), WRONG.values(), ids=WRONG)
def test_columns_that_do_not_fit(table, header, options, message):
    row = ",".join("1" for _ in header.split(","))
    with pytest.raises(ValueError, match=message):
        table(header, row, row, **options)


def test_text_that_is_neither(table):
    with pytest.raises(ValueError, match="column 'a' holds string, and a model reads numbers"):
        table("a,b,y", "red,1,0", target="y")
    with pytest.raises(ValueError, match=r"column 'p' is text. Several columns of labels for one output"):
        table("a,b,p,q", "0,0,x,1", target="p,q")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("train", "tset"), "'split' has to say train, val or test. Received: 'tset' in row 1"),
        (("train", "val"), "no row has 'test' in column 'split'"),
        (("train", ""), "column 'split' has no value in 1 of 2 rows"),
    ],
)
def test_a_split_that_is_none(table, values, message):
    with pytest.raises(ValueError, match=message):
        table("a,b,y,split", *[f"0,0,1,{value}" for value in values], target="y")
