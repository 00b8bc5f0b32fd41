"""tensorflow-model-optimization's quantization-aware training, alone and after pruning or clustering."""

import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from keras_kd.legacy import KerasModel, is_model, is_wrapper
from keras_kd.messages import did_you_mean, one_line
from keras_kd.tfmot.checks import Layers, check_supported
from keras_kd.tfmot.library import import_tfmot
from keras_kd.tfmot.wrappers import select_bare_layers, wrap_copy


class QuantizeScheme(Protocol):
    """The part of tfmot's schemes that is used here."""

    def get_quantize_registry(self) -> Any:
        """The registry that knows which layers can be quantized."""


def quantize_model(
    model: KerasModel,
    preserve: str | tuple[str, ...] | None = None,
    *,
    layers: Sequence[str] | None = None,
) -> KerasModel:
    """Return a copy of a model that simulates int8 during training, with tfmot's `quantize_apply`.

    Args:
        model: A functional or sequential tf_keras model without nested models. It is not changed.
        preserve: What training must preserve in the weights: `"sparsity"` (PQAT), `"clusters"` (CQAT), or
            `("sparsity", "clusters")` (PCQAT), for a model that was pruned or clustered, and stripped. With
            `"clusters"`, call `strip_clustering` afterwards. Default: nothing (QAT).
        layers: The layers to quantize, by name. Default: all. tfmot also quantizes the outputs of the layers
            that these read.

    Returns:
        An uncompiled model whose layers are named `quant_NAME`.

    Raises:
        TypeError: The model is a Keras 3 model.
        ValueError: Layers that tfmot cannot quantize, all of them named; nested models; nothing to
            preserve.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.quantize_model(tf_keras.Sequential(layers))
        >>> [layer.name for layer in student.layers]
        ['quantize_layer', 'quant_head']
    """
    what = "kd.tfmot.quantize_model"
    selected = select_bare_layers(model, layers, what)
    nested = [layer.name for layer in model.layers if is_model(layer)]
    if nested:
        raise ValueError(
            f"{what}: tfmot cannot quantize a model that contains models: {nested}. Build it from their "
            "layers."
        )
    kept = _parse_preserve(preserve)
    _check_preservable(selected, kept, what)
    return _quantize_all(model, selected, _make_scheme(kept), what)


def _quantize_all(model: KerasModel, selected: Layers, scheme: QuantizeScheme, what: str) -> KerasModel:
    """Quantize these layers, or raise a `ValueError` that names all that tfmot does not support."""
    unsupported = _find_unsupported(selected, scheme)
    while True:  # tfmot names unsupported layers that the check above misses one at a time
        rest = {path: layer for path, layer in selected.items() if path not in unsupported}
        if not rest:
            check_supported(unsupported, selected, what)
        try:
            quantized = _quantize(model, rest, scheme)
        except Exception as error:  # tfmot fails in many ways on layers that it does not support
            found = re.search(r"Layer (\S+):<class '[\w.]*?(\w+)'> is not supported", str(error))
            if found and found[1] in rest:
                unsupported[found[1]] = found[2]
                continue
            check_supported(unsupported, selected, what)
            raise ValueError(f"{what}: tfmot cannot quantize {model.name!r}: {one_line(error)}") from error
        check_supported(unsupported, selected, what)
        return quantized


def _quantize(model: KerasModel, layers: Layers, scheme: QuantizeScheme) -> KerasModel:
    tools = import_tfmot().quantization.keras
    return tools.quantize_apply(wrap_copy(model, layers, tools.quantize_annotate_layer), scheme)


_REBUILT = (
    "BatchNormalization",
    "SeparableConv1D",
    "SeparableConv2D",
)  # by tfmot, into layers that it supports


def _find_unsupported(layers: Layers, scheme: QuantizeScheme) -> dict[str, str]:
    registry = scheme.get_quantize_registry()
    return {
        path: type(layer).__name__
        for path, layer in layers.items()
        if not (is_wrapper(layer) or registry.supports(layer) or type(layer).__name__ in _REBUILT)
    }


_PRESERVED = ("sparsity", "clusters")


def _parse_preserve(preserve: str | tuple[str, ...] | None) -> set[str]:
    kept = {preserve} if isinstance(preserve, str) else set(preserve or ())
    if not kept <= set(_PRESERVED):
        raise ValueError(
            f"`preserve` is None, 'sparsity', 'clusters', or both in a tuple. Received: {preserve!r}."
            f"{did_you_mean(str(preserve), _PRESERVED)}"
        )
    return kept


def _check_preservable(layers: Layers, kept: set[str], what: str) -> None:
    """Raise a `ValueError` if there is nothing to preserve: tfmot would preserve nothing, silently."""
    kernels = [np.asarray(w) for layer in layers.values() for w in layer.get_weights() if len(w.shape) > 1]
    if "sparsity" in kept and not any((kernel == 0).any() for kernel in kernels):
        raise ValueError(
            f"{what}(preserve='sparsity'): no kernel contains a zero. Prune the model and strip it first."
        )
    if "clusters" in kept and not any(2 * len(np.unique(k)) <= k.size for k in kernels):
        raise ValueError(
            f"{what}(preserve='clusters'): no kernel has few distinct values. Cluster the model and strip it "
            "first."
        )


def _make_scheme(kept: set[str]) -> QuantizeScheme:
    tfmot = import_tfmot()
    if "clusters" in kept:
        return tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme("sparsity" in kept)
    if kept:
        return tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
    return tfmot.quantization.keras.default_8bit.Default8BitQuantizeScheme()
