"""Operations of one library called from a layer of the other, if that has no layer that does the same.

The Keras 3 layer that calls TensorFlow is here, with what it shares with the tf_keras layer that calls
Keras 3, which is in keras_operation.py. tfmot's own wrappers of layers are in keras_kd/tfmot/wrappers.py.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_kd.legacy import KerasLayer
from keras_kd.tensorflow_internals import public_function, public_name
from keras_kd.tensors import Tensors
from keras_kd.tfmot.bridge.graphs import Slot


def fill_slots(arguments: object, inputs: Tensors | Mapping[int, Any]) -> Any:
    """The arguments with tensors in place of slots: those of a list, by index, or the only one."""
    tensors: Any = inputs if isinstance(inputs, (list, tuple, dict)) else [inputs]
    return keras.tree.map_structure(
        lambda leaf: tensors[leaf.index] if isinstance(leaf, Slot) else leaf, arguments
    )


def number_slots(arguments: object) -> tuple[list[Slot], Any]:
    """The slots of arguments in order, and the arguments with slots 0, 1, 2, ... instead."""
    slots: list[Slot] = []

    def number(leaf: object) -> object:
        if not isinstance(leaf, Slot):
            return leaf
        slots.append(leaf)
        return Slot(len(slots) - 1)

    return slots, keras.tree.map_structure(number, arguments)


def restore_slices(arguments: object) -> Any:
    """The arguments with slices in place of the dicts that tf_keras converts them to."""
    if isinstance(arguments, dict):
        if arguments.keys() == {"start", "stop", "step"}:
            return slice(arguments["start"], arguments["stop"], arguments["step"])
        return {name: restore_slices(value) for name, value in arguments.items()}
    if isinstance(arguments, (list, tuple)):
        return type(arguments)(restore_slices(value) for value in arguments)
    return arguments


def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The Keras 3 layer itself, or if it has weights a copy with weights of its own."""
    if not layer.weights:
        return layer
    clone = type(layer).from_config(layer.get_config())
    clone.build_from_config(layer.get_build_config() or {})
    for variable, value in zip(clone.variables, layer.variables, strict=True):
        variable.assign(value)
    return clone


def call_operation(operation: keras.Operation, arguments: tuple[Any, Any]) -> KerasLayer:
    """The tf_keras layer that calls a Keras 3 operation or layer."""
    from keras_kd.tfmot.bridge.keras_operation import KerasOperation  # which imports tf_keras

    return KerasOperation(operation, arguments, name=operation.name)


# Modules with functions of TensorFlow that compute and do nothing else: no files, no Python, no libraries. A
# model file names the function to call, and must not be able to do more than that.
_COMPUTE = (
    *("array_ops", "array_ops_stack", "gen_array_ops", "tensor_getitem_override", "tensor_conversion"),
    *("math_ops", "gen_math_ops", "special_math_ops", "clip_ops", "sort_ops", "manip_ops", "gen_manip_ops"),
    *("nn_ops", "gen_nn_ops", "nn_impl", "linalg_ops", "gen_linalg_ops", "linalg_impl", "fft_ops", "dct_ops"),
    *("image_ops_impl", "gen_image_ops", "string_ops", "gen_string_ops", "bitwise_ops", "gen_bitwise_ops"),
    *("sparse_ops", "gen_sparse_ops", "random_ops", "stateless_random_ops", "spectral_ops", "shape_ops"),
)


def only_computes(function: Callable[..., Any]) -> bool:
    """Whether a TensorFlow function is known to compute and to do nothing else."""
    module = getattr(inspect.unwrap(function), "__module__", "")
    return module.startswith("tensorflow.python.") and module.rsplit(".", 1)[-1] in _COMPUTE


@keras.saving.register_keras_serializable("keras_kd")
class TensorFlowOperation(keras.layers.Layer):
    """The Keras 3 layer that calls a TensorFlow function used in a tf_keras model."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, Any], **kwargs: Any) -> None:
        if not only_computes(function):
            raise ValueError(
                f"{function} is not among the functions of TensorFlow that only compute, so a model file may "
                "not call it. Put it into a layer of your own."
            )
        super().__init__(autocast=False, **kwargs)
        self.function, self.arguments = function, arguments

    def call(self, inputs: Tensors) -> Tensors:
        args, kwargs = restore_slices(fill_slots(self.arguments, inputs))
        return self.function(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        saved = {
            "function": public_name(self.function),
            "arguments": keras.saving.serialize_keras_object(self.arguments),
        }
        return {**super().get_config(), **saved}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TensorFlowOperation":
        function = public_function(config["function"])
        arguments = keras.saving.deserialize_keras_object(config["arguments"])
        return cls(**{**config, "function": function, "arguments": arguments})
