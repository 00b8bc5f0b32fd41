"""How a call is repeated in the other library."""

import inspect
from typing import Any

import keras
from tensorflow.python.util.tf_export import get_canonical_name_for_symbol

from keras_kd.tfmot.bridge import foreign_operations
from keras_kd.tfmot.bridge.directions import Direction, Unbridgeable
from keras_kd.tfmot.bridge.graphs import Call, Slot
from keras_kd.tfmot.bridge.layer_table import MASKS_APART, MASKS_MERGED
from keras_kd.tfmot.bridge.operations import as_layer, dtype
from keras_kd.tfmot.bridge.recipes import Recipe

# The layers that tf_keras puts around functions of TensorFlow called on its symbolic tensors.
LAMBDAS = ("TFOpLambda", "SlicingOpLambda")

Found = tuple[Recipe, tuple, dict]


def operation(call: Call, path: str, direction: Direction) -> Found | None:
    """How to repeat what is no layer, or was none in the library it came from; None for a layer."""
    source = call.operation
    if direction.forward:
        return None if isinstance(source, keras.layers.Layer) else keras_operation(call, path)
    if type(source).__name__ == "KerasOperation" and hasattr(source, "operation"):
        return original(call, path)
    return tensorflow_operation(call, path) if type(source).__name__ in LAMBDAS else None


def keras_operation(call: Call, path: str) -> Found:
    """A Keras 3 operation: a layer that does the same, or one that calls it."""
    if stand_in := as_layer(call, None):
        return layer(call, path, stand_in, foreign_operations.tf_keras())
    slots, template = foreign_operations.numbered((call.args, call.kwargs))

    def make() -> Any:
        return foreign_operations.keras_operation()(call.operation, template, name=call.operation.name)

    return Recipe(call.operation, make, {}, path, copies=True), listed(slots), {}


def tensorflow_operation(call: Call, path: str) -> Found:
    """A function of TensorFlow in a tf_keras model."""
    function = call.operation.function
    symbol = get_canonical_name_for_symbol(function, add_prefix_to_v1_names=True)
    kwargs = {name: value for name, value in call.kwargs.items() if name != "name"}
    call = Call(call.operation, call.args, kwargs, call.results, call.tensors)
    if stand_in := as_layer(call, symbol or ""):
        return layer(call, path, stand_in, keras)
    if not symbol:
        raise Unbridgeable(f"{function} is no public function of TensorFlow")
    if not foreign_operations.only_computes(function):
        raise Unbridgeable(f"tf.{symbol} is not among the functions that only compute, which a file may call")
    slots, template = foreign_operations.numbered((call.args, kwargs))

    def make() -> Any:
        return foreign_operations.TensorFlowOperation(function, template, name=call.operation.name)

    return Recipe(call.operation, make, {}, path, copies=True), listed(slots), {}


def layer(call: Call, path: str, stand_in: tuple[str, dict], library: Any) -> Found:
    """The call of a stock layer in place of an operation."""
    name, arguments = stand_in
    kind = dtype(call.tensors[call.results[0]])
    given = {"name": call.operation.name, "dtype": kind, **arguments}
    slots = call.slots
    recipe = Recipe(call.operation, getattr(library.layers, name), given, path, copies=True)
    return recipe, (slots if len(slots) > 1 or name == "Concatenate" else slots[0],), {}


def original(call: Call, path: str) -> Found:
    """The Keras 3 operation or layer that a tf_keras layer calls."""
    source = call.operation
    inside = source.operation

    def make() -> Any:
        return foreign_operations.copied(inside) if isinstance(inside, keras.layers.Layer) else inside

    args, kwargs = foreign_operations.filled(source.arguments, call.args[0])
    return Recipe(source, make, {}, path, copies=True), args, kwargs


def listed(slots: list[Slot]) -> tuple:
    """The tensors as the one argument of a layer."""
    return (slots[0] if len(slots) == 1 else slots,)


def masks_differ(call: Call) -> bool:
    """Whether a mask arrives that the layer of the same name in tf_keras treats in another way."""
    layer, name = call.operation, type(call.operation).__name__
    if name in MASKS_MERGED:
        return call.masked and (call.nested_masks or len({id(mask) for mask in call.masks}) > 1)
    if name == "MultiHeadAttention":  # these two take another path in Keras 3, which zeroes padded queries
        return call.masked and (layer._dropout > 0 or bool(call.kwargs.get("return_attention_scores")))
    return call.masked and name in MASKS_APART


def without_training(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of a call without the flag that Keras 3 passes on, and without None."""
    return {name: value for name, value in kwargs.items() if name != "training" and value is not None}


def arguments(call: Call, recipe: Recipe, direction: Direction) -> tuple[tuple, dict]:
    """The arguments with which the counterpart of a layer is called.

    Raises:
        Unbridgeable: If the counterpart takes no such argument.
    """
    given = bound(call, direction)
    first, *others = given.items()
    target: Any = recipe.make
    anything = not isinstance(target, type)  # a function makes it, or it is a model
    known = [] if anything else [*inspect.signature(target.call).parameters, "initial_state"]
    for name, value in others:
        if not anything and name not in known:
            raise Unbridgeable(
                f"it is called with {name}={value!r}, which {direction.name}'s layer does not take"
            )
    return (first[1],), dict(others)


def bound(call: Call, direction: Direction) -> dict[str, Any]:
    """The arguments of a call by their names, without those at their defaults."""
    layer, args, kwargs = call.operation, call.args, call.kwargs
    if not direction.forward and kwargs.get("training") is True:
        raise Unbridgeable("it is called with training=True, which Keras 3 does not keep")
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
        if getattr(layer, "_num_constants", None):
            raise Unbridgeable("it is called with constants")
        given[first], *state = given[first]  # tf_keras passes states with the inputs
        given["initial_state"] = state
    return given
