"""What tfmot's pruning can do with a kernel; tfmot itself notices in the middle of a graph, or never."""

from typing import Any

from keras_kd.legacy import KerasLayer
from keras_kd.messages import did_you_mean


def check_pattern(block_size: object, block_pooling_type: object, sparsity_m_by_n: object) -> None:
    """Raise a `ValueError` for arguments of `prune_low_magnitude` that fit no kernel."""
    pair = _integer_pair(block_size)
    if pair is None or min(pair) < 1:
        raise ValueError(
            "`block_size` must be a height and a width, two integers of at least 1, such as (1, 4). "
            f"Received: {block_size!r}."
        )
    if block_pooling_type not in ("AVG", "MAX"):
        hint = did_you_mean(str(block_pooling_type).upper(), ["AVG", "MAX"])
        raise ValueError(
            f"`block_pooling_type` must be 'AVG' or 'MAX'. Received: {block_pooling_type!r}.{hint}"
        )
    if sparsity_m_by_n is None:
        return
    zeros = _integer_pair(sparsity_m_by_n)
    if zeros is None or not 0 < zeros[0] < zeros[1]:
        raise ValueError(
            "`sparsity_m_by_n` must be two integers (m, n) with 0 < m < n, such as (2, 4) for two zeros in "
            f"every four weights. Received: {sparsity_m_by_n!r}."
        )
    if pair != (1, 1):
        raise ValueError(
            f"tfmot prunes either in blocks or m by n. Received: block_size={block_size!r} and "
            f"sparsity_m_by_n={sparsity_m_by_n!r}. Leave one of them out."
        )


def _integer_pair(value: object) -> tuple[int, int] | None:
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(type(n) is int for n in value):
        return value[0], value[1]
    return None


def find_misfit(
    layer: KerasLayer, block_size: tuple[int, int], sparsity_m_by_n: tuple[int, int] | None
) -> str | None:
    """Why tfmot cannot prune a layer, which it otherwise supports, in this pattern; or `None`."""
    if tuple(block_size) == (1, 1) and sparsity_m_by_n is None:
        return None
    for weight in _prunable_weights(layer):
        shape = tuple(weight.shape)
        if sparsity_m_by_n is None:
            misfit = _misfit_of_blocks(shape, *block_size)
        else:
            misfit = _misfit_of_groups(shape, *sparsity_m_by_n)
        if misfit:
            return misfit
    return None


def _misfit_of_blocks(shape: tuple[int, ...], height: int, width: int) -> str | None:
    if len(shape) != 2:
        return f"blocks need matrices, and it has {shape}"
    # tfmot pads the last blocks, and drops axes of size 1 from the pooled ones.
    if min(-(-shape[0] // height), -(-shape[1] // width)) < 2:
        return f"it needs two blocks in height and in width, and it has {shape}"
    return None


def _misfit_of_groups(shape: tuple[int, ...], zeros: int, size: int) -> str | None:
    if len(shape) not in (2, 4):
        return f"m by n needs kernels of 2 or 4 axes, and it has {shape}"
    inputs = shape[-2]
    # tfmot pads with zeros, which it counts. Kernels with so few inputs that all are kept are left alone.
    if inputs % size and inputs > size - zeros:
        return f"its {inputs} inputs are not a multiple of {size}"
    return None


def _prunable_weights(layer: KerasLayer) -> list[Any]:
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import PruneRegistry

    if hasattr(layer, "get_prunable_weights"):
        return layer.get_prunable_weights()
    try:
        return PruneRegistry.make_prunable(layer).get_prunable_weights()
    finally:
        del layer.get_prunable_weights  # which make_prunable has added to the user's layer
