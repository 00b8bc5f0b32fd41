"""Rows: figures as plain numbers, and what they gain and lose against the baseline."""

import numpy as np
import pytest

from keras_kd.reports import Row
from keras_kd.reports.rows import compare_with_baseline


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None, np.float32("nan")])
def test_figures_that_are_no_numbers_become_none(bad):
    row = Row("a", "keras", accuracy=bad, bytes=bad, speedup=bad)
    assert (row.accuracy, row.bytes, row.speedup) == (None, None, None)


def test_numpy_figures_become_plain():
    row = Row("a", "keras", accuracy=np.float32(0.5), bytes=np.int64(7))
    assert type(row.accuracy) is float
    assert type(row.bytes) is int


@pytest.mark.parametrize("bad", ["0.9", True, [1]])
def test_figures_of_another_type_are_refused(bad):
    with pytest.raises(TypeError, match="must be a number or None"):
        Row("a", "keras", accuracy=bad)


def test_a_row_knows_whether_its_times_can_be_relied_on():
    assert not Row("a", "int8", median_ms=1.0).busy
    row = Row("a", "int8", median_ms=1.0, median_low_ms=np.float64(0.9), disturbance="62 % of the time")
    assert row.busy
    assert type(row.median_low_ms) is float
    assert Row(**row.to_dict()) == row


def test_against_the_baseline():
    base = Row("base", "keras", accuracy=0.5, bytes=100, median_ms=3.0)
    other = Row("other", "int8", accuracy=0.75, bytes=25, median_ms=1.5)
    empty = Row("empty", "int8")
    rows = compare_with_baseline([base, other, empty], "base")
    assert [(row.accuracy_delta, row.compression, row.speedup) for row in rows] == [
        (0.0, 1.0, 1.0),
        (0.25, 4.0, 2.0),
        (None, None, None),
    ]
    assert compare_with_baseline([base, other], None) == [base, other]
