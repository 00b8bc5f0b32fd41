"""tensorflow-model-optimization's quantization-aware training, alone and after pruning or clustering."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_kd.legacy import is_model, is_wrapper
from keras_kd.messages import did_you_mean, one_line
from keras_kd.tfmot.checks import refuse
from keras_kd.tfmot.library import import_tfmot
from keras_kd.tfmot.wrappers import taken_from, wrapped_copy


def quantize_model(
    model: Any,
    preserve: str | tuple[str, ...] | None = None,
    *,
    layers: Sequence[str] | None = None,
) -> Any:
    """A copy of a model that sees itself through int8, with tfmot's `quantize_apply`.

    Args:
        model: A functional or sequential tf_keras model without models in it. It stays as it is.
        preserve: What training must keep of the weights: `"sparsity"` (PQAT), `"clusters"` (CQAT), or
            `("sparsity", "clusters")` (PCQAT), for a model that was pruned or clustered, and stripped. With
            `"clusters"`, call `strip_clustering` afterwards. Default: nothing (QAT).
        layers: The layers to quantize, by name. Default: all. Of a layer that one of these reads, tfmot
            quantizes the output.

    Returns:
        A model, not compiled, whose layers are named `quant_NAME`.

    Raises:
        TypeError: A model of Keras 3.
        ValueError: Layers that tfmot cannot quantize, all of them named; models in the model; nothing that
            could be preserved.

    Examples:
        >>> import tf_keras
        >>> import keras_kd as kd
        >>> layers = [tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3, name="head")]
        >>> student = kd.tfmot.quantize_model(tf_keras.Sequential(layers))
        >>> [layer.name for layer in student.layers]
        ['quantize_layer', 'quant_head']
    """
    what = "kd.tfmot.quantize_model"
    taken = taken_from(model, layers, what)
    nested = [layer.name for layer in model.layers if is_model(layer)]
    if nested:
        raise ValueError(
            f"{what}: tfmot cannot quantize a model that holds models: {nested}. Build it from their layers."
        )
    kept = _kept(preserve)
    _check_kept(taken, kept, what)
    scheme = _scheme(kept)
    refused = _unknown(taken, scheme)
    while True:  # of the rest tfmot names one layer at a time
        rest = {path: layer for path, layer in taken.items() if path not in refused}
        if not rest:
            refuse(refused, taken, what)
        try:
            annotated = wrapped_copy(model, rest, import_tfmot().quantization.keras.quantize_annotate_layer)
            quantized = import_tfmot().quantization.keras.quantize_apply(annotated, scheme)
        except Exception as error:  # tfmot stumbles over layers that it does not know in many ways
            found = re.search(r"Layer (\S+):<class '[\w.]*?(\w+)'> is not supported", str(error))
            if found and found[1] in rest:
                refused[found[1]] = found[2]
                continue
            refuse(refused, taken, what)
            raise ValueError(f"{what}: tfmot cannot quantize {model.name!r}: {one_line(error)}") from error
        refuse(refused, taken, what)
        return quantized


_REBUILT = "BatchNormalization", "SeparableConv1D", "SeparableConv2D"  # by tfmot, into layers that it knows


def _unknown(layers: dict[str, Any], scheme: Any) -> dict[str, str]:
    registry = scheme.get_quantize_registry()
    return {
        path: type(layer).__name__
        for path, layer in layers.items()
        if not (is_wrapper(layer) or registry.supports(layer) or type(layer).__name__ in _REBUILT)
    }


_PRESERVED = ("sparsity", "clusters")


def _kept(preserve: Any) -> set[str]:
    kept = {preserve} if isinstance(preserve, str) else set(preserve or ())
    if not kept <= set(_PRESERVED):
        raise ValueError(
            f"`preserve` is None, 'sparsity', 'clusters', or both in a tuple. Received: {preserve!r}."
            f"{did_you_mean(str(preserve), _PRESERVED)}"
        )
    return kept


def _check_kept(layers: dict[str, Any], kept: set[str], what: str) -> None:
    """Raise a `ValueError` if there is nothing to keep: training would keep nothing, and not say so."""
    kernels = [np.asarray(w) for layer in layers.values() for w in layer.get_weights() if len(w.shape) > 1]
    if "sparsity" in kept and not any((kernel == 0).any() for kernel in kernels):
        raise ValueError(f"{what}(preserve='sparsity'): no kernel holds a zero. Prune and strip it first.")
    if "clusters" in kept and not any(2 * len(np.unique(k)) <= k.size for k in kernels):
        raise ValueError(
            f"{what}(preserve='clusters'): no kernel holds few values. Cluster and strip it first."
        )


def _scheme(kept: set[str]) -> Any:
    tfmot = import_tfmot()
    if "clusters" in kept:
        return tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme("sparsity" in kept)
    if kept:
        return tfmot.experimental.combine.Default8BitPrunePreserveQuantizeScheme()
    return tfmot.quantization.keras.default_8bit.Default8BitQuantizeScheme()
