"""What becomes of each layer, decided before a model is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import keras
import numpy as np
from keras import layers

from keras_kd.compression.costs.multiply_adds import multiply_adds
from keras_kd.compression.data import Data, inputs_of, rereadable
from keras_kd.compression.finite_weights import check_finite_weights
from keras_kd.compression.low_rank.arguments import Settings
from keras_kd.compression.low_rank.attention import AttentionHeads
from keras_kd.compression.low_rank.convolutions import ConvolutionKernel
from keras_kd.compression.low_rank.dense import DenseKernel, EinsumKernel
from keras_kd.compression.low_rank.factorization import Factorization, FactorizedLayer
from keras_kd.compression.low_rank.moments import Measure, Moments, second_moments
from keras_kd.compression.low_rank.ranks import Amount
from keras_kd.compression.low_rank.sites import Site, opened_for_one_sample, sites_in
from keras_kd.compression.low_rank.thin_layers import Factors, distributed, with_free_names
from keras_kd.compression.low_rank.threads import one_thread
from keras_kd.compression.statistics import warn_of_stale_statistics
from keras_kd.finite import nonfinite
from keras_kd.graphs import Graph
from keras_kd.legacy import require_keras_model
from keras_kd.messages import some_of


class Kernel(Protocol):
    """What a layer multiplies by: each kind of layer has its own."""

    def reason(self, method: str) -> str:
        """Why a method cannot factorize it; empty if it can."""

    def readings(self) -> dict[str, Measure]:
        """The tensors whose moments weigh the error."""

    def factorize(self, amount: Amount, moments: Moments, method: str) -> Factors:
        """What replaces the layer."""


_AllMoments: TypeAlias = Mapping[str, Moments]  # by the path of the layer


@dataclass(frozen=True)
class Plan:
    """What becomes of a model.

    Args:
        model: The model.
        factors: What replaces its layers.
        result: The figures.
    """

    model: keras.Model
    factors: Mapping[keras.layers.Layer, Factors]
    result: Factorization


def plan_factorization(model: keras.Model, settings: Settings, data: Data | None = None) -> Plan:
    """Decide what becomes of each layer; nothing is changed.

    Args:
        model: A built functional or sequential model.
        settings: What to do.
        data: Inputs that weigh the errors.

    Raises:
        TypeError: It is no model of Keras 3.
        ValueError: It has no graph, it has no layer of a given name, or nothing in it can be factorized.
    """
    require_keras_model(model, "model")
    check_finite_weights(model)
    graph = opened_for_one_sample(model)
    sites = sites_in(graph)
    known = [site for site in sites if not site.reason]
    if known:
        settings.selection.check_names(model, known, "kernel that can be factorized")
    chosen = [site for site in known if settings.selection.includes(site)]
    moments = {} if data is None else _moments(model, graph, chosen, data)
    taken = {call.operation.name for call in graph.calls}
    factors, rows = {}, []
    for site in sites:
        found, row = _plan(site, settings, moments.get(site.layer, {}))
        rows.append(row)
        if found is not None:
            factors[site.operation] = with_free_names(found, taken)
    if not factors:
        reasons = some_of((f"{row.layer!r}: {row.reason}" for row in rows), 4) or "It has no kernels"
        raise ValueError(f"Nothing in {model.name!r} can be factorized. {reasons}.")
    return Plan(model, factors, _result(model, graph, rows, weighted=data is not None))


def _plan(site: Site, settings: Settings, moments: Moments) -> tuple[Factors | None, FactorizedLayer]:
    """What replaces a layer, or `None`, and the row for it."""
    size, cost = site.operation.count_params(), site.multiply_adds
    reason = site.reason or _unwanted(site, settings) or kernel_of(site).reason(settings.method)
    if reason:
        return None, _left(site, size, cost, reason)
    amount = settings.selection.value_for(site) or settings.amount
    factors = factors_of(site, amount, moments, settings.method)
    if factors.parameters >= size or factors.multiply_adds >= cost:
        ranks = " and ".join(map(str, factors.ranks))
        return None, _left(site, size, cost, f"it saves nothing at rank {ranks}")
    row = FactorizedLayer(
        *(site.layer, site.kind, factors.method, factors.ranks),
        *((size, factors.parameters), (cost, factors.multiply_adds), factors.error),
    )
    return factors, row


def factors_of(site: Site, amount: Amount, moments: Moments, method: str) -> Factors:
    """What replaces a layer, whether or not it saves anything."""
    with one_thread():
        factors = kernel_of(site).factorize(amount, moments, method)
    is_distributed = isinstance(site.operation, layers.TimeDistributed)
    return distributed(site.operation, factors) if is_distributed else factors


def _left(site: Site, size: int, cost: int, reason: str) -> FactorizedLayer:
    return FactorizedLayer(site.layer, site.kind, "", (), (size, size), (cost, cost), 0.0, reason)


def _unwanted(site: Site, settings: Settings) -> str:
    if settings.selection.includes(site):
        return ""
    return "it is skipped" if settings.selection.skips(site) else "it is not among the layers"


def kernel_of(site: Site) -> Kernel:
    """What a layer multiplies by."""
    if isinstance(site.inner, layers.Dense):
        return DenseKernel(site)
    if isinstance(site.inner, layers.EinsumDense):
        return EinsumKernel(site)
    return (AttentionHeads if isinstance(site.inner, layers.MultiHeadAttention) else ConvolutionKernel)(site)


def _moments(model: keras.Model, graph: Graph, sites: Sequence[Site], data: Data) -> _AllMoments:
    readings = {
        (site.layer, role): reading for site in sites for role, reading in kernel_of(site).readings().items()
    }
    data = rereadable(data)
    warn_of_stale_statistics(model, data, stacklevel=5)
    found: dict[str, dict[str, np.ndarray]] = {}
    for (path, role), moment in second_moments(graph, readings, inputs_of(model, data)).items():
        if nonfinite(moment).any():
            raise ValueError(f"What {path!r} of {model.name!r} reads on this data holds NaN or infinity.")
        found.setdefault(path, {})[role] = moment
    return found


def _result(
    model: keras.Model, graph: Graph, rows: Sequence[FactorizedLayer], *, weighted: bool
) -> Factorization:
    size, cost = model.count_params(), sum(multiply_adds(call, graph) for call in graph.calls)
    smaller = sum(row.parameters[1] - row.parameters[0] for row in rows)
    cheaper = sum(row.multiply_adds[1] - row.multiply_adds[0] for row in rows)
    return Factorization(model.name, tuple(rows), (size, size + smaller), (cost, cost + cheaper), weighted)
