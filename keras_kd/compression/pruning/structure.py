"""Patterns in the zeros of a matrix: n:m groups and blocks."""

import itertools

import numpy as np

_GROUPS = 2, 4, 8, 16
_SIDES = 16, 8, 4, 2, 1
# At least this fraction of the weights that n:m allows is nonzero; otherwise something else made the zeros.
_MOSTLY_FILLED = 0.95


def find_structure(kept: np.ndarray, run: int) -> tuple[str, ...]:
    """The n:m and block patterns that the zeros of a matrix follow.

    Args:
        kept: Where the matrix is nonzero, `(inputs, outputs)`.
        run: How many consecutive inputs belong together; neither groups nor blocks extend beyond.
    """
    if kept.all() or not kept.any():
        return ()
    groups: list[tuple[int, int]] = []
    for size in (size for size in _GROUPS if run % size == 0):
        most = int(kept.T.reshape(-1, size).sum(1).max())
        follows = any(size % m == 0 and n * size <= most * m for n, m in groups)
        if most < size and kept.mean() >= _MOSTLY_FILLED * most / size and not follows:
            groups.append((most, size))
    found = [f"{n}:{m}" for n, m in groups]
    sides = sorted(itertools.product(_SIDES, _SIDES), key=lambda side: -side[0] * side[1])
    for rows, columns in sides[:-1]:
        if run % rows == 0 and kept.shape[1] % columns == 0:
            blocks = kept.reshape(kept.shape[0] // rows, rows, -1, columns).sum((1, 3))
            if np.isin(blocks, (0, rows * columns)).all():
                return (*found, f"{rows}x{columns}")
    return tuple(found)
