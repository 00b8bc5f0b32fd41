"""Which kernels of a model are pruned or clustered, given a user's choice of layers."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import keras

from keras_kd.compression.kernels import Kernel, kernels_of
from keras_kd.compression.selection import Selection, matches

V = TypeVar("V")


class Verb(NamedTuple):
    """What is done to kernels, for messages.

    Args:
        infinitive: Such as `"prune"`.
        past: Such as `"pruned"`.
    """

    infinitive: str
    past: str


PRUNE, CLUSTER = Verb("prune", "pruned"), Verb("cluster", "clustered")


def select_kernels(
    model: keras.Model, selection: Selection[V], structured: bool = False, verb: Verb = PRUNE
) -> list[tuple[Kernel, V | None]]:
    """The kernels that a choice of layers selects, each with the value given for it, if any.

    Embeddings are selected only if one of them is named, not by a glob. Frozen kernels are left out.

    Args:
        model: A built model.
        selection: What the user chose.
        structured: Whether only kernels whose inputs are summed over can be selected.
        verb: What is done to them.

    Raises:
        ValueError: A name without a kernel, nothing left to select, or frozen layers selected by name.
    """
    kernels = kernels_of(model)
    selection.check_names(model, kernels, f"kernel that can be {verb.past}")
    trainable = {id(variable) for variable in model.trainable_variables}
    for name in selection.layers or ():
        named = [kernel for kernel in kernels if matches(name, kernel)]
        if not any(id(kernel.variable) in trainable for kernel in named):
            raise ValueError(
                f"{name!r} is frozen (trainable=False), so it cannot be {verb.past}. Leave it out."
            )
        if structured:
            _check_structured(named)
    free = [kernel for kernel in kernels if id(kernel.variable) in trainable]
    selected = [kernel for kernel in free if _is_selected(kernel, selection, structured)]
    if not selected:
        frozen = bool(kernels) and not free
        why = "all of them are frozen" if frozen else f"it has {len(kernels)}, and `layers`/`skip` leave none"
        raise ValueError(
            f"There is nothing to {verb.infinitive} in {model.name!r}: of kernels that can be {verb.past}, "
            f"{why if kernels else 'it has none'}."
        )
    return [(kernel, selection.value_for(kernel)) for kernel in selected]


def _check_structured(kernels: Sequence[Kernel]) -> None:
    if all(kernel.inputs is None for kernel in kernels):
        raise ValueError(
            f"{kernels[0].path!r} is depthwise: each of its inputs has weights of its own, so there are no "
            "groups or blocks of them. Prune it with pattern='unstructured', or leave it out."
        )


def _is_selected(kernel: Kernel, selection: Selection[V], structured: bool) -> bool:
    if kernel.name == "embeddings":
        names = kernel.path, kernel.layer, kernel.layer.split("/")[-1]
        named = any(pattern in names for pattern in selection.patterns_for(kernel))
        return named and not selection.skips(kernel)
    return selection.includes(kernel) and not (structured and kernel.inputs is None)
