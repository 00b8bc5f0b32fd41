"""The counterparts of layers: all are planned, and problems are reported, before any is built."""

import dataclasses
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import keras

from keras_kd.legacy import KerasLayer, application_class
from keras_kd.tfmot.bridge import foreign_operations
from keras_kd.tfmot.bridge.configuration import PlanInner, translate_config, translate_policy
from keras_kd.tfmot.bridge.directions import Direction, NoCounterpart, Unbridgeable
from keras_kd.tfmot.bridge.graphs import Slot
from keras_kd.tfmot.bridge.layer_table import FOREIGN, TABLE, UNEQUAL, LayerMapping

WRAPPERS = {
    "PruneLowMagnitude": "call strip_pruning on the model first",
    "ClusterWeights": "call strip_clustering on the model first",
    "ClusterWeightsMHA": "call strip_clustering on the model first",
}
# A call on one tensor and nothing else.
ONE_TENSOR: Any = ((Slot(0),), {})


@dataclasses.dataclass(eq=False)
class Counterpart:
    """The counterpart of a layer in the other library, made when first needed: shared layers stay shared.

    Attributes:
        source: The layer of the source's library.
        make: A class or function of the target's library.
        arguments: The arguments of `make`; counterparts among them are made first.
        path: Where the layer is, for messages.
        template: How a called original takes its tensors, or None for a layer of the target's library.
        copies: Whether `make` already gives it the weights of its source.
    """

    source: KerasLayer
    make: Callable[..., Any]
    arguments: dict[str, Any]
    path: str
    template: Any = None
    copies: bool = False
    result: Any = None

    def build(self) -> Any:
        """The layer or model."""
        if self.result is None:
            arguments = {name: build_all(value) for name, value in self.arguments.items()}
            try:
                self.result = self.make(**arguments)
            except Exception as error:
                error.add_note(f"This was {self.path or 'the model'}, while it was rebuilt.")
                raise
        return self.result


def build_all(value: object) -> Any:
    """A value with its counterparts built."""
    if isinstance(value, list):
        return [build_all(part) for part in value]
    return value.build() if isinstance(value, Counterpart) else value


def plan_layer(
    layer: KerasLayer,
    path: str,
    direction: Direction,
    custom: Mapping[type, Any],
    plan_inner: PlanInner,
    masks_differ: bool,
) -> Counterpart:
    """How to rebuild a layer that is not a model; `masks_differ`: it must treat masks as Keras 3 does.

    Raises:
        Unbridgeable: If it cannot be rebuilt.
    """
    check_rebuildable(layer, direction)
    cls = type(layer)
    if cls in custom:
        return plan_custom_layer(layer, path, direction, custom[cls], plan_inner)
    if cls is foreign_operations.TensorFlowOperation:
        return plan_call_of_original(layer, path)
    name = find_public_name(cls, direction)
    if name is None:
        raise Unbridgeable(
            f"a layer of your own: give its counterpart in custom_layers={{{cls.__name__}: ...}}"
        )
    if direction.forward and name in FOREIGN:
        raise Unbridgeable(FOREIGN[name])
    try:
        if direction.forward and masks_differ:
            raise NoCounterpart(f"tf_keras's {name} handles the mask that it receives differently")
        return plan_stock_layer(layer, name, path, direction, plan_inner)
    except NoCounterpart:
        if not direction.forward or any(has_penalty(weight) for weight in layer.weights):
            raise
        translate_policy(layer, direction)  # which raises if the layer is quantized
        return plan_call_of_original(layer, path)


def plan_stock_layer(
    layer: KerasLayer, name: str, path: str, direction: Direction, plan_inner: PlanInner
) -> Counterpart:
    """How to rebuild a layer of the source's library as the one of the same name in the target's."""
    target = getattr(direction.target.layers, name, None)
    target = target or find_application_class(type(layer), direction.target)
    if target is None or name in UNEQUAL:
        raise NoCounterpart(f"{direction.name} has no layer {name} that does the same")
    arguments = translate_config(layer, target, direction, plan_inner)
    copies = TABLE.get(name, LayerMapping()).state_in_arguments
    return Counterpart(layer, target, arguments, path, copies=copies)


def find_public_name(cls: type, direction: Direction) -> str | None:
    """The name of a class in the source's library, or None for classes from elsewhere."""
    if find_application_class(cls, direction.source) is cls:
        return cls.__name__
    layers = direction.source.layers
    names = [cls.__name__, *(name for name in dir(layers) if getattr(layers, name) is cls)]
    return next((name for name in names if getattr(layers, name, None) is cls), None)


def has_penalty(weight: keras.Variable) -> bool:
    """Whether a weight has a regularizer or constraint that only training in Keras 3 would apply."""
    return weight.regularizer is not None or weight.constraint is not None


def plan_call_of_original(layer: KerasLayer, path: str) -> Counterpart:
    """The tf_keras layer that calls a copy of a Keras 3 layer."""

    def make(arguments: tuple[Any, Any]) -> KerasLayer:
        return foreign_operations.call_operation(foreign_operations.copy_layer(layer), arguments)

    return Counterpart(layer, make, {"arguments": ONE_TENSOR}, path, template=ONE_TENSOR, copies=True)


def find_application_class(cls: type, library: ModuleType) -> type | None:
    """The class with this name in the same module of the library's applications."""
    *_, package, module = ["", *cls.__module__.split(".")]
    return application_class(library, module, cls.__name__) if package == "applications" else None


def plan_custom_layer(
    layer: KerasLayer,
    path: str,
    direction: Direction,
    stand_in: Callable[..., Any],
    plan_inner: PlanInner,
) -> Counterpart:
    """How to rebuild a layer whose counterpart the caller has provided."""
    if isinstance(stand_in, type):
        if not issubclass(stand_in, direction.target.layers.Layer):
            raise Unbridgeable(
                f"custom_layers maps it to {stand_in}, which is not a layer of {direction.name}"
            )
        return Counterpart(layer, stand_in, translate_config(layer, stand_in, direction, plan_inner), path)

    def make() -> KerasLayer:
        made = stand_in(layer)
        if not isinstance(made, direction.target.layers.Layer):
            raise TypeError(
                f"custom_layers returned {made!r} for {path}: expected a layer of {direction.name}"
            )
        return made

    return Counterpart(layer, make, {}, path)


def check_rebuildable(layer: KerasLayer, direction: Direction) -> None:
    """Raise Unbridgeable if a layer is more than its class and arguments say."""
    cls = type(layer)
    if any(parent.__module__.startswith("tensorflow_model_optimization") for parent in cls.__mro__):
        quantized = "quantization-aware models cannot return to Keras 3: export them as they are"
        raise Unbridgeable(
            f"a wrapper of tensorflow-model-optimization: {WRAPPERS.get(cls.__name__, quantized)}"
        )
    if getattr(layer, "lora_enabled", False):
        raise Unbridgeable("LoRA is enabled: merge it into the kernel first")
    if direction.forward and getattr(layer, "quantization_mode", None) is not None:
        raise Unbridgeable(
            f"it is quantized ({layer.quantization_mode}): bridge the model before quantizing it"
        )
    if direction.is_model(layer):
        raise Unbridgeable("a subclassed model: only Functional and Sequential models have a known graph")
