"""How many threads NumPy and SciPy use for linear algebra."""

import functools
from contextlib import AbstractContextManager

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[object]:
    """Linear algebra on one thread, as long as this lasts.

    Decompositions of kernels are small. Several threads gain little there, and each waits for the others
    without letting go of its core: where another process wants the cores too, that takes ten times as long.
    """
    return _libraries().limit(limits=1, user_api="blas")


@functools.cache
def _libraries() -> ThreadpoolController:
    """Those that are loaded: looking for them takes longer than a small decomposition."""
    return ThreadpoolController()
