"""Does the output of a file agree with that of Keras?"""

from __future__ import annotations

import numpy as np

from keras_kd.deployment.quantizations import ErrorBound
from keras_kd.finite import nonfinite

# A file with the same output for every sample is broken if Keras's outputs differ by more than this fraction
# of the largest one.
_VARIES = 0.1


def disagreement(
    expected: dict[str, np.ndarray], actual: dict[str, np.ndarray], bound: ErrorBound
) -> tuple[float, str | None]:
    """Compare the outputs of a file with Keras's.

    Args:
        expected: Keras's outputs by name, `(samples, ...)`.
        actual: the file's outputs by name.
        bound: how far apart they may be.

    Returns:
        The largest |error|, and a description of what is wrong, or `None` if the file is good.
    """
    worst = 0.0
    for name, wanted in expected.items():
        if name not in actual or actual[name].shape != wanted.shape:
            received = actual[name].shape if name in actual else f"only {sorted(actual)}"
            return worst, f"output {name!r} should have shape {wanted.shape}; the file gives {received}"
        error, fault = _compare(name, wanted, actual[name], bound)
        worst = max(worst, error)
        if fault:
            return worst, fault
    return worst, None


def _compare(
    name: str, wanted: np.ndarray, received: np.ndarray, bound: ErrorBound
) -> tuple[float, str | None]:
    if wanted.size == 0:
        return 0.0, None
    is_float = np.issubdtype(received.dtype, np.floating)
    wanted, received = wanted.astype("float64"), received.astype("float64")
    if nonfinite(received).any():
        return np.inf, f"output {name!r} of the file holds NaN or infinity and Keras's does not"
    error = float(np.abs(received - wanted).max())
    if not is_float:
        # Integers (such as an argmax) may flip where two candidates are close.
        equal = float((wanted == received).mean())
        if equal < bound.equal_integers:
            return error, f"only {equal:.0%} of the integers of output {name!r} equal Keras's"
        return error, None
    return error, _fault(name, wanted, received, error, bound)


def _fault(
    name: str, wanted: np.ndarray, received: np.ndarray, error: float, bound: ErrorBound
) -> str | None:
    largest = float(np.abs(wanted).max())
    allowed = bound.fraction * largest + bound.floor
    if error > allowed:
        return (
            f"output {name!r} is off by {error:.3g}, more than the {allowed:.3g} allowed "
            f"({bound.fraction:g} of the largest output, {largest:.3g}, plus {bound.floor:g})"
        )
    is_constant = len(wanted) > 1 and np.ptp(received, axis=0).max() == 0
    if is_constant and np.ptp(wanted, axis=0).max() > _VARIES * largest:
        return f"output {name!r} of the file is the same for every sample and Keras's is not"
    return None
