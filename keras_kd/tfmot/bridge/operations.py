"""Operations that become layers: `x + y` becomes an Add layer, so that tfmot sees it."""

import keras

from keras_kd.tensors import TensorSpec
from keras_kd.tfmot.bridge.graphs import SourceCall

# The Keras 3 operation, its names in TensorFlow, and the layer of both libraries.
MERGES = {
    "Add": ("math.add", "__operators__.add"),
    "Subtract": ("math.subtract", "__operators__.sub"),
    "Multiply": ("math.multiply", "__operators__.mul"),
    "Maximum": ("math.maximum",),
    "Minimum": ("math.minimum",),
}
ACTIVATIONS = {
    "Relu": ("relu", ("nn.relu",)),
    "Sigmoid": ("sigmoid", ("math.sigmoid", "nn.sigmoid")),
    "Tanh": ("tanh", ("math.tanh", "nn.tanh")),
    "Elu": ("elu", ("nn.elu",)),
    "Selu": ("selu", ("nn.selu",)),
    "Softplus": ("softplus", ("math.softplus", "nn.softplus")),
    "Softsign": ("softsign", ("nn.softsign",)),
}


def find_equal_layer(call: SourceCall, symbol: str | None) -> tuple[str, dict[str, object]] | None:
    """The name and arguments of the layer that computes the same as an operation, or None.

    Args:
        call: The operation and what it is applied to.
        symbol: TensorFlow's name for it, or None for an operation of Keras 3.
    """
    if call.masked:
        return None  # a layer would propagate the mask, but the operation drops it
    name = type(call.operation).__name__
    for layer, symbols in MERGES.items():
        if (name == layer if symbol is None else symbol in symbols) and merges_as_a_layer(call):
            return layer, {}
    for operation, (activation, symbols) in ACTIVATIONS.items():
        if (name == operation if symbol is None else symbol in symbols) and reads_only_tensors(call, 1):
            return "Activation", {"activation": activation}
    if symbol is None and reads_only_tensors(call, 1) and name in ("Relu6", "Softmax"):
        return ("ReLU", {"max_value": 6.0}) if name == "Relu6" else (name, {"axis": call.operation.axis})
    if symbol is None and name == "Concatenate" and isinstance(call.args[0], (list, tuple)):
        axis = {"axis": call.operation.axis}
        return (name, axis) if reads_only_tensors(call, len(call.args[0])) else None
    return None


def reads_only_tensors(call: SourceCall, count: int) -> bool:
    """Whether an operation reads this many float tensors of one dtype, and nothing else."""
    given = [leaf for leaf in keras.tree.flatten((call.args, call.kwargs)) if leaf is not None]
    dtypes = {dtype_name(call.tensors[slot.index]) for slot in call.slots}
    tensors = len(call.slots) == len(given) == count
    return tensors and len(dtypes) == 1 and "float" in dtypes.pop()


def merges_as_a_layer(call: SourceCall) -> bool:
    """Whether two tensors are merged as layers do, which align shapes of different ranks differently."""
    shapes = [tuple(call.tensors[slot.index].shape) for slot in call.slots]
    same = len({len(shape) for shape in shapes}) == 1 and len({shape[:1] for shape in shapes}) == 1
    return reads_only_tensors(call, 2) and same


def dtype_name(tensor: TensorSpec) -> str:
    """The name of a symbolic tensor's dtype."""
    return getattr(tensor.dtype, "name", None) or str(tensor.dtype)
