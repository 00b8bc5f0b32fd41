"""Kernels of convolutions as chains of smaller ones: Tucker-2, spatial separation.

A kernel is held as (groups, rows, columns, inputs, outputs); rows and columns may be of any number, 1 too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from keras_kd.compression.low_rank.matrices import Metric, Spectrum, leading_axes
from keras_kd.compression.low_rank.ranks import Amount, reaches, relative_error

Part: TypeAlias = Literal["in", "core", "out", "column", "row"]

# The axes of the window that a part has.
_WINDOW: Mapping[Part, tuple[str, ...]] = {
    "core": ("rows", "columns"),
    "column": ("rows",),
    "row": ("columns",),
}


class Places(NamedTuple):
    """How often the kernels of a chain are applied.

    Attributes:
        entry: A kernel on the inputs, before any stride.
        between: One that has gone along the columns of an image, and not yet along the rows.
        exit: One whose outputs are the layer's.
    """

    entry: int
    between: int
    exit: int


@dataclass(frozen=True)
class Chain:
    """Kernels applied one after the other, in place of one.

    Args:
        method: How they were found.
        ranks: The sizes between them.
        error: What is left out, relative to the kernel.
        multiply_adds: Of all of them together.
        kernels: Each with the part that it plays, in the shape of the whole.
    """

    method: str
    ranks: tuple[int, ...]
    error: float
    multiply_adds: int
    kernels: tuple[tuple[Part, np.ndarray], ...]


def weighted(kernel: np.ndarray, metrics: Mapping[str, Metric]) -> np.ndarray:
    """A kernel whose error is that of its outputs, as far as its axes vary independently of each other.

    Args:
        kernel: The kernel.
        metrics: Of its `"rows"`, `"columns"` and `"inputs"`; those that are missing do not count.
    """
    return _along(kernel, {axis: metric.root for axis, metric in metrics.items()})


def unweighted(chain: Chain, metrics: Mapping[str, Metric]) -> Chain:
    """A chain for a weighted kernel, for the kernel itself."""
    kernels: list[tuple[Part, np.ndarray]] = []
    for part, kernel in chain.kernels:
        axes = (*_WINDOW.get(part, ()), *(() if kernels else ("inputs",)))
        inverses = {axis: metrics[axis].inverse for axis in axes if axis in metrics}
        kernels.append((part, _along(kernel, inverses)))
    return replace(chain, kernels=tuple(kernels))


def _along(kernel: np.ndarray, matrices: Mapping[str, np.ndarray]) -> np.ndarray:
    """A kernel multiplied by matrices along its axes."""
    equations = {"rows": "xr,grcio->gxcio", "columns": "xc,grcio->grxio", "inputs": "gxi,grcio->grcxo"}
    for axis, matrix in matrices.items():
        kernel = np.einsum(equations[axis], matrix, kernel, optimize=True)
    return kernel


class Tucker:
    """A kernel between two changes of basis: fewer inputs, the convolution, then all outputs.

    The bases are those of the singular vectors of inputs and outputs (HOSVD), as in Kim et al. 2016,
    arXiv 1511.06530. Where one of them would have the full size, it is left out.
    """

    def __init__(self, kernel: np.ndarray, places: Places) -> None:
        groups, _, _, inputs, outputs = kernel.shape
        by_input = kernel.transpose(0, 3, 1, 2, 4).reshape(groups, inputs, -1)
        by_output = kernel.transpose(0, 4, 1, 2, 3).reshape(groups, outputs, -1)
        self._kernel, self._places = kernel, places
        self._entry, self._exit = leading_axes(by_input), leading_axes(by_output)
        self._full = min(inputs, by_input.shape[2]), min(outputs, by_output.shape[2])
        core = _along_inputs(self._entry, kernel) @ self._exit[:, None, None]
        squares = np.einsum("grcio,grcio->io", core, core)
        self._kept = squares.cumsum(axis=0).cumsum(axis=1)
        self.total = float(self._kept[-1, -1])

    def kept(self, amount: Amount) -> float:
        """The squares that an amount keeps."""
        if amount.energy is not None:
            return amount.energy * self.total
        return float(self._kept[amount.of(self._full[0]) - 1, amount.of(self._full[1]) - 1])

    def ranked(self, amount: Amount) -> Chain:
        """The chain with these ranks; for an energy, the cheapest one that keeps it."""
        if amount.energy is not None:
            return self.cheapest(amount.energy * self.total)
        return self._chain(*(amount.of(full) for full in self._full))

    def cheapest(self, wanted: float) -> Chain:
        """The chain with the fewest multiply-adds of those that keep so much."""
        costs = np.where(reaches(self._kept, wanted, self.total), self._costs(), np.inf)
        first, last = np.unravel_index(costs.argmin(), costs.shape)
        return self._chain(int(first) + 1, int(last) + 1)

    def _costs(self) -> np.ndarray:
        groups, rows, columns, inputs, outputs = self._kernel.shape
        first, last = np.arange(1.0, inputs + 1)[:, None], np.arange(1.0, outputs + 1)[None]
        window = self._places.exit * rows * columns * first * last
        before = np.where(first < inputs, self._places.entry * inputs * first, 0)
        after = np.where(last < outputs, self._places.exit * outputs * last, 0)
        return groups * (before + window + after)

    def _chain(self, first: int, last: int) -> Chain:
        kernels: list[tuple[Part, np.ndarray]] = []
        core = self._kernel
        if first < core.shape[3]:
            entry = self._entry[:, :, :first]
            kernels.append(("in", entry[:, None, None]))
            core = _along_inputs(entry, core)
        if last < core.shape[4]:
            out = self._exit[:, :, :last]
            kernels.append(("core", core @ out[:, None, None]))
            kernels.append(("out", out.transpose(0, 2, 1)[:, None, None]))
        else:
            kernels.append(("core", core))
        error = relative_error(float(self._kept[first - 1, last - 1]), self.total)
        cost = int(self._costs()[first - 1, last - 1])
        return Chain("tucker", (first, last), error, cost, tuple(kernels))


class Separation:
    """A kernel along the columns of an image, then one along its rows, as in Jaderberg et al. 2014."""

    def __init__(self, kernel: np.ndarray, places: Places) -> None:
        groups, rows, columns, inputs, outputs = kernel.shape
        self._matrix = kernel.transpose(0, 1, 3, 2, 4).reshape(groups, rows * inputs, columns * outputs)
        self._shape, self._places = kernel.shape, places

    def ranked(self, amount: Amount) -> Chain:
        """The chain of the rank that keeps an amount."""
        spectrum = Spectrum(self._matrix)
        return self._chain(spectrum, spectrum.rank_for(amount))

    def cheapest(self, wanted: float, below: int) -> Chain | None:
        """The chain of the least rank that keeps so much.

        Args:
            wanted: The squares to keep.
            below: A chain with so many multiply-adds or more is not wanted, which saves most of the time.

        Returns:
            The chain, or `None` if there is none.
        """
        groups, rows, columns, inputs, outputs = self._shape
        of_each = groups * (self._places.between * rows * inputs + self._places.exit * columns * outputs)
        most = min((below - 1) // of_each, *self._matrix.shape[1:])
        if most < 1:
            return None
        spectrum = Spectrum(self._matrix, most)
        rank = spectrum.rank_keeping(wanted)
        return None if rank is None else self._chain(spectrum, rank)

    def _chain(self, spectrum: Spectrum, rank: int) -> Chain:
        groups, rows, columns, inputs, outputs = self._shape
        product = spectrum.product(rank)
        first = product.left.reshape(groups, rows, 1, inputs, rank)
        last = product.right.reshape(groups, rank, columns, outputs).transpose(0, 2, 1, 3)[:, None]
        cost = self._places.between * first.size + self._places.exit * last.size
        return Chain("spatial", (rank,), product.error, cost, (("column", first), ("row", last)))


def chains(kernel: np.ndarray, places: Places, amount: Amount, method: str) -> Iterator[Chain]:
    """The chains that a method offers for a kernel, none of which errs more than the amount allows.

    Each is cheaper than those before it.

    Args:
        kernel: The kernel.
        places: How often it is applied.
        amount: How much is kept. A rank is that of the Tucker-2 decomposition, but for a separation that is
            asked for.
        method: `"tucker"`, `"spatial"`, or `"auto"` for both, as far as they apply.
    """
    _, rows, columns, _, _ = kernel.shape
    if method == "spatial":
        yield Separation(kernel, places).ranked(amount)
        return
    tucker = Tucker(kernel, places)
    if method == "tucker":
        yield tucker.ranked(amount)
        return
    wanted = tucker.kept(amount)
    best = tucker.cheapest(wanted)
    yield best
    if rows > 1 and columns > 1:
        separated = Separation(kernel, places).cheapest(wanted, below=best.multiply_adds)
        if separated is not None:
            yield separated


def _along_inputs(basis: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return basis.transpose(0, 2, 1)[:, None, None] @ kernel
