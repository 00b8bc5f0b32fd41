"""How each layer is rebuilt: decided for all of them, and told, before anything is built."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from keras_kd.tfmot.bridge import foreign_operations
from keras_kd.tfmot.bridge.configuration import arguments, policy
from keras_kd.tfmot.bridge.directions import Direction, NoCounterpart, Unbridgeable
from keras_kd.tfmot.bridge.graphs import Slot
from keras_kd.tfmot.bridge.layer_table import FOREIGN, TABLE, UNEQUAL, Row

WRAPPERS = {
    "PruneLowMagnitude": "call strip_pruning on the model first",
    "ClusterWeights": "call strip_clustering on the model first",
    "ClusterWeightsMHA": "call strip_clustering on the model first",
}
# A call on one tensor and nothing else.
ONE_TENSOR: Any = ((Slot(0),), {})


@dataclasses.dataclass(eq=False)
class Recipe:
    """A layer's counterpart, made when it is first asked for: shared layers stay shared.

    Attributes:
        source: The layer it stands for.
        make: A class or function of the target's library.
        arguments: What `make` is given; recipes among them are made first.
        path: Where the layer is, for messages.
        template: How a called original takes its tensors, or None for a layer of the target's library.
        copies: Whether `make` already gives it the weights of its source.
    """

    source: Any
    make: Callable
    arguments: dict[str, Any]
    path: str
    template: Any = None
    copies: bool = False
    result: Any = None

    def build(self) -> Any:
        """The counterpart."""
        if self.result is None:
            arguments = {name: built(value) for name, value in self.arguments.items()}
            try:
                self.result = self.make(**arguments)
            except Exception as error:
                error.add_note(f"This was {self.path or 'the model'}, while it was rebuilt.")
                raise
        return self.result


def built(value: Any) -> Any:
    """A value with the layers in it made."""
    if isinstance(value, list):
        return [built(part) for part in value]
    return value.build() if isinstance(value, Recipe) else value


def layer_recipe(
    layer: Any,
    path: str,
    direction: Direction,
    custom: Mapping[type, Any],
    inner: Callable,
    masks_differ: bool,
) -> Recipe:
    """How to rebuild a layer that is not itself a model; `masks_differ`: it must treat masks as Keras 3 does.

    Raises:
        Unbridgeable: If it cannot be.
    """
    refuse(layer, direction)
    cls = type(layer)
    if cls in custom:
        return custom_recipe(layer, path, direction, custom[cls], inner)
    if cls is foreign_operations.TensorFlowOperation:
        return original(layer, path)
    name = public_name(cls, direction)
    if name is None:
        raise Unbridgeable(
            f"a layer of your own: say what stands for it in custom_layers={{{cls.__name__}: ...}}"
        )
    if direction.forward and name in FOREIGN:
        raise Unbridgeable(FOREIGN[name])
    target = getattr(direction.target.layers, name, None) or application(cls, direction.target)
    try:
        if direction.forward and masks_differ:
            raise NoCounterpart(f"tf_keras's {name} treats the mask that arrives in another way")
        if target is None or name in UNEQUAL:
            raise NoCounterpart(f"{direction.name} has no layer {name} that does the same")
        given = arguments(layer, target, direction, inner)
        return Recipe(layer, target, given, path, copies=TABLE.get(name, Row()).state_in_arguments)
    except NoCounterpart:
        if not direction.forward or any(penalties(weight) for weight in layer.weights):
            raise
        policy(layer, direction)
        return original(layer, path)


def public_name(cls: type, direction: Direction) -> str | None:
    """The name of a class of the source's library, or None for classes from elsewhere."""
    if application(cls, direction.source) is cls:
        return cls.__name__
    layers = direction.source.layers
    names = [cls.__name__, *(name for name in dir(layers) if getattr(layers, name) is cls)]
    return next((name for name in names if getattr(layers, name, None) is cls), None)


def penalties(weight: Any) -> bool:
    """Whether a weight has what only the training of a Keras 3 model would apply."""
    return weight.regularizer is not None or weight.constraint is not None


def original(layer: Any, path: str) -> Recipe:
    """The tf_keras layer that calls a copy of a Keras 3 layer."""

    def make(arguments: Any) -> Any:
        return foreign_operations.keras_operation()(
            foreign_operations.copied(layer), arguments, name=layer.name
        )

    return Recipe(layer, make, {"arguments": ONE_TENSOR}, path, template=ONE_TENSOR, copies=True)


def application(cls: type, library: Any) -> Any:
    """The class with this name in the same module of the library's applications."""
    parts = cls.__module__.split(".")
    if parts[-2:-1] != ["applications"]:
        return None
    module = getattr(library.src.applications, parts[-1], None)
    return getattr(module, cls.__name__, None)


def custom_recipe(layer: Any, path: str, direction: Direction, stand_in: Any, inner: Callable) -> Recipe:
    """How to rebuild a layer that the caller has said what stands for."""
    if isinstance(stand_in, type):
        if not issubclass(stand_in, direction.target.layers.Layer):
            raise Unbridgeable(f"custom_layers maps it to {stand_in}, which is no layer of {direction.name}")
        return Recipe(layer, stand_in, arguments(layer, stand_in, direction, inner), path)

    def make() -> Any:
        made = stand_in(layer)
        if not isinstance(made, direction.target.layers.Layer):
            raise TypeError(f"custom_layers made {made!r} for {path}: expected a layer of {direction.name}")
        return made

    return Recipe(layer, make, {}, path)


def refuse(layer: Any, direction: Direction) -> None:
    """Raises where a layer is more than its class and arguments tell."""
    cls = type(layer)
    if any(parent.__module__.startswith("tensorflow_model_optimization") for parent in cls.__mro__):
        quantized = "quantize-aware models cannot come back to Keras 3: export them as they are"
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
        raise Unbridgeable(
            "a subclassed model: only Functional and Sequential models tell how they are wired"
        )
