"""A model rebuilt layer by layer in the other library."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import keras

from keras_kd.tfmot.bridge import calls, foreign_operations
from keras_kd.tfmot.bridge.configuration import policy
from keras_kd.tfmot.bridge.directions import Direction, Unbridgeable, plain
from keras_kd.tfmot.bridge.graphs import Call, Entry, Graph, Slot, graph_of
from keras_kd.tfmot.bridge.recipes import Recipe, layer_recipe

# What TensorFlow takes as the name of a scope, which each layer of tf_keras opens.
NAMES = r"[A-Za-z0-9.][A-Za-z0-9_.\/>-]*"


@dataclasses.dataclass(frozen=True)
class Step:
    """A call of a counterpart."""

    recipe: Recipe
    args: tuple
    kwargs: dict
    results: list[int]


class Rebuilding:
    """Decides how every layer of a model is rebuilt, and what stands in the way."""

    def __init__(self, direction: Direction, custom_layers: Mapping[type, Any]) -> None:
        self.direction, self.custom = direction, custom_layers
        self.problems: list[str] = []
        self.recipes: dict[int, Recipe] = {}
        self.called: list[Recipe] = []  # inner ones before the models that hold them

    def recipe(self, layer: Any, path: str, call: Call | None = None) -> Recipe:
        """How to rebuild a layer or a model; what is wrong with it is added to the problems."""
        if id(layer) not in self.recipes:
            self.recipes[id(layer)] = self.attempt(layer, path, call)
        return self.recipes[id(layer)]

    def attempt(self, layer: Any, path: str, call: Call | None) -> Recipe:
        try:
            if type(layer) not in self.custom and is_graph(layer, self.direction):
                return self.model(layer, path, call is not None and call.masked)
            return layer_recipe(
                layer,
                path,
                self.direction,
                self.custom,
                lambda part, name: self.recipe(part, f"{path}/{name}"),
                call is not None and calls.masks_differ(call),
            )
        except Unbridgeable as reason:
            self.problems.append(f"{path} ({type(layer).__name__}): {reason}")
            return Recipe(layer, nothing, {"name": layer.name}, path)

    def model(self, model: Any, path: str, masked: bool) -> Recipe:
        """How to rebuild a model, called on masked data or not."""
        graph = graph_of(model, self.direction, masked)
        steps = [
            self.step(call, f"{path}/{call.operation.name}" if path else call.operation.name)
            for call in graph.calls
        ]
        kind = policy(model, self.direction)

        def make() -> Any:
            return with_policy(built_model(graph, steps, model.name, self.direction), kind)

        return Recipe(model, make, {}, path, copies=True)

    def step(self, call: Call, path: str) -> Step:
        """How to repeat a call with the counterpart."""
        if self.direction.forward and not re.fullmatch(NAMES, call.operation.name):
            reason = f"tf_keras does not take this name, only letters, digits and _ . / > - ({NAMES})"
            self.problems.append(f"{path} ({type(call.operation).__name__}): {reason}: rename it")
        try:
            found = calls.operation(call, path, self.direction)
            recipe, args, kwargs = found or self.layer_call(call, path)
        except Unbridgeable as reason:
            self.problems.append(f"{path} ({type(call.operation).__name__}): {reason}")
            recipe, args, kwargs = Recipe(call.operation, nothing, {}, path), (), {}
        if recipe not in self.called:
            self.called.append(recipe)
        return Step(recipe, args, kwargs, call.results)

    def layer_call(self, call: Call, path: str) -> tuple[Recipe, tuple, dict]:
        """How to repeat the call of a layer or a model."""
        recipe = self.recipe(call.operation, path, call)
        if recipe.template is None:
            return recipe, *calls.arguments(call, recipe, self.direction)
        slots, template = foreign_operations.numbered((call.args, calls.without_training(call.kwargs)))
        if recipe in self.called and template != recipe.arguments["arguments"]:
            raise Unbridgeable("it is called in two ways")
        recipe.arguments["arguments"] = template
        return recipe, calls.listed(slots), {}


def with_policy(model: Any, kind: str) -> Any:
    """The model with a dtype policy of its own, whatever the global one is: it decides on loss scaling."""
    if hasattr(model, "_set_dtype_policy"):
        model._set_dtype_policy(kind)
    else:
        model.dtype_policy = kind
    return model


def nothing(**arguments: Any) -> None:
    """What a layer that cannot be rebuilt is made with; its problem is told first."""


def is_graph(layer: Any, direction: Direction) -> bool:
    """Whether a layer is a Functional or Sequential model that runs as it is wired."""
    library = direction.source
    engine = library.src.models if direction.forward else library.src.engine
    kinds = (engine.functional.Functional, library.Sequential)
    return isinstance(layer, kinds) and type(layer).call in [kind.call for kind in kinds]


def built_model(graph: Graph, steps: list[Step], name: str, direction: Direction) -> Any:
    """The model of a graph whose layers have counterparts."""
    library = direction.target
    tensors = {index: entered(entry, direction) for index, entry in graph.entries.items()}
    if graph.sequential and all(len(step.args) == 1 and not step.kwargs for step in steps):
        model = library.Sequential(name=name)
        for layer in [*tensors.values(), *(step.recipe.build() for step in steps)]:
            model.add(layer)
        return model
    for step in steps:
        args, kwargs = placed((step.args, step.kwargs), tensors)
        layer = step.recipe.build()
        try:
            outputs = layer(*args, **kwargs)
        except Exception as error:
            error.add_note(f"This was {step.recipe.path}, while it was called in {direction.name}.")
            raise
        tensors.update(zip(step.results, keras.tree.flatten(plain(outputs)), strict=True))
    inputs, outputs = placed((graph.inputs, graph.outputs), tensors)
    return library.Model(inputs=inputs, outputs=outputs, name=name)


def placed(structure: Any, tensors: Mapping[int, Any]) -> Any:
    """The structure with tensors in place of slots."""
    return keras.tree.map_structure(
        lambda leaf: tensors[leaf.index] if isinstance(leaf, Slot) else leaf, structure
    )


def entered(entry: Entry, direction: Direction) -> Any:
    """An input of the target's library."""
    kinds = {kind: True for kind in ("sparse", "ragged") if getattr(entry, kind)}
    shape, size = entry.shape[1:], entry.shape[0]
    return direction.target.Input(shape, batch_size=size, name=entry.name, dtype=entry.dtype, **kinds)
