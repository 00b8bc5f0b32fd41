"""`MultiHeadAttention`: the same layer with smaller heads.

Its projections are inside of it, so none of them can become two layers. But what it computes depends on
products alone: a head's scores on its query kernel times its key kernel, and what it returns on its value
kernel times its output kernel. Each is replaced by the nearest product of smaller kernels; biases are
one more row of them.
"""

import inspect

import numpy as np
from keras import layers

from keras_kd.compression.costs.multiply_adds import uses
from keras_kd.compression.low_rank.matrices import Metric, Product, approximate, metric_of
from keras_kd.compression.low_rank.moments import Measure, Moments, Reading
from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.sites import Site
from keras_kd.compression.low_rank.thin_layers import Factors, Step, stored, value_of
from keras_kd.graphs import Call, Slot

ROLES = ("query", "key", "value")


def arguments_of(call: Call) -> dict[str, Slot]:
    """The tensors that a call of an attention layer reads, by role."""
    given = inspect.signature(call.operation.call).bind(*call.args, **call.kwargs).arguments
    key = given.get("key")
    return {"query": given["query"], "value": given["value"], "key": given["value"] if key is None else key}


class AttentionHeads:
    """The heads of an attention layer, which become smaller.

    Args:
        site: The layer.
    """

    def __init__(self, site: Site) -> None:
        self._site, self._layer = site, site.operation

    def reason(self, method: str) -> str:
        """Why they cannot become smaller; empty if they can."""
        return "its gate acts on the values of its heads" if self._layer.get_config()["use_gate"] else ""

    def readings(self) -> dict[str, Measure]:
        """The tensors whose moments weigh the error."""
        given = [arguments_of(call) for call in self._site.calls]
        return {role: Reading(tuple(slots[role] for slots in given), (-1,)) for role in ROLES}

    def factorize(self, amount: Amount, moments: Moments, method: str) -> Factors:
        """The layer with smaller heads: `amount` is of `key_dim` and of `value_dim`."""
        layer, end = self._layer, None if self._layer.use_bias else -1
        query, key, value = (_by_head(getattr(layer, f"{role}_dense")) for role in ROLES)
        output = value_of(layer.output_dense.kernel)
        output = output.reshape(*output.shape[:2], -1).transpose(0, 2, 1)
        metrics = {role: metric_of(moment[:end, :end]) for role, moment in moments.items()}
        scores = _product(query, key, amount, metrics.get("query"), metrics.get("key"))
        values = _product(value, output, amount, metrics.get("value"), None)
        config = {**layer.get_config(), "key_dim": scores.rank, "value_dim": values.rank}
        weights = [stored(value, layer) for value in self._weights(scores, values)]
        step = Step(type(layer).from_config(config), weights)
        cost, error = self._cost(scores.rank, values.rank), max(scores.error, values.error)
        return Factors("heads", (scores.rank, values.rank), error, cost, (step,))

    def _cost(self, key_dim: int, value_dim: int) -> int:
        """The multiply-adds with other sizes of the heads."""
        layer, total = self._layer, 0
        sizes = {id(getattr(layer, f"{role}_dense").kernel): (2, key_dim) for role in ("query", "key")}
        sizes |= {id(layer.value_dense.kernel): (2, value_dim), id(layer.output_dense.kernel): (1, value_dim)}
        for use in (use for call in self._site.calls for use in uses(call, self._site.graph)):
            axis, size = sizes[id(use.variable)]
            shape = list(use.variable.shape)
            shape[axis] = size
            total += use.multiply_adds(shape)
        return total

    def _weights(self, scores: Product, values: Product) -> list[np.ndarray]:
        layer = self._layer
        # Scores are divided by the root of key_dim, which is another one now.
        rescale, output = (scores.rank / layer.key_dim) ** 0.25, layer.output_dense
        return [
            *_split(rescale * scores.left, layer.use_bias),
            *_split(rescale * scores.right.transpose(0, 2, 1), layer.use_bias),
            *_split(values.left, layer.use_bias),
            values.right.reshape(layer.num_heads, values.rank, *output.kernel.shape[2:]),
            *([value_of(output.bias)] if layer.use_bias else []),
        ]


def _by_head(projection: layers.EinsumDense) -> np.ndarray:
    """A projection as matrices (heads, features, size); a bias is the last row."""
    kernel = value_of(projection.kernel)
    if projection.bias is not None:
        kernel = np.concatenate([kernel, value_of(projection.bias)[None]])
    return kernel.transpose(1, 0, 2)


def _split(by_head: np.ndarray, use_bias: bool) -> list[np.ndarray]:
    """The kernel and the bias of a projection."""
    kernel = by_head.transpose(1, 0, 2)
    return [kernel[:-1], kernel[-1]] if use_bias else [kernel]


def _product(
    left: np.ndarray, right: np.ndarray, amount: Amount, before: Metric | None, after: Metric | None
) -> Product:
    """The best product of a lower rank for `left @ right^T`, which is never computed: it is large."""
    first, second = (x if m is None else m.root @ x for x, m in ((left, before), (right, after)))
    (q, upper), (p, lower) = np.linalg.qr(first), np.linalg.qr(second)
    inner = approximate(upper @ lower.transpose(0, 2, 1), amount)
    first, second = q @ inner.left, p @ inner.right.transpose(0, 2, 1)
    first, second = (x if m is None else m.inverse @ x for x, m in ((first, before), (second, after)))
    return Product(first, second.transpose(0, 2, 1), inner.error)
