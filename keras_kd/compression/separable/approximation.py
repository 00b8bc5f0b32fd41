"""The separable kernel closest to a given one.

A separable convolution filters each input channel by itself and then mixes the channels, so that its kernel
is `sum over r of depthwise[:, i, r] * pointwise[i, r, :]` for the input channel `i`: a matrix of rank
`multiplier`, window by outputs. No two input channels share a factor. So the squared error is a sum over
input channels of terms without anything in common, and each is least for the truncated singular value
decomposition (Eckart and Young 1936). That is the optimum of the whole, and not an iteration towards one.
"""

from typing import NamedTuple

import numpy as np


class Separable(NamedTuple):
    """The kernels of a depthwise and a pointwise convolution, and what they miss.

    Attributes:
        depthwise: `(*window, inputs, multiplier)`.
        pointwise: `(inputs * multiplier / groups, outputs)`.
        error: The norm of the difference to the given kernel, relative to its norm.
    """

    depthwise: np.ndarray
    pointwise: np.ndarray
    error: float


def separated(kernel: np.ndarray, multiplier: int = 1, groups: int = 1) -> Separable:
    """The separable kernel closest to a kernel, in the sum of squares.

    Args:
        kernel: `(*window, inputs, outputs)`.
        multiplier: How many filters each input channel gets; as many as the window has places are exact.
        groups: In how many groups of channels the pointwise kernel mixes: what leads from one group to
            another is lost.

    Examples:
        >>> kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 4))
        >>> separated(kernel, multiplier=4).error < 1e-12
        True
    """
    *window, inputs, outputs = kernel.shape
    size = int(np.prod(window))
    matrices = kernel.astype("float64").reshape(size, inputs, outputs).transpose(1, 0, 2)
    # The outputs that each input leads to: those of its own group.
    blocks = matrices.reshape(groups, inputs // groups, size, groups, outputs // groups)
    own = blocks[np.arange(groups), :, :, np.arange(groups)].reshape(inputs, size, outputs // groups)
    left, values, right = np.linalg.svd(own, full_matrices=False)
    rank = min(multiplier, values.shape[1])
    root = np.sqrt(values[:, :rank])  # half to each factor, so that both train alike
    depthwise, pointwise = np.zeros((inputs, size, multiplier)), np.zeros((inputs, multiplier, own.shape[2]))
    depthwise[:, :, :rank] = left[:, :, :rank] * root[:, None]
    pointwise[:, :rank] = right[:, :rank] * root[:, :, None]
    total = float((matrices**2).sum())
    across = 0.0 if groups == 1 else total - float((own**2).sum())
    lost = float((values[:, rank:] ** 2).sum()) + across
    return Separable(
        depthwise.transpose(1, 0, 2).reshape(*window, inputs, multiplier),
        pointwise.reshape(groups, -1, outputs // groups).transpose(1, 0, 2).reshape(-1, outputs),
        float(np.sqrt(lost / total)) if total else 0.0,
    )
