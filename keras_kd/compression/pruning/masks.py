"""The masks of pruned kernels: which weights are kept after a step."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from keras_kd.compression.kernels import Kernel
from keras_kd.compression.pruning.patterns import Groups, Pattern, keep_largest
from keras_kd.compression.pruning.schedules import Schedule

Masks: TypeAlias = list[np.ndarray]
Kernels: TypeAlias = Sequence[tuple[Kernel, float | None]]  # each with its own final sparsity, if it has one


def select_masks(
    kernels: Kernels, masks: Sequence[np.ndarray], pattern: Pattern, schedule: Schedule, scope: str, step: int
) -> Masks:
    """The masks for the sparsity at a step, from the current weights.

    Args:
        kernels: The kernels to prune.
        masks: The current masks. Weights that are already pruned are pruned first.
        pattern: The pattern of the zeros.
        schedule: The sparsity at `step`; an n:m pattern has its own.
        scope: `"layer"` or `"global"`: whether weights compete within their kernel or across all kernels.
        step: The step.
    """
    matrices = [
        kernel.matrix(np.where(mask, np.abs(kernel.value()), -1))
        for (kernel, _), mask in zip(kernels, masks, strict=True)
    ]
    if isinstance(pattern, Groups):
        kept = [pattern.mask(matrix) for matrix in matrices]
    else:
        scores = [pattern.scores(matrix) for matrix in matrices]
        if scope == "global":
            large = keep_largest(scores, schedule.sparsity(step))
        else:
            fractions = [schedule.sparsity(step, final) for _, final in kernels]
            large = [keep_largest([s], fraction)[0] for s, fraction in zip(scores, fractions, strict=True)]
        kept = [pattern.expand(mask) for mask in large]
    return [kernel.unmatrix(mask) for (kernel, _), mask in zip(kernels, kept, strict=True)]


def nonzeros(kernels: Kernels) -> Masks:
    """Masks that keep the zeros that are already there."""
    return [kernel.value() != 0 for kernel, _ in kernels]


def fraction_of_zeros(masks: Sequence[np.ndarray]) -> float:
    """The fraction of weights that masks set to zero, over all of them together."""
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)


def check_pattern_fits(kernels: Kernels, pattern: Pattern) -> None:
    """Raise a `ValueError` that names all kernels whose shape the pattern does not divide."""
    misfits = [(kernel, pattern.find_misfit(kernel.run, kernel.outputs)) for kernel, _ in kernels]
    problems = [f"{kernel.path!r} {tuple(kernel.variable.shape)}: {why}" for kernel, why in misfits if why]
    if problems:
        names = list(dict.fromkeys(kernel.layer for kernel, why in misfits if why))
        raise ValueError(
            f"The pattern does not divide these kernels: {'; '.join(problems)}. Leave them out: skip={names}."
        )


def check_mask_shapes(kernels: Kernels, masks: Sequence[np.ndarray]) -> None:
    """Raise a `ValueError` if restored masks do not belong to these kernels."""
    if [mask.shape for mask in masks] != [tuple(kernel.variable.shape) for kernel, _ in kernels]:
        raise ValueError(
            "The masks of the checkpoint belong to other weights. Give kd.Prune the same `layers` as in the "
            "training that was interrupted, or delete the checkpoint."
        )
