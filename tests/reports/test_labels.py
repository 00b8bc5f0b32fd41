"""Where the names of points are written."""

import itertools

import numpy as np
import pytest

from keras_kd.reports.labels import LINE, join, place_labels, shorten, shorten_all

INSIDE = np.array([54.0, 46.0, 428.0, 318.0])


def lines(block):
    """The box of each name of a block."""
    left, _, right, top = block.box
    return [(left, top - LINE * (i + 1), right, top - LINE * i) for i in range(len(block.lines))]


def apart(a, b):
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


CROWDS = {
    "one spot": [(200.0, 160.0)] * 8,
    "row": [(100.0 + 6 * i, 180.0) for i in range(9)],
    "corner": [(424.0 - 4 * i, 314.0 - 3 * i) for i in range(9)],
    "spread": [(60.0 + (i * 97) % 350, 60.0 + (i * 61) % 250) for i in range(9)],
    "many": [(70.0 + (i * 53) % 300, 220.0 + (i * 29) % 70) for i in range(20)],
}


@pytest.mark.parametrize("kind", CROWDS)
def test_names_never_cover_each_other_or_a_point(kind):
    points = np.array(CROWDS[kind])
    blocks = place_labels(points, [f"student no {i}" for i in range(len(points))], 12, INSIDE)
    boxes = [box for block in blocks for box in lines(block)]
    assert sorted(i for block in blocks for i in block.members) == list(range(len(points)))
    assert all(apart(a, b) for a, b in itertools.combinations(boxes, 2))
    for box in boxes:
        assert all(apart(box, (x - 5, y - 5, x + 5, y + 5)) for x, y in points)
        assert box[0] >= INSIDE[0]
        assert box[2] <= INSIDE[2]
        assert box[1] >= INSIDE[1] - 1e-9
        assert box[3] <= INSIDE[3]


@pytest.mark.parametrize("kind", ["row", "corner", "many"])
def test_a_name_that_is_not_beside_its_own_point_alone_is_tied_to_it(kind):
    points = np.array(CROWDS[kind])
    blocks = place_labels(points, [f"student no {i}" for i in range(len(points))], 12, INSIDE)
    for block in blocks:
        gaps = [np.linalg.norm(block.nearest(point) - point) for point in points]
        own, others = gaps[block.members[0]], [gap for i, gap in enumerate(gaps) if i not in block.members]
        assert block.tied == (own >= 14 or min(others) < own + 5)
    assert {block.tied for block in blocks} >= {True}


def test_a_name_stands_nearer_to_its_own_point_than_to_others_where_there_is_room():
    # Two on a level, too near to each other for a name between them.
    points = np.array([(200.0, 180.0), (240.0, 180.0)])
    left, right = place_labels(points, ["student", "teacher"], 12, INSIDE)
    assert left.box[2] < 200
    assert right.box[0] > 240
    assert not left.tied
    assert not right.tied


def test_names_keep_off_bars_where_there_is_room():
    points = np.array([(200.0, 180.0)])
    (block,) = place_labels(points, ["student"], 12, INSIDE, np.array([[220.0, 100.0, 222.0, 260.0]]))
    assert block.box[2] < 200


def test_points_that_hide_each_other_share_one_block_of_names():
    points = np.array([(200.0, 160.0), (203.0, 161.0), (300.0, 250.0)])
    blocks = place_labels(points, ["a", "b", "c"], 12, INSIDE)
    assert [(block.members, block.lines) for block in blocks] == [((0, 1), ("a, b",)), ((2,), ("c",))]


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (["float16", "int8"], ["float16, int8"]),
        (["float16", "int8", "dynamic"], ["float16, int8,", "dynamic"]),
        (["a name of its own length", "int8"], ["a name of its own length,", "int8"]),
    ],
)
def test_names_of_one_spot_share_lines_and_none_is_broken(names, lines):
    assert join(names, 14) == lines


@pytest.mark.parametrize("across", [[70.0, 71.0, 84.0, 98.0], [410.0, 411.0, 396.0, 380.0]])
def test_a_wide_block_at_an_edge_stays_beside_its_point(across):
    points = np.array([(x, 290.0) for x in across])
    names = ["student alone", "student distilled", "float16", "int16x8"]
    block = place_labels(points, names, 12, INSIDE)[0]
    assert block.lines == ("student alone, student distilled",)
    assert np.linalg.norm(block.nearest(points[0]) - points[0]) < 10


def test_long_names_lose_their_middle():
    assert shorten("a" * 22) == "a" * 22
    assert shorten("a" * 20 + "int8") == "a" * 13 + "…" + "aaaaint8"


@pytest.mark.parametrize(
    ("names", "short"),
    [
        (["student_small", "b"], ["student…mall", "b"]),
        # The ends are alike, then the beginnings, then both.
        (["small_student_x", "large_student_x"], ["small_s…nt_x", "large_s…nt_x"]),
        ([f"m_{i}_{'x' * 20}" for i in range(2)], ["m_0_xxx…xxxx", "m_1_xxx…xxxx"]),
        ([f"{'x' * 8}{i}{'x' * 20}" for i in range(2)], ["xxxxxxxx0xx…", "xxxxxxxx1xx…"]),
        ([f"{'x' * 20}{i}{'x' * 6}" for i in range(2)], ["xxx…x0xxxxxx", "xxx…x1xxxxxx"]),
        ([f"{'x' * 20}{i}{'x' * 20}" for i in range(2)], ["xxxx…xx (1)", "xxxx…xx (2)"]),
    ],
)
def test_shortened_names_can_be_told_apart(names, short):
    found = shorten_all(names, 12)
    assert len(set(found)) == len(names)
    assert all(len(name) <= 12 for name in found)
    assert found == short
