"""Where to write the names of points so that no two names, and no name and point, overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 22
LINE = 15
_ROUNDS = 8
# Points closer than this, in pixels, hide each other.
_COVERED = 7
# A name farther than this from its point, or nearly as near to another one, needs a line to its own.
_NEAR, _NEARER = 14, 5
# What a place costs that may be taken for that of another name, as much as so many pixels more to its point.
_OF_ANOTHER = 14
# What it costs to stand on a bar.
_ON_BAR = 2
_NO_BOXES = np.empty((0, 4))
# The names of one spot stand on lines of about so many characters.
_LINE_OF_NAMES = 34
MARKER = 7
_DISTANCES = (9, 15, 22, 30, 40, 52, 66, 82, 100, 120, 145)
# East first, then west: a name beside its point reads best.
_ANGLES = np.radians([0, 180, 90, 270, 45, 315, 135, 225, 23, 337, 157, 203, 68, 292, 112, 248])
# Above or below its point, a wide block may also start or end there.
_CORNERS = np.array([(1, -1), (1, 1), (-1, -1), (-1, 1)])


@dataclass(frozen=True)
class Block:
    """The names of points that cover each other.

    Args:
        members: Indices of the points.
        lines: Their names, in this order.
        box: Left, bottom, right and top, in pixels; y grows upwards.
        tied: Whether a line to its point is needed to tell whose names they are.
    """

    members: tuple[int, ...]
    lines: tuple[str, ...]
    box: np.ndarray
    tied: bool

    def nearest(self, point: Sequence[float]) -> np.ndarray:
        """The point of the box nearest to another point."""
        return np.clip(point, self.box[:2], self.box[2:])


def shorten(name: str, longest: int = LONGEST, end: float = 0.4) -> str:
    """The name, without its middle if it is long: names of one report often differ at their ends.

    Args:
        name: The name.
        longest: The number of characters that are left.
        end: The fraction of them that is taken from the end.

    Examples:
        >>> shorten("student_with_a_long_name_int8")
        'student_with_…ame_int8'
    """
    if len(name) <= longest:
        return name
    last = int((longest - 1) * end)
    return f"{name[: longest - 1 - last]}…{name[len(name) - last :]}"


def shorten_all(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """The names, shortened where they can still be told apart, or else numbered.

    Examples:
        >>> shorten_all(["student_0.25_int8_full", "student_0.50_int8_full"], 14)
        ['student_0.25_…', 'student_0.50_…']
    """
    for end in (0.4, 0.0, 0.8):
        short = [shorten(name, longest, end) for name in names]
        if len(set(short)) == len(set(names)):
            return short
    return [f"{shorten(name, longest - 5)} ({i})" for i, name in enumerate(names, 1)]


def width(names: Sequence[str], size: float) -> float:
    """The approximate width of the widest name, in pixels, in a font of that size."""
    # In the widest system fonts, the average letter is about 0.58 of the font size wide.
    return 0.58 * size * max(len(name) for name in names)


def place_labels(
    points: np.ndarray, names: Sequence[str], size: float, inside: np.ndarray, bars: np.ndarray = _NO_BOXES
) -> list[Block]:
    """Find a position for each name: near its point, inside a box, and not over anything else.

    Args:
        points: (points, 2) pixels.
        names: One per point.
        size: Font size in pixels.
        inside: Left, bottom, right and top of the box, in pixels.
        bars: Boxes of lines that names had better not stand on.
    """
    clusters = _clusters(points)
    lines = [join([names[k] for k in members]) for members in clusters]
    candidates = [
        _candidates(points, i, (width(own, size) + 4, LINE * len(own)), bars)
        for i, own in zip(clusters, lines, strict=True)
    ]
    markers = [np.hstack([points[members] - MARKER, points[members] + MARKER]) for members in clusters]
    placed: dict[int, np.ndarray] = {}
    # The first block takes the best position; later rounds, back and forth, let every block move again.
    for turn in range(_ROUNDS):
        for index in range(len(clusters))[:: 1 if turn % 2 else -1]:
            other_blocks = [box[None] for other, box in placed.items() if other != index]
            other_markers = [boxes for other, boxes in enumerate(markers) if other != index]
            others = np.concatenate([_NO_BOXES, *other_blocks, *other_markers])
            boxes, costs = candidates[index]
            costs = costs + _overlap_cost(boxes, others, markers[index], inside)
            costs += 40 * _crossings(boxes, points[clusters[index][0]], others)
            placed[index] = boxes[costs.argmin()]
    tied = [bool(_needs_line(placed[k][None], points, i)[0]) for k, i in enumerate(clusters)]
    return [Block(tuple(i), tuple(lines[k]), placed[k], tied[k]) for k, i in enumerate(clusters)]


def join(names: Sequence[str], longest: int = _LINE_OF_NAMES) -> list[str]:
    """The names with commas between them, on as few lines as it takes; no name is broken.

    Examples:
        >>> join(["student distilled", "dynamic", "float16", "int8"])
        ['student distilled, dynamic,', 'float16, int8']
    """
    lines = [names[0]]
    for name in names[1:]:
        if len(f"{lines[-1]}, {name}") <= longest:
            lines[-1] += f", {name}"
        else:
            lines[-1] += ","
            lines.append(name)
    return lines


def _clusters(points: np.ndarray) -> list[list[int]]:
    """Indices of the points, grouped by which ones cover each other."""
    clusters: list[list[int]] = []
    for i, point in enumerate(points):
        covered = (members for members in clusters if math.dist(point, points[members[0]]) < _COVERED)
        cluster = next(covered, None)
        if cluster is None:
            clusters.append([i])
        else:
            cluster.append(i)
    return clusters


def _candidates(
    points: np.ndarray, members: Sequence[int], size: tuple[float, float], bars: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions `(boxes, 4)` for a block around its point, and the cost of each on its own."""
    point, half = points[members[0]], np.array(size) / 2
    around = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)
    places = len(_ANGLES) + len(_CORNERS)
    distances = np.repeat(_DISTANCES, places)
    ranks = np.tile(range(places), len(_DISTANCES))
    reaches = [
        np.concatenate([around * (distance + half), _CORNERS * (half + np.array([-MARKER, distance]))])
        for distance in _DISTANCES
    ]
    centres = point + np.concatenate(reaches)
    boxes = np.hstack([centres - half, centres + half])
    costs = distances + 0.3 * ranks + _ON_BAR * _touched(boxes, bars)
    return boxes, costs + _OF_ANOTHER * _is_of_another(boxes, points, members)


def _touched(boxes: np.ndarray, bars: np.ndarray) -> np.ndarray:
    """On how many bars each box stands."""
    apart = (boxes[:, None, :2] >= bars[:, 2:]) | (boxes[:, None, 2:] <= bars[:, :2])
    return (~apart.any(-1)).sum(-1)


def _gaps(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far each box is from the nearest of the points."""
    nearest = np.clip(points, boxes[:, None, :2], boxes[:, None, 2:])
    return np.linalg.norm(nearest - points, axis=-1).min(-1, initial=np.inf)


def _is_of_another(boxes: np.ndarray, points: np.ndarray, members: Sequence[int]) -> np.ndarray:
    """Whether a block in each box may be taken for the names of a point that it does not name."""
    own, others = points[members[0]][None], np.delete(points, members, axis=0)
    return _gaps(boxes, others) < _gaps(boxes, own) + _NEARER


def _needs_line(boxes: np.ndarray, points: np.ndarray, members: Sequence[int]) -> np.ndarray:
    """Whether a line to its point must tell whose names are in each box."""
    return _is_of_another(boxes, points, members) | (_gaps(boxes, points[members[0]][None]) >= _NEAR)


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The area that each box has in common with all the others together."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(-1).sum(-1)


def _overlap_cost(boxes: np.ndarray, others: np.ndarray, own: np.ndarray, inside: np.ndarray) -> np.ndarray:
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    hidden = area - _overlap(boxes, inside[None])
    return 1000 * hidden + 100 * _overlap(boxes, np.concatenate([others, own]))


def _crossings(boxes: np.ndarray, point: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much of the line from the point to each box crosses other boxes."""
    ends = np.clip(point, boxes[:, :2], boxes[:, 2:])
    steps = np.linspace(0, 1, 13)[1:, None, None, None]
    line = point + steps * (ends - point)[:, None]
    return ((line > others[:, :2]) & (line < others[:, 2:])).all(-1).sum((0, 2))
