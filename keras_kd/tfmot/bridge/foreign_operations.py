"""Operations of one library, called from a layer of the other where that has no such layer."""

import functools
import inspect
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.util.tf_export import get_canonical_name_for_symbol, get_symbol_from_name

from keras_kd.tfmot.bridge.directions import tf_keras
from keras_kd.tfmot.bridge.graphs import Slot


def filled(arguments: Any, inputs: Any) -> Any:
    """The arguments with tensors in place of slots."""
    tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    return keras.tree.map_structure(
        lambda leaf: tensors[leaf.index] if isinstance(leaf, Slot) else leaf, arguments
    )


def numbered(arguments: Any) -> tuple[list[Slot], Any]:
    """The slots of arguments in their order, and the arguments with slots 0, 1, 2, ... in their place."""
    slots: list[Slot] = []

    def place(leaf: Any) -> Any:
        if not isinstance(leaf, Slot):
            return leaf
        slots.append(leaf)
        return Slot(len(slots) - 1)

    return slots, keras.tree.map_structure(place, arguments)


def sliced(arguments: Any) -> Any:
    """The arguments with slices in place of the dicts that tf_keras makes of them."""
    if isinstance(arguments, dict):
        if arguments.keys() == {"start", "stop", "step"}:
            return slice(arguments["start"], arguments["stop"], arguments["step"])
        return {name: sliced(value) for name, value in arguments.items()}
    if isinstance(arguments, (list, tuple)):
        return type(arguments)(sliced(value) for value in arguments)
    return arguments


def copied(layer: Any) -> Any:
    """The Keras 3 layer, or where it has weights one like it with weights of its own."""
    if not layer.weights:
        return layer
    clone = type(layer).from_config(layer.get_config())
    clone.build_from_config(layer.get_build_config() or {})
    for variable, value in zip(clone.variables, layer.variables, strict=True):
        variable.assign(value)
    return clone


@functools.cache
def keras_operation() -> type:
    """The tf_keras layer that calls an operation of Keras 3; made when tf_keras is first needed."""
    library = tf_keras()

    @library.saving.register_keras_serializable("keras_kd")
    class KerasOperation(library.layers.Layer):  # type: ignore[name-defined]
        """Calls a Keras 3 operation or layer on its inputs: tfmot sees nothing in it to prune."""

        def __init__(self, operation: Any, arguments: Any, **kwargs: Any) -> None:
            super().__init__(autocast=False, **kwargs)
            self._set("operation", operation)
            self._set("arguments", arguments)
            self.supports_masking = getattr(operation, "supports_masking", False)
            for variable in getattr(operation, "variables", []):
                own = self._trainable_weights if variable.trainable else self._non_trainable_weights
                own.append(variable.value)

        def _set(self, name: str, value: Any) -> None:
            # tf_keras would look for its own layers and weights in what it tracks.
            object.__setattr__(self, name, value)

        def build(self, input_shape: Any) -> None:
            self.built = True

        @tf.autograph.experimental.do_not_convert
        def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            # The tensors carry their masks, where Keras 3 looks for them as well.
            args, kwargs = filled(self.arguments, inputs)
            if getattr(self.operation, "_call_has_training_arg", False):
                kwargs = {**kwargs, "training": bool(training) if training is not None else False}
            return self.operation(*args, **kwargs)

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            if not self.supports_masking:
                return None
            # Keras 3 passes on the masks of the first argument alone.
            args, kwargs = self.arguments
            first = [*args, *kwargs.values()][0]
            masks = None if mask is None else filled(first, mask)
            return self.operation.compute_mask(filled(first, inputs), masks)

        def get_prunable_weights(self) -> list:
            """Nothing: tensorflow-model-optimization asks for this before it wraps the layers of a model."""
            return []

        def get_config(self) -> dict:
            saved = {"operation": self.operation, "arguments": self.arguments}
            saved = {name: keras.saving.serialize_keras_object(value) for name, value in saved.items()}
            if self.weights:
                saved["built_from"] = self.operation.get_build_config()
            return {**super().get_config(), **saved}

        @classmethod
        def from_config(cls, config: dict) -> Any:
            config = dict(config)
            built_from = config.pop("built_from", None)
            for name in ("operation", "arguments"):
                config[name] = keras.saving.deserialize_keras_object(config[name])
            if built_from is not None and not config["operation"].built:
                config["operation"].build_from_config(built_from)
            config.pop("autocast", None)
            return cls(**config)

    return KerasOperation


# Modules of TensorFlow's functions that compute and do nothing else: no files, no Python, no libraries. A
# model file says which function to call, and it must not be able to say more than that.
_COMPUTE = (
    *("array_ops", "array_ops_stack", "gen_array_ops", "tensor_getitem_override", "tensor_conversion"),
    *("math_ops", "gen_math_ops", "special_math_ops", "clip_ops", "sort_ops", "manip_ops", "gen_manip_ops"),
    *("nn_ops", "gen_nn_ops", "nn_impl", "linalg_ops", "gen_linalg_ops", "linalg_impl", "fft_ops", "dct_ops"),
    *("image_ops_impl", "gen_image_ops", "string_ops", "gen_string_ops", "bitwise_ops", "gen_bitwise_ops"),
    *("sparse_ops", "gen_sparse_ops", "random_ops", "stateless_random_ops", "spectral_ops", "shape_ops"),
)


def only_computes(function: Any) -> bool:
    """Whether a function of TensorFlow is known to compute and to do nothing else."""
    module = getattr(inspect.unwrap(function), "__module__", "")
    return module.startswith("tensorflow.python.") and module.rsplit(".", 1)[-1] in _COMPUTE


@keras.saving.register_keras_serializable("keras_kd")
class TensorFlowOperation(keras.layers.Layer):
    """The Keras 3 layer that calls a function of TensorFlow, which a tf_keras model was written with."""

    def __init__(self, function: Any, arguments: Any, **kwargs: Any) -> None:
        if not only_computes(function):
            raise ValueError(
                f"{function} is not among the functions of TensorFlow that only compute, so that no model "
                "file may call it. Put it into a layer of your own."
            )
        super().__init__(autocast=False, **kwargs)
        self.function, self.arguments = function, arguments

    def call(self, inputs: Any) -> Any:
        args, kwargs = sliced(filled(self.arguments, inputs))
        return self.function(*args, **kwargs)

    def get_config(self) -> dict:
        saved = {
            "function": get_canonical_name_for_symbol(self.function, add_prefix_to_v1_names=True),
            "arguments": keras.saving.serialize_keras_object(self.arguments),
        }
        return {**super().get_config(), **saved}

    @classmethod
    def from_config(cls, config: dict) -> "TensorFlowOperation":
        function = get_symbol_from_name(config["function"])
        arguments = keras.saving.deserialize_keras_object(config["arguments"])
        return cls(**{**config, "function": function, "arguments": arguments})
