"""Where to write the names of points so that no two names, and no name and point, overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from keras_kd.reports.axes import BOTTOM, FONT, HEIGHT, LEFT, RIGHT, TOP, WIDTH

LONGEST = 22
_ROUNDS = 8
# Points nearer than this, in pixels, hide each other.
_COVERED = 7
_DISTANCES = (9, 15, 22, 30, 40, 52, 66, 82, 100, 120, 145)
# East first, then west: a name beside its point reads best.
_ANGLES = (0, 180, 270, 90, 315, 45, 225, 135, 337, 23, 203, 157, 292, 68, 248, 112)


@dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """The shared area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        """The point of the rectangle that is nearest to (x, y)."""
        return min(max(x, self.left), self.right), min(max(y, self.top), self.bottom)

    def lines(self, count: int) -> list["Box"]:
        """The rectangle cut into lines of one height."""
        step = (self.bottom - self.top) / count
        return [
            Box(self.left, self.top + i * step, self.right, self.top + (i + 1) * step) for i in range(count)
        ]


_INSIDE = Box(LEFT + 2, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM - 2)


def shorten(name: str) -> str:
    """The name as a plot shows it."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


@dataclass(frozen=True)
class Label:
    """Where a name goes: a line of the block of names that belong to one spot."""

    line: Box
    block: Box


def place(points: Sequence[tuple[float, float]], names: Sequence[str]) -> list[Label]:
    """A place for each name: near its point, inside the frame, over nothing else.

    Points that cover each other share a block, one name a line.
    """
    spots = _spots(points)
    centres = [points[members[0]] for members in spots]
    choices = [
        _candidates(at, [names[i] for i in members]) for at, members in zip(centres, spots, strict=True)
    ]
    markers = [
        [Box(x - 7, y - 7, x + 7, y + 7) for x, y in (points[i] for i in members)] for members in spots
    ]
    blocks: dict[int, Box] = {}
    # Whoever comes first takes the best place; later rounds, to and fro, let every block move again.
    for turn in range(_ROUNDS):
        for spot in range(len(spots))[:: 1 if turn % 2 else -1]:
            others = [block for other, block in blocks.items() if other != spot]
            strangers = [box for other, boxes in enumerate(markers) if other != spot for box in boxes]
            blocks[spot] = _cheapest(choices[spot], centres[spot], [*others, *strangers], markers[spot])
    labels = {}
    for spot, members in enumerate(spots):
        for i, line in zip(members, blocks[spot].lines(len(members)), strict=True):
            labels[i] = Label(line, blocks[spot])
    return [labels[i] for i in range(len(points))]


def _spots(points: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Indices of the points, those that cover each other together."""
    spots: list[list[int]] = []
    for i, point in enumerate(points):
        near = next((spot for spot in spots if math.dist(point, points[spot[0]]) < _COVERED), None)
        if near is None:
            spots.append([i])
        else:
            near.append(i)
    return spots


def _candidates(point: tuple[float, float], names: Sequence[str]) -> list[tuple[Box, float]]:
    """Places for a block and what their distance costs, nearest first."""
    # 0.58 of the font size is about the mean letter of the widest system fonts.
    width = 0.58 * FONT * max(len(shorten(name)) for name in names) + 4
    height = (FONT + 3) * len(names)
    boxes = []
    for distance in _DISTANCES:
        for rank, degrees in enumerate(_ANGLES):
            across, down = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            x = point[0] + across * (distance + width / 2)
            y = point[1] + down * (distance + height / 2)
            box = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            boxes.append((box, distance + 0.3 * rank))
    return sorted(boxes, key=lambda pair: pair[1])


def _cheapest(
    choices: Sequence[tuple[Box, float]],
    point: tuple[float, float],
    others: Sequence[Box],
    own: Sequence[Box],
) -> Box:
    best, chosen = math.inf, choices[0][0]
    for box, distance in choices:
        # Candidates come nearest first: none of the rest can be better.
        if distance >= best:
            break
        cost = distance + _cost(box, point, others, own)
        if cost < best:
            best, chosen = cost, box
    return chosen


def _cost(box: Box, point: tuple[float, float], others: Sequence[Box], own: Sequence[Box]) -> float:
    area = (box.right - box.left) * (box.bottom - box.top)
    hidden = area - box.overlap(_INSIDE)
    covered = sum(box.overlap(other) for other in [*others, *own])
    x, y = box.nearest(*point)
    leader = [(point[0] + (x - point[0]) * i / 12, point[1] + (y - point[1]) * i / 12) for i in range(1, 13)]
    crossed = sum(
        other.left < a < other.right and other.top < b < other.bottom for a, b in leader for other in others
    )
    return 1000 * hidden + 100 * covered + 40 * crossed
