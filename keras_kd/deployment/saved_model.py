"""A Keras model as a SavedModel, the input of the converter."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf
from tensorflow.saved_model.experimental import TrackableResource

from keras_kd.deployment.serving import Serving
from keras_kd.deployment.source_model import HALF_PRECISION
from keras_kd.legacy import all_layers_of, is_tf_keras, set_policy


def save(served: Serving, folder: str | os.PathLike[str]) -> None:
    """Write a SavedModel that computes in float32, whatever the model's dtype policy."""

    def serve(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return served.numbered(*values)

    with _computing_in_float32(served.model):
        if is_tf_keras(served.model):
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


def _lookup_tables(model: keras.Model) -> list[TrackableResource]:
    # A SavedModel must contain what its function reads besides variables. Having it contain the whole model
    # works as well, but takes several times as long: the calls of all its layers are then traced.
    parts = tf.train.TrackableView(model).descendants()
    return [part for part in parts if isinstance(part, TrackableResource)]


@contextlib.contextmanager
def _computing_in_float32(model: keras.Model) -> Iterator[None]:
    # TensorFlow Lite has no half-precision kernels: the trace must not contain half precision.
    half = [
        (layer, layer.dtype_policy) for layer in all_layers_of(model) if layer.compute_dtype in HALF_PRECISION
    ]
    try:
        for layer, _ in half:
            _set_policy(layer, keras.DTypePolicy("float32"))
        yield
    finally:
        for layer, policy in half:
            _set_policy(layer, policy)


def _set_policy(layer: keras.layers.Layer, policy: keras.DTypePolicy) -> None:
    if is_tf_keras(layer):
        set_policy(layer, policy.name)
    else:
        layer.dtype_policy = policy
