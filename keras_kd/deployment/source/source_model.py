"""The Keras model that a file is made from: which models are possible, and what matters in their layers."""

from __future__ import annotations

import re

import keras

from keras_kd.graphs import shared_copy
from keras_kd.legacy import all_layers_of, is_model, is_tf_keras, keras_classes, tfmot_wrapper
from keras_kd.parts import Keys

_PLAIN = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.-]*")
_AUTOMATIC = re.compile(r"(functional|sequential|model)(_\d+)?")
HALF_PRECISION = ("float16", "bfloat16")
# What remains to be done if a wrapper of tensorflow-model-optimization is still there.
_UNFINISHED = {
    "PruneLowMagnitude": "tfmot.sparsity.keras.strip_pruning(model)",
    "ClusterWeights": "tfmot.clustering.keras.strip_clustering(model)",
    "QuantizeAnnotate": "tfmot.quantization.keras.quantize_apply(model)",
}


def resolve_model(model: object) -> keras.Model:
    """Return the model to export, verify or time: the student of a `Distiller`, otherwise the model itself.

    Raises:
        TypeError: if it is not a Keras 3 or tf_keras model.
        ValueError: if one of its layers cannot become part of a file.
    """
    student = getattr(model, "student", None)
    model = student if is_model(student) else model
    if not is_model(model):
        raise TypeError(
            f"Expected a keras.Model; received {type(model).__name__}. "
            "Load a file with keras.models.load_model first."
        )
    for layer in all_layers_of(model):
        _check_layer(layer, model)
    return model


def is_automatic(name: str) -> bool:
    """Whether a name is one that Keras gives to a model without a name, such as `"functional_3"`."""
    return _AUTOMATIC.fullmatch(name) is not None


def student_keys(model: object) -> Keys:
    """The parts of the data that the student of a `Distiller` takes; `None` if nothing says so."""
    keys: Keys = getattr(model, "student_inputs", None) if is_model(getattr(model, "student", None)) else None
    return keys


def _check_layer(layer: keras.layers.Layer, model: keras.Model) -> None:
    wrapper = tfmot_wrapper(layer)
    if wrapper in _UNFINISHED:
        raise ValueError(
            f"Layer {layer.name!r} of {model.name!r} is still wrapped in {wrapper}: "
            f"pass {_UNFINISHED[wrapper]}."
        )
    if not is_tf_keras(layer) and layer.quantization_mode is not None:
        raise ValueError(
            f"{model.name!r} was quantized by Keras ({layer.name!r}: {layer.quantization_mode}); "
            "files of such models are wrong. Export the unquantized model with quantization= instead."
        )
    if getattr(layer, "stateful", False) and isinstance(layer, keras_classes("layers.RNN")):
        raise ValueError(
            f"Layer {layer.name!r} keeps its state between batches; a file cannot. Set stateful=False."
        )


def is_quantization_aware(model: keras.Model) -> bool:
    """Tell whether a model was trained to become an int8 file, and so contains its own ranges."""
    return any(tfmot_wrapper(layer) == "QuantizeWrapper" for layer in all_layers_of(model))


def computes_in_half(model: keras.Model) -> bool:
    """Tell whether any layer computes in float16 or bfloat16."""
    return any(layer.compute_dtype in HALF_PRECISION for layer in all_layers_of(model))


def plainly_named(model: keras.Model) -> keras.Model:
    """The model, or a copy whose layers have names that TensorFlow takes in a graph: no accents, no spaces.

    Keras 3 takes any name, and runs eagerly with it; tf_keras does not. A copy shares the weights.
    """
    if is_tf_keras(model) or all(_PLAIN.fullmatch(layer.name) for layer in all_layers_of(model)):
        return model
    copy = shared_copy(model)
    for layer in all_layers_of(copy):
        if not _PLAIN.fullmatch(layer.name):
            layer.name = "layer_" + re.sub(r"[^A-Za-z0-9_.-]", "_", layer.name)
    return copy


def recurrent_layer(model: keras.Model) -> str | None:
    """Name a layer that loops over time, at any depth; an unrolled one does not loop."""
    for layer in all_layers_of(model):
        if isinstance(layer, keras_classes("layers.RNN")) and not layer.unroll:
            return layer.name
    return None
