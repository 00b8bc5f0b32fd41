"""Whether a file can have been made from a model: the same inputs and the same outputs."""

from __future__ import annotations

import numpy as np

from keras_kd.deployment.interface import paired
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.tensor_details import TensorDetails


def check_same_inputs(served: Serving, lite: LiteModel) -> dict[str, str]:
    """Find the inputs of a model in its file: by name, or in order where the names differ.

    Returns:
        The file's name of each input of the model.

    Raises:
        ValueError: if the file takes other inputs than the model.
    """
    theirs = {tensor.name: tensor for tensor in lite.inputs}
    names = list(paired([tensor.name for tensor in served.inputs], list(theirs), "input").values())
    others = [theirs[name] for name in names] if set(names) == theirs.keys() else list(lite.inputs)
    pairs = list(zip(served.inputs, others, strict=False))
    if len(served.inputs) != len(others) or not all(_may_be_same(*pair) for pair in pairs):
        raise ValueError(
            f"{str(lite.path)!r} is not a file of {served.model.name!r}: the model takes "
            f"{_listed(served.inputs)}, and the file takes {_listed(lite.inputs)}."
        )
    return {tensor.name: other.name for tensor, other in pairs}


def _may_be_same(tensor: TensorDetails, other: TensorDetails) -> bool:
    sizes = zip(tensor.shape[1:], other.shape[1:], strict=False)
    return (
        len(tensor.shape) == len(other.shape)
        and tensor.value_dtype.startswith("float") == other.value_dtype.startswith("float")
        and all(size is None or theirs is None or size == theirs for size, theirs in sizes)
    )


def _listed(tensors: tuple[TensorDetails, ...]) -> str:
    return ", ".join(f"{tensor.name} {tuple(tensor.shape[1:])} {tensor.value_dtype}" for tensor in tensors)


def check_same_outputs(
    wanted: dict[str, np.ndarray], received: dict[str, np.ndarray], served: Serving, lite: LiteModel
) -> None:
    """Raise a `ValueError` if the file gives other outputs than the model for the same samples."""
    expected = {name: array.shape[1:] for name, array in wanted.items()}
    shapes = {name: array.shape[1:] for name, array in received.items()}
    if shapes != expected:
        raise ValueError(
            f"{str(lite.path)!r} is not a file of {served.model.name!r}: the outputs of the model are "
            f"{expected}, and those of the file {shapes}."
        )
