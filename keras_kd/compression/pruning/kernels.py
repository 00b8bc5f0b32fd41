"""Kernels: the weights of a model that can be pruned, and how they are named and chosen."""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from keras_kd.messages import did_you_mean
from keras_kd.paths import layers_by_path

_CONVOLUTIONS = layers.Conv1D, layers.Conv2D, layers.Conv3D
_TRANSPOSED = layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose
_DEPTHWISE = layers.DepthwiseConv1D, layers.DepthwiseConv2D
_SEPARABLE = layers.SeparableConv1D, layers.SeparableConv2D
_CELLS = layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell


class Kernel(NamedTuple):
    """A weight that can be pruned.

    Attributes:
        layer: The path of its layer, such as `"backbone/conv1"`.
        name: Its name there, such as `"kernel"`.
        variable: The weight.
        inputs: The axes that are summed over, or `None` where each input has weights of its own (depthwise).
        run: How many inputs follow each other without a change of position.
    """

    layer: str
    name: str
    variable: keras.Variable
    inputs: tuple[int, ...] | None
    run: int

    @property
    def path(self) -> str:
        """Such as `"backbone/conv1/kernel"`."""
        return f"{self.layer}/{self.name}"

    @property
    def outputs(self) -> int:
        """How many outputs it has."""
        shape = self.variable.shape
        return int(np.prod([size for axis, size in enumerate(shape) if axis not in (self.inputs or ())]))

    def value(self) -> np.ndarray:
        """Its value, in float32."""
        return self.variable.numpy().astype("float32")

    def matrix(self, value: np.ndarray) -> np.ndarray:
        """A value of its shape as `(inputs, outputs)`."""
        order = self._order()
        rows = int(np.prod([value.shape[axis] for axis in self.inputs or order[:-1]]))
        return value.transpose(order).reshape(rows, -1)

    def unmatrix(self, matrix: np.ndarray) -> np.ndarray:
        """The way back from `matrix`."""
        order, shape = self._order(), tuple(self.variable.shape)
        return matrix.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))

    def _order(self) -> list[int]:
        inputs = list(self.inputs or ())
        return [*inputs, *(axis for axis in range(len(self.variable.shape)) if axis not in inputs)]


def kernels_of(model: keras.Model) -> list[Kernel]:
    """Every kernel of a built model, each once; embeddings are the last.

    Raises:
        ValueError: The model has no weights yet.
    """
    if not model.built:
        raise ValueError(
            f"The model {model.name!r} is not built, so it has no weights to prune. Give it an Input, or "
            "call it once on a batch of data before `fit`."
        )
    found: dict[int, Kernel] = {}
    for path, layer in layers_by_path(model).items():
        for name, variable, inputs in _held(layer):
            shape = variable.shape
            if inputs is None:
                run = 1
            elif isinstance(layer, layers.EinsumDense):
                run = int(np.prod([shape[axis] for axis in inputs]))
            else:
                run = shape[inputs[-1]]
            found.setdefault(id(variable), Kernel(path, name, variable, inputs, run))
    return sorted(found.values(), key=lambda kernel: kernel.name == "embeddings")


def _held(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.Variable, tuple[int, ...] | None]]:
    """The kernels of a layer: name, weight, and the axes that are summed over."""
    if hasattr(layer, "get_prunable_weights"):  # as layers for tensorflow-model-optimization have
        attributes = {id(value): name for name, value in vars(layer).items() if not name.startswith("_")}
        for variable in layer.get_prunable_weights():
            name = attributes.get(id(variable), variable.name)
            yield name, variable, tuple(range(max(len(variable.shape) - 1, 1)))
        return
    if getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False):
        return  # Keras shows LoRA's sum, or what it has quantized, under the same name
    for name, inputs in _named(layer):
        variable = getattr(layer, name, None)
        if isinstance(variable, keras.Variable) and "float" in str(variable.dtype):
            yield name, variable, inputs


def _named(layer: keras.layers.Layer) -> Iterator[tuple[str, tuple[int, ...] | None]]:
    """Names of a layer's kernels, and the axes of each that are summed over."""
    if isinstance(layer, layers.EinsumDense):
        yield "kernel", _summed(layer.equation) or None
    elif isinstance(layer, _TRANSPOSED):
        rank = len(layer.kernel.shape) if layer.built else 3
        yield "kernel", (*range(rank - 2), rank - 1)
    elif isinstance(layer, _DEPTHWISE):
        yield "kernel", None
    elif isinstance(layer, _SEPARABLE):
        yield "depthwise_kernel", None
        yield "pointwise_kernel", tuple(range(layer.rank + 1))
    elif isinstance(layer, _CONVOLUTIONS):
        yield "kernel", tuple(range(layer.rank + 1))
    elif isinstance(layer, layers.Dense):
        yield "kernel", (0,)
    elif isinstance(layer, _CELLS):
        yield from (("kernel", (0,)), ("recurrent_kernel", (0,)))
    elif isinstance(layer, layers.Embedding):
        yield "embeddings", (0,)
    elif type(layer).__name__ == "ConvLSTMCell":  # which Keras does not export
        axes = tuple(range(layer.rank + 1))
        yield from (("kernel", axes), ("recurrent_kernel", axes))


def _summed(equation: str) -> tuple[int, ...]:
    """The axes of an EinsumDense's kernel that its output lacks.

    Examples:
        >>> _summed("abc,cde->abde")
        (0,)
        >>> _summed("...cd,cde->...e")
        (0, 1)
    """
    operands, output = equation.replace(" ", "").split("->")
    kernel = operands.split(",")[1]
    return tuple(axis for axis, letter in enumerate(kernel) if letter not in output)


def chosen(
    model: keras.Model,
    layers: Sequence[str] | Mapping[str, float] | None,
    skip: Sequence[str],
    structured: bool = False,
    others: float | None = None,
) -> list[tuple[Kernel, float | None]]:
    """The kernels that a user's choice of layers names, with the sparsity given for each, if one is.

    Args:
        model: A built model.
        layers: Names, paths or globs; with a sparsity each if it is a mapping, where the last match counts.
            `None`: all but embeddings.
        skip: Names, paths or globs of layers to leave alone.
        structured: Whether only kernels with inputs to sum over can be taken.
        others: The sparsity of kernels that no key of a mapping names; without it they are left alone.

    Raises:
        ValueError: A name that is no layer with a kernel, nothing left to prune, frozen layers by name.
    """
    kernels = kernels_of(model)
    for name in [*(layers or ()), *(name for name in skip if not any(c in name for c in "*?["))]:
        _check_known(model, name, kernels)
    trainable = {id(variable) for variable in model.trainable_variables}
    for name in layers or ():
        _check_asked_for(name, [k for k in kernels if _matches(name, k)], trainable, structured)
    found = []
    for kernel in kernels:
        matching = [name for name in (layers or ()) if _matches(name, kernel)]
        if not _asked_for(kernel, matching, layers is None or others is not None, structured):
            continue
        if any(_matches(name, kernel) for name in skip) or id(kernel.variable) not in trainable:
            continue
        given = layers[matching[-1]] if matching and isinstance(layers, Mapping) else others
        found.append((kernel, given))
    if not found:
        frozen = bool(kernels) and not any(id(kernel.variable) in trainable for kernel in kernels)
        why = "all of them are frozen" if frozen else f"it has {len(kernels)}, and `layers`/`skip` leave none"
        raise ValueError(
            f"There is nothing to prune in {model.name!r}: of kernels that can be pruned, "
            f"{why if kernels else 'it has none'}."
        )
    return found


def _check_asked_for(name: str, kernels: Sequence[Kernel], trainable: set[int], structured: bool) -> None:
    if not any(id(kernel.variable) in trainable for kernel in kernels):
        raise ValueError(f"{name!r} is frozen (trainable=False), and stays what it is. Leave it out.")
    if structured and all(kernel.inputs is None for kernel in kernels):
        raise ValueError(
            f"{kernels[0].path!r} is depthwise: each of its inputs has weights of its own, so there are no "
            "groups or blocks of them. Prune it with pattern='unstructured', or leave it out."
        )


def _asked_for(kernel: Kernel, matching: Sequence[str], all_of_them: bool, structured: bool) -> bool:
    if kernel.name == "embeddings":
        return any(name in (kernel.path, kernel.layer, kernel.layer.split("/")[-1]) for name in matching)
    if structured and kernel.inputs is None:
        return False
    return all_of_them or bool(matching)


def _matches(name: str, kernel: Kernel) -> bool:
    """Whether a name, path or glob means a kernel, its layer, or something that this layer is in."""
    return any(fnmatch.fnmatchcase(alias, name) for alias in [kernel.path, *_aliases(kernel.layer)])


def _aliases(layer: str) -> list[str]:
    parts = layer.split("/")
    return [*("/".join(parts[:end]) for end in range(1, len(parts) + 1)), *parts]


def _check_known(model: keras.Model, name: str, kernels: Sequence[Kernel]) -> None:
    if any(_matches(name, kernel) for kernel in kernels):
        return
    paths = layers_by_path(model)
    there = [layer for path, layer in paths.items() if name in _aliases(path)]
    shared = [k.path for k in kernels if any(paths[k.layer] is layer for layer in there)]
    if shared:
        raise ValueError(f"{name!r} is shared, and has one name: {', '.join(map(repr, shared))}.")
    if there:
        raise ValueError(f"{name!r} has no kernel that can be pruned. Leave it out.")
    owners = list(dict.fromkeys(kernel.layer for kernel in kernels))
    aliases = dict.fromkeys(alias for owner in owners for alias in _aliases(owner))
    hint = did_you_mean(name, aliases, 3) or f" Layers with kernels: {', '.join(map(repr, owners[:8]))}."
    raise ValueError(f"{model.name!r} has no layer {name!r}.{hint}")
