"""Where the layers of Keras 3 and of tf_keras differ: one table, read in both directions.

A layer without an entry has the same class name and arguments in both libraries, or no counterpart. An
argument that only one library has may keep its default; any other value has no counterpart.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from keras_kd.legacy import KerasLayer, hidden_argument
from keras_kd.tfmot.bridge.directions import NoCounterpart


@dataclasses.dataclass(frozen=True)
class LayerMapping:
    """How a layer's arguments in Keras 3 and in tf_keras differ."""

    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)  # Keras 3 -> tf_keras
    ignored: tuple[str, ...] = ()  # what does not change outputs, and what is copied with the state
    # What a layer's config lacks, or contains only in serialized form.
    read: Mapping[str, Callable[[Any], Any]] = dataclasses.field(default_factory=dict)
    state_in_arguments: bool = False  # so that no weights are copied
    undocumented: tuple[str, ...] = ()  # what tf_keras takes without naming it


def _read_vocabulary(layer: KerasLayer) -> str | list[Any]:
    given = layer.get_config().get("vocabulary")
    return given if isinstance(given, str) else list(layer.get_vocabulary(include_special_tokens=False))


def _read_idf(layer: KerasLayer) -> list[Any] | None:
    is_text = type(layer).__name__ == "TextVectorization"
    lookup = hidden_argument(layer, "lookup_layer") if is_text else layer
    if lookup.output_mode != "tf_idf":
        return None
    weights = getattr(lookup, "idf_weights_const", None)
    weights = lookup.idf_weights if weights is None else weights
    terms = layer.get_vocabulary(include_special_tokens=False)
    special = len(layer.get_vocabulary()) - len(terms)
    return [float(weight) for weight in weights][special : special + len(terms)]


def _read_axis(layer: KerasLayer) -> int:
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if len(axes) > 1:
        raise NoCounterpart(f"Keras 3 normalizes one axis, not {list(axes)}")
    return int(axes[0])


# Arguments that any layer may have and that outputs do not depend on.
IGNORED = ("seed", "rng_type", "force_generator", "implementation", "use_cudnn", "batch_input_shape")

_RNN = LayerMapping(undocumented=("zero_output_for_mask",))
_LOOKUP = LayerMapping(
    read={"vocabulary": _read_vocabulary, "idf_weights": _read_idf},
    ignored=("vocabulary_size", "vocabulary_dtype"),
    state_in_arguments=True,
)

TABLE = {
    "BatchNormalization": LayerMapping(read={"axis": _read_axis}),
    "LeakyReLU": LayerMapping(renamed={"negative_slope": "alpha"}),
    "Embedding": LayerMapping(ignored=("input_length",)),
    "Lambda": LayerMapping(
        read={
            "function": lambda layer: layer.function,
            "mask": lambda layer: layer.mask,
            "arguments": lambda layer: layer.arguments,
            "output_shape": lambda layer: hidden_argument(layer, "output_shape"),
        },
        ignored=("function_type", "module", "output_shape_type", "output_shape_module"),
    ),
    "Bidirectional": LayerMapping(
        read={
            "layer": lambda layer: layer.forward_layer,
            "backward_layer": lambda layer: layer.backward_layer,
        },
    ),
    "TimeDistributed": LayerMapping(read={"layer": lambda layer: layer.layer}),
    "SpectralNormalization": LayerMapping(read={"layer": lambda layer: layer.layer}),
    "RNN": LayerMapping(read={"cell": lambda layer: layer.cell}, undocumented=("zero_output_for_mask",)),
    "StackedRNNCells": LayerMapping(read={"cells": lambda layer: layer.cells}),
    "SimpleRNN": _RNN,
    "LSTM": _RNN,
    "GRU": _RNN,
    "ConvLSTM1D": _RNN,
    "ConvLSTM2D": _RNN,
    "ConvLSTM3D": _RNN,
    "MultiHeadAttention": LayerMapping(
        ignored=("flash_attention", "query_shape", "key_shape", "value_shape")
    ),
    "StringLookup": _LOOKUP,
    "IntegerLookup": _LOOKUP,
    "TextVectorization": LayerMapping(
        read={
            "vocabulary": _read_vocabulary,
            "idf_weights": _read_idf,
            "standardize": lambda layer: hidden_argument(layer, "standardize"),
            "split": lambda layer: hidden_argument(layer, "split"),
        },
        ignored=("vocabulary_size",),
        state_in_arguments=True,
    ),
    "Discretization": LayerMapping(
        read={"bin_boundaries": lambda layer: list(layer.bin_boundaries)}, ignored=("num_bins",)
    ),
}
# Layers that read strings or count: their dtype is that of their outputs, and the libraries name it
# differently, so that each library's own default is kept.
OWN_DTYPE = (
    "StringLookup",
    "IntegerLookup",
    "TextVectorization",
    "Hashing",
    "HashedCrossing",
    "Discretization",
)

# Layers with the same name that compute something else: the original is called instead.
# tf_keras's RandomCrop resizes in inference; its SpectralNormalization fails where `tf.keras` is Keras 3.
UNEQUAL = ("RandomCrop", "SpectralNormalization")

# Layers that have no counterpart in tf_keras and cannot be called from a tf_keras layer either.
FOREIGN = {
    "FlaxLayer": "it calls Flax",
    "JaxLayer": "it calls JAX",
    "TorchModuleWrapper": "it calls PyTorch",
    "TFSMLayer": "it calls a SavedModel: load that into tf_keras yourself",
}

# Layers that propagate or read masks differently: if a mask arrives, the original is called. Of several
# masks, tf_keras keeps the steps that all of them keep, Keras 3 those that any of them keeps; if an input has
# no mask, Keras 3 has none afterwards.
MASKS_MERGED = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
MASKS_APART = ("GroupNormalization", "Identity", "Rescaling", "Softmax")
