"""Convolutions: thinner ones, called one after the other."""

import math

import keras
import numpy as np
from keras import layers

from keras_kd.compression.low_rank.kernels import Chain, Part, Places, chains, unweighted, weighted
from keras_kd.compression.low_rank.matrices import Metric, approximate, metric_of
from keras_kd.compression.low_rank.moments import Measure, Moments, Neighbors
from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.sites import Site
from keras_kd.compression.low_rank.thin_layers import Factors, Step, thin_layer, value_of
from keras_kd.tensors import Shape


class ConvolutionKernel:
    """The kernel of a convolution, which becomes two or three.

    Args:
        site: The layer.
    """

    def __init__(self, site: Site) -> None:
        self._site, self._layer, self._places = site, site.inner, places_of(site)

    def reason(self, method: str) -> str:
        """Why a method cannot factorize it; empty if it can."""
        size = self._layer.kernel_size
        is_separable = isinstance(self._layer, layers.Conv2D) and min(size) > 1
        if method == "spatial" and math.prod(size) > 1 and not is_separable:
            return "only a window of several rows and columns can be separated"
        return ""

    def readings(self) -> dict[str, Measure]:
        """The tensors whose moments weigh the error."""
        layer, rank = self._layer, len(self._layer.kernel_size)
        is_last = layer.data_format == "channels_last"
        inputs = self._site.reading((-1 if is_last else -1 - rank,))
        found: dict[str, Measure] = {"inputs": inputs}
        for i, name in enumerate(("rows", "columns")[-rank:]) if rank <= 2 else ():
            axis = i - rank - (1 if is_last else 0)
            found[name] = Neighbors(inputs.slots, axis, layer.kernel_size[i], layer.dilation_rate[i])
        return found

    def factorize(self, amount: Amount, moments: Moments, method: str) -> Factors:
        """What replaces the layer: the cheapest chain of convolutions."""
        metrics = {name: metric_of(moment) for name, moment in moments.items() if name != "inputs"}
        if moments:
            metrics["inputs"] = metric_of(_blocks(moments["inputs"][:-1, :-1], self._layer.groups))
        kernel = grouped_kernel(self._layer)
        if math.prod(self._layer.kernel_size) == 1:
            best = _pointwise(kernel, self._places, amount, metrics.get("inputs"))
        else:
            *_, cheapest = chains(weighted(kernel, metrics), self._places, amount, method)
            best = unweighted(cheapest, metrics)
        last = len(best.kernels) - 1
        steps = tuple(
            _step(self._layer, part, value, is_last=i == last) for i, (part, value) in enumerate(best.kernels)
        )
        return Factors(best.method, best.ranks, best.error, best.multiply_adds, steps)


def grouped_kernel(layer: keras.layers.Layer, kernel: np.ndarray | None = None) -> np.ndarray:
    """The kernel of a layer, or of one in its place, as (groups, rows, columns, inputs, outputs).

    Only an image has rows.
    """
    kernel = value_of(layer.kernel) if kernel is None else kernel
    *window, inputs, outputs = kernel.shape
    rows = window[0] if isinstance(layer, layers.Conv2D) else 1
    kernel = kernel.reshape(rows, -1, inputs, layer.groups, outputs // layer.groups)
    return kernel.transpose(3, 0, 1, 2, 4)


def _blocks(moment: np.ndarray, groups: int) -> np.ndarray:
    """The second moments within each group of channels."""
    size = len(moment) // groups
    return np.stack([moment[i : i + size, i : i + size] for i in range(0, len(moment), size)])


def _pointwise(kernel: np.ndarray, places: Places, amount: Amount, metric: Metric | None) -> Chain:
    product = approximate(kernel[:, 0, 0], amount, metric)
    left, right = product.left[:, None, None], product.right[:, None, None]
    cost = places.exit * (left.size + right.size)  # the first one has the strides
    return Chain("svd", (product.rank,), product.error, cost, (("in", left), ("out", right)))


def _step(layer: keras.layers.Layer, part: Part, kernel: np.ndarray, *, is_last: bool) -> Step:
    groups, rows, columns, inputs, filters = kernel.shape
    window = kernel.transpose(1, 2, 3, 0, 4).reshape(rows * columns, inputs, groups * filters)
    size = _size(layer, part)
    strides, dilation = _along(layer.strides, part, layer), _along(layer.dilation_rate, part, layer)
    return thin_layer(
        layer,
        window.reshape(*size, inputs, groups * filters),
        "" if is_last else "_in" if part in ("in", "column") else "_core",
        **{"filters": groups * filters, "kernel_size": size},
        **{"strides": strides, "dilation_rate": dilation},
    )


def _size(layer: keras.layers.Layer, part: Part) -> tuple[int, ...]:
    return _along(tuple(layer.kernel_size), part, layer)


def _along(values: tuple[int, ...], part: Part, layer: keras.layers.Layer) -> tuple[int, ...]:
    """The sizes of a window that a part of a chain has, or its strides or dilation: the others are 1."""
    is_pointwise = math.prod(layer.kernel_size) == 1
    if part == "core" or (part == "in" and is_pointwise):
        return tuple(values)
    if part == "column":
        return (values[0], 1)
    return (1, values[1]) if part == "row" else (1,) * len(values)


def places_of(site: Site) -> Places:
    """How often the kernels of a chain are applied; a free axis counts as one output."""
    entry = between = exit = 0
    strides = site.inner.strides
    for given, returned in site.shapes():
        after = [size or 1 for size in _spatial(site.inner, returned)]
        before = [a or b for a, b in zip(_spatial(site.inner, given), strides, strict=True)]
        batch = given[0] or 1
        entry += batch * math.prod(before)
        between += batch * after[0] * math.prod(before[1:])
        exit += batch * math.prod(after)
    return Places(entry, between, exit)


def _spatial(layer: keras.layers.Layer, shape: Shape) -> Shape:
    return shape[1:-1] if layer.data_format == "channels_last" else shape[2:]
