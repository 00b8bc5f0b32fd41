"""A Keras model as a SavedModel, the input of the converter."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import keras
import tensorflow as tf
from tensorflow.saved_model.experimental import TrackableResource

from keras_kd.deployment.source.serving import Serving
from keras_kd.deployment.source.source_model import HALF_PRECISION, computes_in_half, plainly_named
from keras_kd.graphs import shared_copy
from keras_kd.legacy import all_layers_of, is_tf_keras, set_policy
from keras_kd.tensorflow_internals import with_constants


def save(served: Serving, folder: str | os.PathLike[str]) -> None:
    """Write a SavedModel that computes in float32, whatever the model's dtype policy."""
    named = plainly_named(served.model)
    computed = replace(served, model=_in_float32(named))

    def serve(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return computed.numbered(*values)

    if named is not served.model:
        _save_frozen(serve, served, folder)
    elif is_tf_keras(served.model):
        module = tf.Module()
        module.resources = [*served.model.variables, *_lookup_tables(served.model)]
        signature = tf.function(serve, served.specs(), autograph=False)
        tf.saved_model.save(module, os.fspath(folder), signatures={"serving_default": signature})
    else:
        archive = keras.export.ExportArchive()
        for table in _lookup_tables(served.model):
            archive.track(table)
        archive.add_endpoint("serve", serve, input_signature=served.specs())
        archive.write_out(os.fspath(folder), verbose=False)


def _save_frozen(
    serve: Callable[..., dict[str, tf.Tensor]], served: Serving, folder: str | os.PathLike[str]
) -> None:
    """Write a SavedModel with constants in place of variables, whose names have those of layers in them."""
    if _lookup_tables(served.model):
        raise ValueError(
            "beside a lookup table, names of layers need A-Z, a-z, 0-9 and _; received "
            f"{[layer.name for layer in served.model.layers]}"
        )
    specs = served.specs()
    traced = tf.function(serve, specs, autograph=False).get_concrete_function()
    frozen = with_constants(traced)
    names = sorted(traced.structured_outputs)  # the order in which TensorFlow flattens a dict

    def constant(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(names, frozen(*values), strict=True))

    signature = tf.function(constant, specs, autograph=False)
    tf.saved_model.save(tf.Module(), os.fspath(folder), signatures={"serving_default": signature})


def _lookup_tables(model: keras.Model) -> list[TrackableResource]:
    # A SavedModel must contain what its function reads besides variables. Having it contain the whole model
    # works as well, but takes several times as long: the calls of all its layers are then traced.
    parts = tf.train.TrackableView(model).descendants()
    return [part for part in parts if isinstance(part, TrackableResource)]


def _in_float32(model: keras.Model) -> keras.Model:
    """The model, or a copy that computes in float32: TensorFlow Lite has no half-precision kernels."""
    if not computes_in_half(model):
        return model
    # Threads may be using the model itself.
    copy = shared_copy(model)
    for layer in all_layers_of(copy):
        if layer.compute_dtype in HALF_PRECISION:
            set_policy(layer, "float32")
    return copy
