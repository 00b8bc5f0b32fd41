"""The tf_keras layer that calls a Keras 3 operation; imported when tf_keras is first needed."""

from typing import Any

import keras
import tensorflow as tf
import tf_keras

from keras_kd.keras_internals import takes_training
from keras_kd.legacy import hold_variable
from keras_kd.tensors import Tensors
from keras_kd.tfmot.bridge.foreign_operations import fill_slots


@tf_keras.saving.register_keras_serializable("keras_kd")
class KerasOperation(tf_keras.layers.Layer):
    """Calls a Keras 3 operation or layer on its inputs: tfmot finds nothing in it to prune.

    Args:
        operation: The operation or layer, with weights of its own.
        arguments: Positional and keyword arguments of the call, with slots for tensors.
    """

    def __init__(self, operation: keras.Operation, arguments: tuple[Any, Any], **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self._set("operation", operation)
        self._set("arguments", arguments)
        self.supports_masking = getattr(operation, "supports_masking", False)
        for variable in getattr(operation, "variables", []):
            hold_variable(self, variable)

    def _set(self, name: str, value: object) -> None:
        # tf_keras would search whatever it tracks for its own layers and weights.
        object.__setattr__(self, name, value)

    def build(self, input_shape: object) -> None:
        self.built = True

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: Tensors, training: bool | None = None, mask: Tensors = None) -> Tensors:
        # The tensors carry their masks, and Keras 3 looks for them in the same place.
        args, kwargs = fill_slots(self.arguments, inputs)
        if takes_training(self.operation):
            kwargs = {**kwargs, "training": bool(training) if training is not None else False}
        return self.operation(*args, **kwargs)

    def compute_mask(self, inputs: Tensors, mask: Tensors = None) -> Tensors:
        if not self.supports_masking:
            return None
        # Keras 3 propagates only the masks of the first argument.
        args, kwargs = self.arguments
        first = [*args, *kwargs.values()][0]
        masks = None if mask is None else fill_slots(first, mask)
        return self.operation.compute_mask(fill_slots(first, inputs), masks)

    def get_prunable_weights(self) -> list[Any]:
        """Return nothing: tensorflow-model-optimization asks for this before it wraps a model's layers."""
        return []

    def get_config(self) -> dict[str, Any]:
        saved = {"operation": self.operation, "arguments": self.arguments}
        saved = {name: keras.saving.serialize_keras_object(value) for name, value in saved.items()}
        if self.weights:
            saved["built_from"] = self.operation.get_build_config()
        return {**super().get_config(), **saved}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "KerasOperation":
        config = dict(config)
        built_from = config.pop("built_from", None)
        for name in ("operation", "arguments"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        if built_from is not None and not config["operation"].built:
            config["operation"].build_from_config(built_from)
        config.pop("autocast", None)
        return cls(**config)
