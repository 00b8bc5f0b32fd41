"""Which kernels of a model are pruned, given a user's choice of layers."""

from collections.abc import Sequence

import keras

from keras_kd.compression.pruning.kernels import Kernel, kernels_of
from keras_kd.compression.selection import Selection, matches


def select_kernels(
    model: keras.Model, selection: Selection[float], structured: bool = False
) -> list[tuple[Kernel, float | None]]:
    """The kernels that a choice of layers selects, each with the sparsity given for it, if any.

    Embeddings are selected only if one of them is named, not by a glob. Frozen kernels are left out.

    Args:
        model: A built model.
        selection: What the user chose.
        structured: Whether only kernels whose inputs are summed over can be selected.

    Raises:
        ValueError: A name without a kernel, nothing left to prune, or frozen layers selected by name.
    """
    kernels = kernels_of(model)
    selection.check_names(model, kernels, "kernel that can be pruned")
    trainable = {id(variable) for variable in model.trainable_variables}
    for name in selection.layers or ():
        _check_prunable(name, [k for k in kernels if matches(name, k)], trainable, structured)
    free = [kernel for kernel in kernels if id(kernel.variable) in trainable]
    selected = [kernel for kernel in free if _is_selected(kernel, selection, structured)]
    if not selected:
        frozen = bool(kernels) and not free
        why = "all of them are frozen" if frozen else f"it has {len(kernels)}, and `layers`/`skip` leave none"
        raise ValueError(
            f"There is nothing to prune in {model.name!r}: of kernels that can be pruned, "
            f"{why if kernels else 'it has none'}."
        )
    return [(kernel, selection.value_for(kernel)) for kernel in selected]


def _check_prunable(name: str, kernels: Sequence[Kernel], trainable: set[int], structured: bool) -> None:
    if not any(id(kernel.variable) in trainable for kernel in kernels):
        raise ValueError(f"{name!r} is frozen (trainable=False), so it cannot be pruned. Leave it out.")
    if structured and all(kernel.inputs is None for kernel in kernels):
        raise ValueError(
            f"{kernels[0].path!r} is depthwise: each of its inputs has weights of its own, so there are no "
            "groups or blocks of them. Prune it with pattern='unstructured', or leave it out."
        )


def _is_selected(kernel: Kernel, selection: Selection[float], structured: bool) -> bool:
    if kernel.name == "embeddings":
        names = kernel.path, kernel.layer, kernel.layer.split("/")[-1]
        named = any(pattern in names for pattern in selection.patterns_for(kernel))
        return named and not selection.skips(kernel)
    return selection.includes(kernel) and not (structured and kernel.inputs is None)
