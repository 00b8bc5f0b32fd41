"""Where the layers of Keras 3 and tf_keras differ: one table, read in both directions.

A layer without a row has the same class name and the same arguments in both libraries, or no counterpart.
An argument that only one library has may keep its default; anything else has no counterpart.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from keras_kd.tfmot.bridge.directions import NoCounterpart


@dataclasses.dataclass(frozen=True)
class Row:
    """How a layer's arguments in Keras 3 and in tf_keras differ."""

    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)  # Keras 3 -> tf_keras
    ignored: tuple[str, ...] = ()  # what changes no output, and what is copied with the state
    # What a layer's config does not tell, or only in a serialised form.
    read: Mapping[str, Callable[[Any], Any]] = dataclasses.field(default_factory=dict)
    state_in_arguments: bool = False  # so that no weights are copied
    undocumented: tuple[str, ...] = ()  # what tf_keras takes without naming it
    dtypes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # Keras 3 -> tf_keras


def _terms(layer: Any) -> Any:
    given = layer.get_config().get("vocabulary")
    return given if isinstance(given, str) else list(layer.get_vocabulary(include_special_tokens=False))


def _idf(layer: Any) -> list | None:
    lookup = getattr(layer, "_lookup_layer", layer)
    if lookup.output_mode != "tf_idf":
        return None
    weights = getattr(lookup, "idf_weights_const", None)
    weights = lookup.idf_weights if weights is None else weights
    terms = layer.get_vocabulary(include_special_tokens=False)
    special = len(layer.get_vocabulary()) - len(terms)
    return [float(weight) for weight in weights][special : special + len(terms)]


def _axis(layer: Any) -> int:
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if len(axes) > 1:
        raise NoCounterpart(f"Keras 3 normalizes one axis, not {list(axes)}")
    return int(axes[0])


def _standardization(name: str) -> Callable[[Any], Any]:
    return lambda layer: getattr(layer, f"_{name}")


# Arguments that every layer may have and that no output depends on.
IGNORED = ("seed", "rng_type", "force_generator", "implementation", "use_cudnn", "batch_input_shape")

_RNN = Row(undocumented=("zero_output_for_mask",))
_LOOKUP = Row(
    read={"vocabulary": _terms, "idf_weights": _idf},
    ignored=("vocabulary_size", "vocabulary_dtype"),
    state_in_arguments=True,
)

TABLE = {
    "BatchNormalization": Row(read={"axis": _axis}),
    "LeakyReLU": Row(renamed={"negative_slope": "alpha"}),
    "Embedding": Row(ignored=("input_length",)),
    "Lambda": Row(
        read={
            "function": lambda layer: layer.function,
            "mask": lambda layer: layer.mask,
            "arguments": lambda layer: layer.arguments,
            "output_shape": lambda layer: layer._output_shape,
        },
        ignored=("function_type", "module", "output_shape_type", "output_shape_module"),
    ),
    "Bidirectional": Row(
        read={
            "layer": lambda layer: layer.forward_layer,
            "backward_layer": lambda layer: layer.backward_layer,
        },
    ),
    "TimeDistributed": Row(read={"layer": lambda layer: layer.layer}),
    "SpectralNormalization": Row(read={"layer": lambda layer: layer.layer}),
    "RNN": Row(read={"cell": lambda layer: layer.cell}, undocumented=("zero_output_for_mask",)),
    "StackedRNNCells": Row(read={"cells": lambda layer: layer.cells}),
    "SimpleRNN": _RNN,
    "LSTM": _RNN,
    "GRU": _RNN,
    "ConvLSTM1D": _RNN,
    "ConvLSTM2D": _RNN,
    "ConvLSTM3D": _RNN,
    "MultiHeadAttention": Row(ignored=("flash_attention", "query_shape", "key_shape", "value_shape")),
    "StringLookup": _LOOKUP,
    "IntegerLookup": _LOOKUP,
    "TextVectorization": Row(
        read={
            "vocabulary": _terms,
            "idf_weights": _idf,
            "standardize": _standardization("standardize"),
            "split": _standardization("split"),
        },
        ignored=("vocabulary_size",),
        state_in_arguments=True,
    ),
    "Discretization": Row(
        read={"bin_boundaries": lambda layer: list(layer.bin_boundaries)}, ignored=("num_bins",)
    ),
}
# Layers that read strings or count: their dtype names the type of what they return, and the libraries
# name it differently, so that each library's own default is kept.
OWN_DTYPE = (
    "StringLookup",
    "IntegerLookup",
    "TextVectorization",
    "Hashing",
    "HashedCrossing",
    "Discretization",
)

# Layers with the same name that do not compute the same: the original is called instead.
# tf_keras's RandomCrop resizes in inference; its SpectralNormalization fails where `tf.keras` is Keras 3.
UNEQUAL = ("RandomCrop", "SpectralNormalization")

# Layers which no tf_keras layer stands for, and which cannot be called from one either.
FOREIGN = {
    "FlaxLayer": "it calls Flax",
    "JaxLayer": "it calls JAX",
    "TorchModuleWrapper": "it calls PyTorch",
    "TFSMLayer": "it calls a SavedModel: load that into tf_keras yourself",
}

# Layers that pass masks on in another way, or read them in another way: where a mask arrives, the original is
# called. Of several masks tf_keras keeps what all of them let through, Keras 3 what any of them does, or none
# where an input has none.
MASKS_MERGED = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
MASKS_APART = ("GroupNormalization", "Identity", "Rescaling", "Softmax")
