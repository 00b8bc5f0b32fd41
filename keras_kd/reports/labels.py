"""Where to write the names of points so that no two names, and no name and point, overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from keras_kd.reports.axes import BOTTOM, FONT, HEIGHT, LEFT, RIGHT, TOP, WIDTH

LONGEST = 22
_ROUNDS = 4
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


_INSIDE = Box(LEFT + 2, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM - 2)


def shorten(name: str) -> str:
    """The name as a plot shows it."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def place(points: Sequence[tuple[float, float]], names: Sequence[str]) -> list[Box]:
    """A box for each name: near its point, inside the frame, over nothing else."""
    markers = [Box(x - 7, y - 7, x + 7, y + 7) for x, y in points]
    choices = [_candidates(point, name) for point, name in zip(points, names, strict=True)]
    placed: dict[int, Box] = {}
    # The first names take the best places; later rounds let every name move once all are there.
    for _ in range(_ROUNDS):
        for i, point in enumerate(points):
            names_there = [box for other, box in placed.items() if other != i]
            strangers = [marker for marker, other in zip(markers, points, strict=True) if other != point]
            best = math.inf
            for box, distance in choices[i]:
                # Candidates come nearest first: none of the rest can be better.
                if distance >= best:
                    break
                cost = distance + _cost(box, point, names_there, markers, strangers)
                if cost < best:
                    best, placed[i] = cost, box
    return [placed[i] for i in range(len(points))]


def _candidates(point: tuple[float, float], name: str) -> list[tuple[Box, float]]:
    # 0.58 of the font size is about the mean letter of the widest system fonts.
    width, height = 0.58 * FONT * len(shorten(name)) + 4, FONT + 3
    boxes = []
    for distance in _DISTANCES:
        for rank, degrees in enumerate(_ANGLES):
            across, down = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            x = point[0] + across * (distance + width / 2)
            y = point[1] + down * (distance + height / 2)
            box = Box(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            boxes.append((box, distance + 0.3 * rank))
    return sorted(boxes, key=lambda pair: pair[1])


def _cost(
    box: Box,
    point: tuple[float, float],
    names: Sequence[Box],
    markers: Sequence[Box],
    strangers: Sequence[Box],
) -> float:
    area = (box.right - box.left) * (box.bottom - box.top)
    hidden = area - box.overlap(_INSIDE)
    covered = sum(box.overlap(other) for other in [*names, *markers])
    x, y = box.nearest(*point)
    leader = [(point[0] + (x - point[0]) * i / 8, point[1] + (y - point[1]) * i / 8) for i in range(1, 9)]
    crossed = sum(
        other.left < a < other.right and other.top < b < other.bottom
        for a, b in leader
        for other in [*names, *strangers]
    )
    return 1000 * hidden + 100 * covered + 25 * crossed
