"""Patterns of zeros: which weights of a kernel are kept, given their magnitudes. All in NumPy.

A kernel is treated as a matrix `(inputs, outputs)`: inputs are summed over. A convolution kernel has a row
for each position and input channel.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from keras_kd.messages import did_you_mean

_KNOWN = ["unstructured", "2:4", "1x4"]


@dataclass(frozen=True)
class Blocks:
    """Blocks of `rows` inputs by `columns` outputs are zero together; 1x1 blocks are unstructured.

    Args:
        rows: Inputs per block.
        columns: Outputs per block.
        pooling: The magnitude of a block, the `"mean"` or `"max"` of its weights' magnitudes.
    """

    rows: int = 1
    columns: int = 1
    pooling: str = "mean"

    @property
    def structured(self) -> bool:
        """Whether the position of a weight in its matrix matters."""
        return (self.rows, self.columns) != (1, 1)

    def find_misfit(self, channels: int, outputs: int) -> str | None:
        """Why the pattern does not divide a matrix whose inputs come in runs of `channels`, or `None`."""
        for what, size, block in (("inputs", channels, self.rows), ("outputs", outputs, self.columns)):
            if size % block:
                return f"its {size} {what} are not a multiple of {block}"
        return None

    def scores(self, magnitudes: np.ndarray) -> np.ndarray:
        """One number per block, `(inputs / rows, outputs / columns)`, from magnitudes `(inputs, outputs)`."""
        if not self.structured:
            return magnitudes
        inputs, outputs = magnitudes.shape
        blocks = magnitudes.reshape(inputs // self.rows, self.rows, outputs // self.columns, self.columns)
        pooled = blocks.mean(1).mean(2) if self.pooling == "mean" else blocks.max((1, 3))
        return pooled.astype("float32")

    def expand(self, kept: np.ndarray) -> np.ndarray:
        """Which weights are kept, `(inputs, outputs)`, given which blocks are kept."""
        return kept if not self.structured else kept.repeat(self.rows, 0).repeat(self.columns, 1)


@dataclass(frozen=True)
class Groups:
    """At most `kept` of every `size` consecutive inputs of an output are nonzero ("2:4").

    Source: Mishra et al. 2021, arXiv 2104.08378; Zhou et al. 2021, arXiv 2102.04010.
    """

    kept: int
    size: int
    structured = True

    @property
    def sparsity(self) -> float:
        """The fraction of zeros."""
        return (self.size - self.kept) / self.size  # 2 / 3 is not 1 - 1 / 3

    def find_misfit(self, channels: int, outputs: int) -> str | None:
        """Why the pattern does not divide a matrix whose inputs come in runs of `channels`, or `None`."""
        return f"its {channels} inputs are not a multiple of {self.size}" if channels % self.size else None

    def mask(self, magnitudes: np.ndarray) -> np.ndarray:
        """Which weights are kept: the largest of each group; of equal ones, the first."""
        groups = magnitudes.T.reshape(-1, self.size)
        order = np.argsort(-groups, axis=1, kind="stable")[:, : self.kept]
        mask = np.zeros(groups.shape, bool)
        np.put_along_axis(mask, order, True, axis=1)
        return mask.reshape(magnitudes.T.shape).T


Pattern: TypeAlias = Blocks | Groups


def parse_pattern(pattern: object, pooling: object = "mean") -> Pattern:
    """The pattern that a string names: `"unstructured"`, `"n:m"`, or `"ROWSxCOLUMNS"`.

    Raises:
        ValueError: It names no pattern.
    """
    if pooling not in ("mean", "max"):
        hint = did_you_mean(str(pooling), ["mean", "max"])
        raise ValueError(f"`block_pooling` must be 'mean' or 'max'. Received: {pooling!r}.{hint}")
    found = re.fullmatch(r"(\d+)([:x])(\d+)", pattern) if isinstance(pattern, str) else None
    if pattern == "unstructured":
        return Blocks()
    if found is None:
        raise ValueError(
            "`pattern` must be 'unstructured', 'n:m' (such as '2:4': 2 of 4 weights are kept) or a block "
            f"'ROWSxCOLUMNS' (such as '1x4'). Received: {pattern!r}.{did_you_mean(str(pattern), _KNOWN)}"
        )
    first, second = int(found[1]), int(found[3])
    if found[2] == "x":
        if min(first, second) < 1:
            raise ValueError(f"A block has at least one row and one column. Received: pattern={pattern!r}.")
        return Blocks(first, second, str(pooling))
    if not 0 < first < second:
        raise ValueError(
            f"'n:m' keeps n of m weights, with 0 < n < m. Received: pattern={pattern!r}."
            + (f" Did you mean '{second}:{first}'?" if 0 < second < first else "")
        )
    return Groups(first, second)


def keep_largest(scores: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """Which scores are kept when a fraction is pruned, the smallest first, over all arrays together.

    Scores equal to the smallest one kept are kept too, and at least one score is kept. This is the rule of
    tensorflow-model-optimization, in float32 as there.

    Args:
        scores: Arrays of nonnegative numbers.
        sparsity: The fraction to prune, in [0, 1).
    """
    flat = np.concatenate([array.ravel() for array in scores])
    kept = max(round(float(np.float32(flat.size) * (np.float32(1) - np.float32(sparsity)))), 1)
    threshold = np.partition(flat, flat.size - kept)[flat.size - kept]
    return [~(array < threshold) for array in scores]  # NaN is kept, so that it is seen
