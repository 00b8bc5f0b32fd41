"""How a call is repeated in the other library."""

import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeAlias

import keras

from keras_kd.keras_internals import dropout_of
from keras_kd.legacy import KerasLayer, takes_constants
from keras_kd.tensorflow_internals import public_name
from keras_kd.tfmot.bridge import foreign_operations
from keras_kd.tfmot.bridge.counterparts import Counterpart
from keras_kd.tfmot.bridge.directions import Direction, Unbridgeable, load_tf_keras
from keras_kd.tfmot.bridge.graphs import Slot, SourceCall
from keras_kd.tfmot.bridge.layer_table import MASKS_APART, MASKS_MERGED
from keras_kd.tfmot.bridge.operations import dtype_name, find_equal_layer

# The layers that tf_keras puts around TensorFlow functions called on its symbolic tensors.
LAMBDAS = ("TFOpLambda", "SlicingOpLambda")

PlannedCall: TypeAlias = tuple[Counterpart, tuple[Any, ...], dict[str, Any]]  # with the arguments of its call


def plan_operation(call: SourceCall, path: str, direction: Direction) -> PlannedCall | None:
    """How to repeat what is not a layer, or was not in the library it came from; None for a layer."""
    source = call.operation
    if direction.forward:
        return None if isinstance(source, keras.layers.Layer) else plan_keras_operation(call, path)
    if type(source).__name__ == "KerasOperation" and hasattr(source, "operation"):
        return plan_original(call, path)
    return plan_tensorflow_operation(call, path) if type(source).__name__ in LAMBDAS else None


def plan_keras_operation(call: SourceCall, path: str) -> PlannedCall:
    """A Keras 3 operation: a layer that does the same, or one that calls it."""
    if equal := find_equal_layer(call, None):
        return plan_layer(call, path, equal, load_tf_keras())
    slots, template = foreign_operations.number_slots((call.args, call.kwargs))

    def make() -> KerasLayer:
        return foreign_operations.call_operation(call.operation, template)

    return Counterpart(call.operation, make, {}, path, copies=True), as_one_argument(slots), {}


def plan_tensorflow_operation(call: SourceCall, path: str) -> PlannedCall:
    """A TensorFlow function in a tf_keras model."""
    function = call.operation.function
    symbol = public_name(function)
    kwargs = {name: value for name, value in call.kwargs.items() if name != "name"}
    call = SourceCall(call.operation, call.args, kwargs, call.results, call.tensors)
    if equal := find_equal_layer(call, symbol or ""):
        return plan_layer(call, path, equal, keras)
    if not symbol:
        raise Unbridgeable(f"{function} is not a public function of TensorFlow")
    if not foreign_operations.only_computes(function):
        raise Unbridgeable(
            f"tf.{symbol} is not among the functions that only compute, and a file may call no others"
        )
    slots, template = foreign_operations.number_slots((call.args, kwargs))

    def make() -> KerasLayer:
        return foreign_operations.TensorFlowOperation(function, template, name=call.operation.name)

    return Counterpart(call.operation, make, {}, path, copies=True), as_one_argument(slots), {}


def plan_layer(
    call: SourceCall, path: str, equal: tuple[str, dict[str, Any]], library: ModuleType
) -> PlannedCall:
    """The call of a stock layer in place of an operation."""
    name, arguments = equal
    kind = dtype_name(call.tensors[call.results[0]])
    given = {"name": call.operation.name, "dtype": kind, **arguments}
    slots = call.slots
    counterpart = Counterpart(call.operation, getattr(library.layers, name), given, path, copies=True)
    return counterpart, (slots if len(slots) > 1 or name == "Concatenate" else slots[0],), {}


def plan_original(call: SourceCall, path: str) -> PlannedCall:
    """The Keras 3 operation or layer that a tf_keras layer calls."""
    source = call.operation
    inside = source.operation

    def make() -> keras.Operation:
        return foreign_operations.copy_layer(inside) if isinstance(inside, keras.layers.Layer) else inside

    args, kwargs = foreign_operations.fill_slots(source.arguments, call.args[0])
    return Counterpart(source, make, {}, path, copies=True), args, kwargs


def as_one_argument(slots: Sequence[Slot]) -> tuple[Any, ...]:
    """The tensors as a layer's single argument."""
    return (slots[0] if len(slots) == 1 else list(slots),)


def masks_differ(call: SourceCall) -> bool:
    """Whether a mask arrives that tf_keras's layer of the same name treats differently."""
    layer, name = call.operation, type(call.operation).__name__
    if name in MASKS_MERGED:
        return call.masked and (call.nested_masks or len({id(mask) for mask in call.masks}) > 1)
    if name == "MultiHeadAttention":  # these two take another path in Keras 3, which zeroes padded queries
        return call.masked and (dropout_of(layer) > 0 or bool(call.kwargs.get("return_attention_scores")))
    return call.masked and name in MASKS_APART


def without_training(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a call, without None and without the flag that Keras 3 adds automatically."""
    return {name: value for name, value in kwargs.items() if name != "training" and value is not None}


def adapt_arguments(
    call: SourceCall, counterpart: Counterpart, direction: Direction
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that the counterpart of a layer is called with.

    Raises:
        Unbridgeable: If the counterpart takes no such argument.
    """
    given = bind_arguments(call, direction)
    first, *others = given.items()
    target: Any = counterpart.make
    takes_any = not isinstance(target, type)  # a function makes it, or it is a model
    known = [] if takes_any else [*inspect.signature(target.call).parameters, "initial_state"]
    for name, value in others:
        if not takes_any and name not in known:
            raise Unbridgeable(
                f"it is called with {name}={value!r}, which {direction.name}'s layer does not take"
            )
    return (first[1],), dict(others)


def bind_arguments(call: SourceCall, direction: Direction) -> dict[str, Any]:
    """The arguments of a call by name, without those at their defaults."""
    layer, args, kwargs = call.operation, call.args, call.kwargs
    if not direction.forward and kwargs.get("training") is True:
        raise Unbridgeable("it is called with training=True, which Keras 3 would not keep")
    if direction.is_model(layer):
        return {"inputs": (*args, *kwargs.values())[0]}
    signature = inspect.signature(layer.call)
    given = dict(signature.bind_partial(*args, **without_training(kwargs)).arguments)
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given |= given.pop(name, {})
        elif name == "training" or (
            name in given and (given[name] is None or given[name] is parameter.default)
        ):
            given.pop(name, None)
    first = next(iter(given))
    if not direction.forward and hasattr(layer, "return_state") and isinstance(given[first], list):
        if takes_constants(layer):
            raise Unbridgeable("it is called with constants")
        given[first], *state = given[first]  # tf_keras passes states with the inputs
        given["initial_state"] = state
    return given
