"""The arena of LiteRT's interpreter: one block of memory in which all activations find a place."""

import bisect
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

BLOCK = 64  # bytes: where tensors may begin


class Life(NamedTuple):
    """How many bytes are needed, and during which steps: both ends belong to it."""

    size: int
    first: int
    last: int


def arena_size(lives: Iterable[Life], steps: int) -> int:
    """The bytes of the arena, with the gaps that remain in it.

    What is needed throughout comes first, then the largest, and each goes into the smallest gap that holds
    it: the order of the interpreter's `ArenaPlanner`.

    Args:
        lives: What needs memory.
        steps: The number of steps; who lives so long lives throughout.

    Examples:
        >>> arena_size([Life(128, 0, 1), Life(64, 1, 2), Life(128, 2, 3)], steps=3)
        192
    """
    placed: list[tuple[int, Life]] = []  # by offset
    for life in sorted(lives, key=lambda life: (life.first > 0 or life.last < steps, -life.size, life.first)):
        bisect.insort(placed, (_offset(life, placed), life))
    return max((offset + life.size for offset, life in placed), default=0)


def _offset(life: Life, placed: list[tuple[int, Life]]) -> int:
    """The start of the smallest gap between those that live at the same time, or the end."""
    end, found, fit = 0, None, math.inf
    for offset, size in _beside(life, placed):
        start = _aligned(end)
        if start + life.size <= offset and offset - start < fit:
            found, fit = start, offset - end
        end = max(end, offset + size)
    return _aligned(end) if found is None else found


def _beside(life: Life, placed: list[tuple[int, Life]]) -> Iterator[tuple[int, int]]:
    for offset, other in placed:
        if other.last >= life.first and other.first <= life.last:
            yield offset, other.size


def _aligned(offset: int) -> int:
    return -offset // BLOCK * -BLOCK
