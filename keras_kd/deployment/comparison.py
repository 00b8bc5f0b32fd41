"""Is the output of a file what Keras says?"""

from __future__ import annotations

import numpy as np

# Largest |error| that passes, as a share of the largest |output| of Keras, and a floor for outputs near 0.
# Measured: float32 files stay below 1e-5, float16 ones near 1e-3. Integer files lose what their training and
# calibration let them lose, and that is reported; an error as large as the outputs themselves is garbage.
BOUNDS = {
    None: (1e-3, 1e-6),
    "float16": (5e-2, 1e-4),
    "dynamic": (1.0, 1e-3),
    "int8": (1.0, 1e-3),
    "int16x8": (1.0, 1e-3),
}
# A file whose output never moves is broken if Keras's output moves by more than this share of its size.
_MOVES = 0.1


def disagreement(
    expected: dict[str, np.ndarray], actual: dict[str, np.ndarray], quantization: str | None
) -> tuple[float, str | None]:
    """Compare the outputs of a file with Keras's.

    Args:
        expected: Keras's outputs by name, `(samples, ...)`.
        actual: the file's outputs by name.
        quantization: as in `export`; sets the bound.

    Returns:
        The largest |error|, and what is wrong in words, or `None` where the file is good.
    """
    worst = 0.0
    for name, wanted in expected.items():
        if name not in actual or actual[name].shape != wanted.shape:
            found = actual[name].shape if name in actual else f"only {sorted(actual)}"
            return worst, f"output {name!r} should have shape {wanted.shape}; the file gives {found}"
        error, fault = _compare(name, wanted, actual[name], quantization)
        worst = max(worst, error)
        if fault:
            return worst, fault
    return worst, None


def _compare(
    name: str, wanted: np.ndarray, found: np.ndarray, quantization: str | None
) -> tuple[float, str | None]:
    if wanted.size == 0:
        return 0.0, None
    is_float = np.issubdtype(found.dtype, np.floating)
    wanted, found = wanted.astype("float64"), found.astype("float64")
    if not np.isfinite(found).all():
        return np.inf, f"output {name!r} of the file holds NaN or infinity and Keras's does not"
    error = float(np.abs(found - wanted).max())
    if not is_float:
        # Whole numbers (an argmax, say) may flip where two candidates are close.
        equal = float((wanted == found).mean())
        if quantization is None and equal < 0.9:
            return error, f"only {equal:.0%} of the whole numbers of output {name!r} equal Keras's"
        return error, None
    size = float(np.abs(wanted).max())
    share, floor = BOUNDS[quantization]
    if error > share * size + floor:
        return error, (
            f"output {name!r} is off by {error:.3g}, more than the {share * size + floor:.3g} allowed "
            f"({share:g} of the largest output, {size:.3g}, plus {floor:g})"
        )
    if len(wanted) > 1 and np.ptp(found, axis=0).max() == 0 and np.ptp(wanted, axis=0).max() > _MOVES * size:
        return error, f"output {name!r} of the file is the same for every sample and Keras's is not"
    return error, None
