"""Matrices of low rank: a truncated singular value decomposition, in float64."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from keras_kd.compression.low_rank.ranks import Amount, reaches, relative_error

# Of the mean variance of the inputs: what a layer answers to inputs that the data lacks is kept, if cheap.
_FLOOR = 1e-4

# All eigenvectors at once take less time than more than one in so many of them.
_FEW = 4


class Metric(NamedTuple):
    """What makes the error of a kernel that of its outputs: a square root of its inputs' second moment.

    Attributes:
        root: Multiplies a kernel's inputs.
        inverse: Undoes it.
    """

    root: np.ndarray
    inverse: np.ndarray


def metric_of(moment: np.ndarray) -> Metric:
    """The metric for inputs of the second moment `E[x x^T]`, one matrix or a stack of them."""
    values, vectors = np.linalg.eigh(moment)
    # Only ratios count, and kernels of float32 hold no factor as small as inputs may be.
    values = np.maximum(values, 0) / (values.mean() if values.mean() > 0 else 1.0)
    means = values.mean(-1, keepdims=True)
    # Inputs that are all zero say nothing: the kernel alone counts then.
    scales = np.sqrt(np.where(means > 0, values + _FLOOR * means, 1.0))[..., None, :]
    transposed = np.swapaxes(vectors, -1, -2)
    return Metric((vectors * scales) @ transposed, (vectors / scales) @ transposed)


class Product(NamedTuple):
    """Two matrices whose product approximates one.

    Attributes:
        left: Of the shape (..., inputs, rank).
        right: Of the shape (..., rank, outputs).
        error: The norm of what is left out, relative to that of the matrix.
    """

    left: np.ndarray
    right: np.ndarray
    error: float

    @property
    def rank(self) -> int:
        """The inner size of the product."""
        return int(self.left.shape[-1])


class Spectrum:
    """The singular values of a matrix, or of a stack of matrices that are cut at the same rank.

    Args:
        matrix: Of the shape (..., inputs, outputs).
        most: The largest rank that is of interest; by default the full one. A few singular values take much
            less time than all.
    """

    def __init__(self, matrix: np.ndarray, most: int | None = None) -> None:
        # The eigenvectors of the smaller Gram matrix: an order faster than the decomposition itself for a
        # kernel of thousands of inputs, and precise enough for one that is stored in float32.
        self._turned = matrix.shape[-1] > matrix.shape[-2]
        tall = np.swapaxes(matrix, -1, -2) if self._turned else matrix
        self._axes = leading_axes(np.swapaxes(tall, -1, -2), most)
        self._projected = tall @ self._axes
        rows = self._projected.reshape(-1, self._axes.shape[-1])
        self.kept = np.cumsum(np.einsum("ij,ij->j", rows, rows))
        self.total = float(np.vdot(matrix, matrix))
        self._full = min(matrix.shape[-2:])

    def rank_for(self, amount: Amount) -> int:
        """The rank that keeps the amount."""
        if amount.energy is None:
            return amount.of(self._full)
        return self.rank_keeping(amount.energy * self.total) or self._full

    def rank_keeping(self, wanted: float) -> int | None:
        """The least rank that keeps a sum of squared singular values; `None` if none of interest does."""
        enough = reaches(self.kept, wanted, self.total)
        return int(enough.argmax()) + 1 if enough.any() else None

    def error(self, rank: int) -> float:
        """The relative error at a rank."""
        return relative_error(float(self.kept[rank - 1]), self.total)

    def product(self, rank: int) -> Product:
        """The best product of a rank; the factors have the same scale, so that both learn as fast."""
        left, right = self._projected[..., :rank], np.swapaxes(self._axes[..., :rank], -1, -2)
        scale = np.sqrt(np.linalg.norm(left, axis=-2))
        scale = np.where(scale > 1e-6 * max(float(scale.max()), np.finfo("float64").tiny), scale, 1.0)
        left, right = left / scale[..., None, :], right * scale[..., :, None]
        if self._turned:
            left, right = np.swapaxes(right, -1, -2), np.swapaxes(left, -1, -2)
        return Product(left, right, self.error(rank))


def leading_axes(rows: np.ndarray, most: int | None = None) -> np.ndarray:
    """An orthonormal basis of the columns of matrices (..., n, m), the largest singular value first.

    Args:
        rows: The matrices.
        most: How many vectors are needed at most; by default all.
    """
    gram = rows @ np.swapaxes(rows, -1, -2)
    size = gram.shape[-1]
    part = None if most is None or most * _FEW > size else (size - most, size - 1)
    for one in gram.reshape(-1, size, size):
        # Symmetric, so that it may be read by columns; overwritten, because a large one takes much memory.
        vectors = linalg.eigh(one.T, subset_by_index=part, overwrite_a=True)[1]
        one[:, :most] = vectors[:, ::-1][:, :most]
    return gram[..., :most]


def approximate(matrix: np.ndarray, amount: Amount, metric: Metric | None = None) -> Product:
    """The best product of low rank for a matrix, or a stack of them.

    Args:
        matrix: Of the shape (..., inputs, outputs).
        amount: How much is kept.
        metric: Of the inputs. The error is then that of the outputs.
    """
    most = None if amount.energy is not None else amount.of(min(matrix.shape[-2:]))
    spectrum = Spectrum(matrix if metric is None else metric.root @ matrix, most)
    del matrix  # what follows needs as much memory again
    product = spectrum.product(spectrum.rank_for(amount))
    return product if metric is None else product._replace(left=metric.inverse @ product.left)
