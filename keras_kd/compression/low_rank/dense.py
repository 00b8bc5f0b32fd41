"""`Dense` and `EinsumDense`: matrices, whose factors are two layers."""

import math
import string
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from keras import layers

from keras_kd.compression.low_rank.matrices import approximate, metric_of
from keras_kd.compression.low_rank.moments import Measure, Moments
from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.sites import Site
from keras_kd.compression.low_rank.thin_layers import Factors, thin_layer, value_of


class DenseKernel:
    """The kernel of a `Dense`, which becomes two: Ba and Caruana 2014, arXiv 1312.6184.

    Args:
        site: The layer.
    """

    def __init__(self, site: Site) -> None:
        self._site, self._layer = site, site.inner

    def reason(self, method: str) -> str:
        """Why it cannot be factorized; empty if it can."""
        return ""

    def readings(self) -> dict[str, Measure]:
        """The tensors whose moments weigh the error."""
        return {"inputs": self._site.reading((-1,))}

    def factorize(self, amount: Amount, moments: Moments, method: str) -> Factors:
        """What replaces the layer."""
        metric = metric_of(moments["inputs"][:-1, :-1]) if moments else None
        product = approximate(value_of(self._layer.kernel), amount, metric)
        steps = (
            thin_layer(self._layer, product.left, "_in", units=product.rank),
            thin_layer(self._layer, product.right, ""),
        )
        cost = self._site.times() * (product.left.size + product.right.size)
        return Factors("svd", (product.rank,), product.error, cost, steps)


class Letters(NamedTuple):
    """The equation of an `EinsumDense`, in letters for axes.

    Attributes:
        given: Of the input; it may begin or end with an ellipsis.
        kernel: Of the kernel.
        returned: Of the output.
    """

    given: str
    kernel: str
    returned: str

    @property
    def summed(self) -> str:
        """The axes of the kernel that are summed over."""
        return "".join(letter for letter in self.kernel if letter not in self.returned)

    @property
    def new(self) -> str:
        """The axes of the output that come from the kernel."""
        return "".join(letter for letter in self.kernel if letter in self.returned)

    @property
    def is_matrix(self) -> bool:
        """Whether the kernel is a matrix of what is summed over and what is new."""
        passed = set(self.given) & set(self.returned) & set(self.kernel)
        return bool(self.summed and self.new) and not passed and set(self.summed) <= set(self.given)

    def halves(self) -> tuple[str, str]:
        """The equations of two layers; what is summed over becomes a single axis between them."""
        rank = next(x for x in string.ascii_letters if x not in self.given + self.kernel + self.returned)
        between = self.given.replace(self.summed[0], rank)
        between = "".join(x for x in between if x in [rank, "."] or x in self.returned)
        first = f"{self.given},{self.summed}{rank}->{between}"
        return first, f"{between},{rank}{self.new}->{self.returned}"

    def summed_axes(self) -> tuple[int, ...]:
        """The axes of the input that are summed over, in the order of the kernel."""
        named = self.given.replace(".", "")
        shift = len(named) if self.given.startswith(".") else 0
        return tuple(named.index(x) - shift for x in self.summed)

    def inner_shape(self, output_shape: Sequence[int | None], rank: int) -> tuple[int | None, ...]:
        """The `output_shape` of the first of two layers, given that of both."""
        sizes = dict(zip(_told(self.returned), output_shape, strict=True))
        between = self.halves()[1].split(",")[0]
        return tuple(sizes.get(x, rank) for x in _told(between))


def _told(axes: str) -> str:
    """Those whose sizes an `output_shape` tells: not the batch, nor what an ellipsis stands for."""
    return axes.removeprefix("...") if axes.startswith(".") else axes.removesuffix("...")[1:]


def letters_of(layer: layers.EinsumDense) -> Letters:
    """The equation of a layer."""
    operands, returned = layer.equation.replace(" ", "").split("->")
    given, kernel = operands.split(",")
    return Letters(given, kernel, returned)


class EinsumKernel:
    """The kernel of an `EinsumDense`, which becomes two if it is a matrix.

    Args:
        site: The layer.
    """

    def __init__(self, site: Site) -> None:
        self._site, self._layer, self._letters = site, site.inner, letters_of(site.inner)

    def reason(self, method: str) -> str:
        """Why it cannot be factorized; empty if it can."""
        if self._letters.is_matrix:
            return ""
        return f"the kernel of {self._layer.equation!r} is not one matrix"

    def readings(self) -> dict[str, Measure]:
        """The tensors whose moments weigh the error."""
        return {"inputs": self._site.reading(self._letters.summed_axes())}

    def factorize(self, amount: Amount, moments: Moments, method: str) -> Factors:
        """What replaces the layer."""
        letters = self._letters
        metric = metric_of(moments["inputs"][:-1, :-1]) if moments else None
        product = approximate(self._matrix(), amount, metric)
        sizes = dict(zip(letters.kernel, self._layer.kernel.shape, strict=True))
        left = product.left.reshape(*(sizes[x] for x in letters.summed), product.rank)
        right = product.right.reshape(product.rank, *(sizes[x] for x in letters.new))
        first, second = letters.halves()
        shape = letters.inner_shape(self._layer.partial_output_shape, product.rank)
        steps = (
            thin_layer(self._layer, left, "_in", equation=first, output_shape=shape),
            thin_layer(self._layer, right, "", equation=second),
        )
        cost = self._site.times() * (left.size + right.size)
        return Factors("svd", (product.rank,), product.error, cost, steps)

    def _matrix(self) -> np.ndarray:
        """The kernel as a matrix of what is summed over and what is new."""
        letters = self._letters
        order = [letters.kernel.index(x) for x in letters.summed + letters.new]
        kernel = value_of(self._layer.kernel).transpose(order)
        return kernel.reshape(math.prod(kernel.shape[: len(letters.summed)]), -1)
