"""Rows that are read when it is known which are needed."""

import numpy as np
import pytest

from keras_kd.datasets.rows import ALL_ROWS, Found, Rows, check_memory, read_rows

X = np.arange(100.0)[:, None]


def rows(start, stop, y=None):
    x = X[start:stop]
    return Rows(len(x), x.__getitem__, y)


@pytest.mark.parametrize(
    ("groups", "how", "sizes"),
    [
        ({"train": rows(0, 100)}, "validation and test set aside", (80, 10, 10)),
        ({"train": rows(0, 90), "test": rows(90, 100)}, "validation set aside", (81, 9, 10)),
        ({"train": rows(0, 90), "validation": rows(90, 100)}, "test set aside", (81, 10, 9)),
        (
            {"train": rows(0, 50), "test": rows(50, 70), "validation": rows(70, 100)},
            "split as given",
            (50, 30, 20),
        ),
        ({"train": rows(0, 3)}, "validation and test set aside", (1, 1, 1)),
    ],
)
def test_what_is_missing_is_set_aside(groups, how, sizes):
    split, said = Found(groups, "rows").split("mine")
    assert said == f"{how}: {sizes[0]} train, {sizes[1]} validation, {sizes[2]} test"
    assert tuple(split[name].size for name in ("train", "validation", "test")) == sizes
    found = np.concatenate([part.read(ALL_ROWS)[:, 0] for part in split.values()])
    assert sorted(found) == sorted(np.concatenate([part.read(ALL_ROWS)[:, 0] for part in groups.values()]))


def test_each_class_is_in_proportion_and_labels_stay_with_their_rows():
    y = (np.arange(100) % 10 == 0).astype("int32")
    split, _ = Found({"train": rows(0, 100, y)}, "rows").split("mine")
    assert [part.y.sum() for part in split.values()] == [8, 1, 1]
    for part in split.values():
        read = read_rows(part, Found({}, ""), "mine")
        np.testing.assert_array_equal(read.y, y[read.x[:, 0].astype(int)])


def test_too_few_rows():
    with pytest.raises(
        ValueError, match="mine: 2 rows are too few to set some aside for validation and test"
    ):
        Found({"train": rows(0, 2)}, "rows").split("mine")


def test_what_does_not_fit_into_memory_is_not_read():
    def read(indices):
        raise AssertionError("it was read")

    huge = Rows(10**9, read, np.zeros(1, int))
    with pytest.raises(
        ValueError, match=r"pets: 1,000,000,000 rows need 150528.0 GB of memory, more than half"
    ):
        read_rows(huge, Found({}, "", row_bytes=224 * 224 * 3), "pets")
    check_memory(1000, "little")
