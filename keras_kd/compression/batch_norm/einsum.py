"""Scales and shifts of channels in the kernel and bias of an EinsumDense."""

import keras
import numpy as np

from keras_kd.compression.batch_norm.affine import Affine, value_of


def why_not_after(layer: keras.layers.EinsumDense) -> str | None:
    """Why its outputs cannot be scaled by its kernel, if so."""
    _, letters, output = operands_of(layer.equation)
    if layer.equation.replace(" ", "").endswith("...") or output[-1:] not in [*letters]:
        return f"the last axis of {layer.name!r} ({layer.equation}) does not come from its kernel"
    return None


def why_not_before(layer: keras.layers.EinsumDense) -> str | None:
    """Why its inputs cannot be scaled by its kernel, if so."""
    entry, letters, output = operands_of(layer.equation)
    elided = layer.equation.replace(" ", "").endswith("...")
    sums = set(entry) <= {*letters, *output}  # else it also adds up what has no weight
    if elided or entry[-1:] not in [*letters] or not sums or not {*letters} & {*output}:
        return f"{layer.name!r} ({layer.equation}) has no weight and bias for each channel that it reads"
    return None


def axes_after(layer: keras.layers.EinsumDense) -> str:
    """The axes of its bias once a shift of each channel of its output is in it."""
    output = operands_of(layer.equation)[2]
    return _ordered(output, {*(layer.bias_axes or ""), output[-1]})


def axes_before(layer: keras.layers.EinsumDense) -> str:
    """The axes of its bias once a shift of each channel of its input is in it."""
    _, letters, output = operands_of(layer.equation)
    return _ordered(output, {*(layer.bias_axes or ""), *letters} & {*output})


def folded_after_einsum(layer: keras.layers.EinsumDense, affine: Affine) -> dict[str, np.ndarray]:
    """Its weights with a scale and a shift of its output."""
    _, letters, output = operands_of(layer.equation)
    kernel = value_of(layer.kernel) * _along(affine.scale, letters, output[-1])
    bias = 0.0 if layer.bias is None else value_of(layer.bias)  # whose axes end where those of the output do
    return {"kernel": kernel, "bias": bias * affine.scale + affine.shift}


def folded_before_einsum(layer: keras.layers.EinsumDense, affine: Affine) -> dict[str, np.ndarray]:
    """Its weights with a scale and a shift of its input."""
    entry, letters, output = operands_of(layer.equation)
    kernel = value_of(layer.kernel)
    axes = _ordered(output, {*letters} & {*output})
    through = np.einsum(f"{letters},{entry[-1]}->{axes}", kernel, affine.shift)
    ending = output[output.index(axes[0]) :]
    sizes = dict(zip(axes, through.shape, strict=True))
    shift = through.reshape([sizes.get(letter, 1) for letter in ending])
    bias = shift if layer.bias is None else value_of(layer.bias) + shift
    return {"kernel": kernel * _along(affine.scale, letters, entry[-1]), "bias": bias}


def operands_of(equation: str) -> tuple[str, str, str]:
    """The letters of input, kernel and output of an equation, without ellipsis.

    Examples:
        >>> operands_of("...x,xy->...y")
        ('x', 'xy', 'y')
    """
    operands, output = equation.replace(" ", "").replace("...", "").split("->")
    entry, kernel = operands.split(",")
    return entry, kernel, output


def _ordered(output: str, letters: set[str]) -> str:
    return "".join(letter for letter in output if letter in letters)


def _along(values: np.ndarray, letters: str, letter: str) -> np.ndarray:
    """Values of the axis of one letter, to be multiplied with an array of these letters."""
    return values.reshape([-1 if other == letter else 1 for other in letters])
