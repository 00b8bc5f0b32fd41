"""Ties say which channels are alike, and which stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_kd.compression.shrinking.ties import NONE, Ties


def test_new_labels_are_alone():
    ties = Ties()
    labels = np.concatenate([ties.fresh(3), ties.fresh(2)])
    assert sorted(set(labels.tolist())) == labels.tolist()
    np.testing.assert_array_equal(ties.classes(labels), labels)
    assert NONE not in labels


def test_a_tie_broadcasts():
    ties = Ties()
    row, grid = ties.fresh(3), ties.fresh(6).reshape(2, 3)
    ties.tie(grid, row)
    np.testing.assert_array_equal(ties.classes(grid), [ties.classes(row)] * 2)


def test_what_is_tied_to_no_channel_is_kept_with_the_reason():
    ties = Ties()
    labels, other = ties.fresh(3), ties.fresh(1)
    ties.tie(labels, np.array([NONE, NONE, labels[2]]), "is added to an input")
    assert ties.classes(labels).tolist() == [NONE, NONE, labels[2]]
    assert ties.why_kept(labels) == "is added to an input"
    assert ties.why_kept(other) is None


def test_what_is_tied_to_something_kept_is_kept_for_the_first_reason():
    ties = Ties()
    a, b, c = ties.fresh(2), ties.fresh(2), ties.fresh(2)
    ties.keep(c, "is an output")
    ties.keep(c, "another reason")
    ties.tie(a, b)
    ties.tie(b, c)
    assert not ties.classes(np.concatenate([a, b, c])).any()
    assert ties.why_kept(a) == "is an output"


@pytest.mark.parametrize(
    ("shape", "pick", "expected"),
    [((1, 4), None, [1]), ((1, 1), None, []), ((2, 3), None, [0, 1]), ((2, 3), 0, [1]), ((2, 3), 1, [0])],
)
def test_axes_along_which_labels_vary(shape, pick, expected):
    ties = Ties()
    labels = ties.fresh(int(np.prod(shape))).reshape(shape)
    if pick is not None:
        ties.tie(labels, labels.take([0], pick))
    assert ties.varying_axes(labels) == expected


def test_what_is_kept_does_not_vary():
    ties = Ties()
    labels = ties.fresh(4)
    ties.keep(labels, "is an output")
    assert ties.varying_axes(labels) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30), st.sets(st.integers(1, 9)))
def test_ties_are_an_equivalence(pairs, kept):
    """Compared with sets that are merged one by one; label 0 is `NONE`."""
    ties, sets = Ties(), [{i} for i in range(10)]
    ties.fresh(9)
    for number, (a, b) in enumerate(pairs):
        ties.tie(np.array([a]), np.array([b]))
        if number == len(pairs) // 2:
            ties.keep(np.array([*kept], int), "asked")
    if not pairs:
        ties.keep(np.array([*kept], int), "asked")
    for a, b in [*pairs, *[(0, one) for one in kept]]:
        first, second = (next(s for s in sets if x in s) for x in (a, b))
        if first is not second:
            first |= second
            sets.remove(second)
    classes = ties.classes(np.arange(10))
    for one in sets:
        found = set(classes[list(one)].tolist())
        assert found == {NONE} if 0 in one else len(found) == 1
    assert len(set(classes.tolist())) == len(sets)
