"""A member of an ensemble: a model that runs on inputs of its own."""

from collections.abc import Callable
from typing import Any, TypeAlias

import keras

from keras_kd.legacy import KerasModel, as_tf_keras_runs, is_tf_keras
from keras_kd.tensors import Tensors

Preprocess: TypeAlias = Callable[[Any], Any]


@keras.saving.register_keras_serializable("keras_kd")
class Member(keras.layers.Layer):
    """A model inside another one: it runs as in inference, always, and keeps its weights.

    The layers of the model are tapped as `"NAME/layer"`, where `NAME` is the member's.

    Args:
        model: A built model of Keras 3 or tf_keras.
        preprocess: Makes the model's inputs of the layer's, or `None`.
        name: Name of the layer. Default: the name of the model.
    """

    def __init__(
        self,
        model: KerasModel,
        preprocess: Preprocess | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name or model.name, autocast=False, **{"dtype": "float32", **kwargs})
        self.tapped_model, self.preprocess = model, preprocess
        self.supports_masking = True

    def build(self, input_shape: object) -> None:
        """Do nothing: the model is built."""
        self.built = True

    def call(self, inputs: Tensors) -> Tensors:
        x = inputs if self.preprocess is None else self.preprocess(inputs)
        with as_tf_keras_runs(self.tapped_model):
            return self.tapped_model(x, training=False)

    def compute_mask(self, inputs: Tensors, previous_mask: Tensors) -> Tensors:
        """No mask but the one that the model gives its outputs."""
        return None

    def get_config(self) -> dict[str, Any]:
        if is_tf_keras(self.tapped_model):
            raise ValueError(
                f"Member {self.name!r} is a tf_keras model, which a file of Keras 3 cannot hold. Make the "
                "ensemble of kd.tfmot.from_tf_keras(model), or save its members one by one."
            )
        self._require_registered()
        parts = {"model": self.tapped_model, "preprocess": self.preprocess}
        return {
            **super().get_config(),
            **{k: keras.saving.serialize_keras_object(v) for k, v in parts.items()},
        }

    def _require_registered(self) -> None:
        preprocess = self.preprocess
        if preprocess is None or isinstance(preprocess, keras.layers.Layer):
            return
        known = keras.saving.get_registered_object(keras.saving.get_registered_name(preprocess))
        if known is not preprocess:
            raise ValueError(
                f"The `preprocess` of member {self.name!r} cannot be saved. Make it a layer such as "
                "keras.layers.Resizing, or a function registered with "
                "@keras.saving.register_keras_serializable()."
            )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Member":
        parts = {k: keras.saving.deserialize_keras_object(config[k]) for k in ("model", "preprocess")}
        return cls(**{**config, **parts})
