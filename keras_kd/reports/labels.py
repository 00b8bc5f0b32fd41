"""Where to write the names of points so that no two names, and no name and point, overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONGEST = 22
LINE = 15
_ROUNDS = 8
# Points nearer than this, in pixels, hide each other.
_COVERED = 7
_MARKER = 7
_DISTANCES = (9, 15, 22, 30, 40, 52, 66, 82, 100, 120, 145)
# East first, then west: a name beside its point reads best.
_ANGLES = np.radians([0, 180, 90, 270, 45, 315, 135, 225, 23, 337, 157, 203, 68, 292, 112, 248])


@dataclass(frozen=True)
class Block:
    """The names of points that cover each other, one a line, in the order of `members`.

    Args:
        members: Indices of the points.
        box: Left, bottom, right and top, in pixels; y grows upwards.
    """

    members: tuple[int, ...]
    box: np.ndarray

    def nearest(self, point: Sequence[float]) -> np.ndarray:
        """The point of the box that is nearest to another point."""
        return np.clip(point, self.box[:2], self.box[2:])


def shorten(name: str) -> str:
    """The name as a plot shows it."""
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def width(names: Sequence[str], size: float) -> float:
    """About how wide the widest of the names is, in pixels, with a font of that size."""
    # 0.58 of the font size is about the mean letter of the widest system fonts.
    return 0.58 * size * max(len(name) for name in names)


def place(points: np.ndarray, names: Sequence[str], size: float, inside: np.ndarray) -> list[Block]:
    """A place for each name: near its point, inside a box, over nothing else.

    Args:
        points: (points, 2) pixels.
        names: One a point.
        size: Font size in pixels.
        inside: Left, bottom, right and top of the box, in pixels.
    """
    spots = _spots(points)
    sizes = [(width([names[i] for i in spot], size) + 4, LINE * len(spot)) for spot in spots]
    choices = [_candidates(points[spot[0]], size) for spot, size in zip(spots, sizes, strict=True)]
    markers = [np.hstack([points[spot] - _MARKER, points[spot] + _MARKER]) for spot in spots]
    chosen: dict[int, np.ndarray] = {}
    # Whoever comes first takes the best place; later rounds, to and fro, let every block move again.
    for turn in range(_ROUNDS):
        for spot in range(len(spots))[:: 1 if turn % 2 else -1]:
            taken = [box[None] for other, box in chosen.items() if other != spot]
            strangers = [boxes for other, boxes in enumerate(markers) if other != spot]
            others = np.concatenate([np.empty((0, 4)), *taken, *strangers])
            boxes, costs = choices[spot]
            costs = costs + _crowding(boxes, others, markers[spot], inside)
            costs += 40 * _crossings(boxes, points[spots[spot][0]], others)
            chosen[spot] = boxes[costs.argmin()]
    return [Block(tuple(spot), chosen[index]) for index, spot in enumerate(spots)]


def _spots(points: np.ndarray) -> list[list[int]]:
    """Indices of the points, those that cover each other together."""
    spots: list[list[int]] = []
    for i, point in enumerate(points):
        near = next((spot for spot in spots if math.dist(point, points[spot[0]]) < _COVERED), None)
        if near is None:
            spots.append([i])
        else:
            near.append(i)
    return spots


def _candidates(point: np.ndarray, size: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """(boxes, 4) places for a block around its point, and what each costs by itself."""
    half = np.array(size) / 2
    distances = np.repeat(_DISTANCES, len(_ANGLES))
    angles = np.tile(_ANGLES, len(_DISTANCES))
    ranks = np.tile(range(len(_ANGLES)), len(_DISTANCES))
    centres = point + np.stack([np.cos(angles), np.sin(angles)], 1) * (distances[:, None] + half)
    return np.hstack([centres - half, centres + half]), distances + 0.3 * ranks


def _overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Area that each box shares with all the others together."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0, None).prod(-1).sum(-1)


def _crowding(boxes: np.ndarray, others: np.ndarray, own: np.ndarray, inside: np.ndarray) -> np.ndarray:
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    hidden = area - _overlap(boxes, inside[None])
    return 1000 * hidden + 100 * _overlap(boxes, np.concatenate([others, own]))


def _crossings(boxes: np.ndarray, point: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How much the line from the point to each box runs over other things."""
    ends = np.clip(point, boxes[:, :2], boxes[:, 2:])
    steps = np.linspace(0, 1, 13)[1:, None, None, None]
    line = point + steps * (ends - point)[:, None]
    return ((line > others[:, :2]) & (line < others[:, 2:])).all(-1).sum((0, 2))
