"""Labels of channels, and which of them are tied together."""

from typing import TypeAlias

import numpy as np

# A number for each element of a tensor, or of one axis of a weight. Elements with the same number belong to
# the same channel. Along axes of size 1 that the tensor does not have, all elements are alike.
Labels: TypeAlias = np.ndarray

NONE = 0  # what belongs to no channel: inputs, padding, constants


class Ties:
    """Which channels can only be kept or removed together, and which must be kept.

    Examples:
        >>> ties = Ties()
        >>> left, right = ties.fresh(3), ties.fresh(3)
        >>> ties.tie(left, right)
        >>> ties.keep(left[:1], "is an output")
        >>> ties.classes(right)
        array([0, 2, 3])
    """

    def __init__(self) -> None:
        self._parents = np.zeros(1, np.int64)
        self._kept: dict[int, str] = {}  # root -> why it must be kept

    def fresh(self, count: int) -> Labels:
        """Labels of new channels."""
        start = len(self._parents)
        labels = np.arange(start, start + count)
        self._parents = np.concatenate([self._parents, labels])
        return labels

    def classes(self, labels: Labels) -> Labels:
        """For each label the number of what it is tied to; `NONE` for what is kept in any case."""
        roots = self._roots(labels)
        if self._kept:
            roots = np.where(np.isin(roots, list(self._kept)), NONE, roots)
        return roots

    def tie(self, first: Labels, second: Labels, why: str = "is tied to what keeps its size") -> None:
        """Tie the elements of arrays, which broadcast; what is tied to no channel is kept."""
        pairs = np.stack([part.ravel() for part in np.broadcast_arrays(first, second)])
        for a, b in np.unique(self._roots(pairs), axis=1).T.tolist():
            self._join(self._root(a), self._root(b), why)

    def keep(self, labels: Labels, why: str, first: bool = False) -> None:
        """Say that channels must be kept, and why: the first reason counts, unless this one comes `first`."""
        for root in np.unique(self._roots(labels)).tolist():
            if root != NONE and (first or root not in self._kept):
                self._kept[root] = why

    def why_kept(self, labels: Labels) -> str | None:
        """Why the first of these channels that must be kept is."""
        return next((self._kept[root] for root in self._roots(labels).ravel() if root in self._kept), None)

    def varies(self, labels: Labels, axis: int) -> bool:
        """Whether the channels along an axis differ."""
        classes = self.classes(labels)
        return bool((classes != classes.take([0], axis)).any())

    def varying_axes(self, labels: Labels) -> list[int]:
        """The axes along which the channels differ."""
        return [axis for axis in range(labels.ndim) if labels.shape[axis] > 1 and self.varies(labels, axis)]

    def _roots(self, labels: Labels) -> Labels:
        roots = self._parents[labels]
        while (roots != self._parents[roots]).any():
            self._parents = self._parents[self._parents]  # halves every path
            roots = self._parents[roots]
        return roots

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            label = int(self._parents[label])
        return label

    def _join(self, a: int, b: int, why: str) -> None:
        low, high = min(a, b), max(a, b)
        if low == high:
            return
        if low == NONE:
            self._kept.setdefault(high, why)
            return
        self._parents[high] = low
        if high in self._kept:
            self._kept.setdefault(low, self._kept.pop(high))
