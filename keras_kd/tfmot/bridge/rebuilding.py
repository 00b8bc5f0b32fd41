"""A model rebuilt layer by layer in the other library."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import keras

from keras_kd.legacy import KerasLayer, KerasModel, functional_class, set_policy
from keras_kd.tensors import Tensor
from keras_kd.tfmot.bridge import calls, foreign_operations
from keras_kd.tfmot.bridge.configuration import translate_policy
from keras_kd.tfmot.bridge.counterparts import Counterpart, plan_layer
from keras_kd.tfmot.bridge.directions import Direction, Unbridgeable, to_plain
from keras_kd.tfmot.bridge.foreign_operations import fill_slots
from keras_kd.tfmot.bridge.graphs import ModelInput, SourceCall, SourceGraph, read_graph

# What TensorFlow accepts as the name of a scope, which each tf_keras layer opens.
NAMES = r"[A-Za-z0-9.][A-Za-z0-9_.\/>-]*"


@dataclasses.dataclass(frozen=True)
class Step:
    """A call of a counterpart."""

    counterpart: Counterpart
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[int]


class Rebuilding:
    """Plans how every layer of a model is rebuilt, and collects the problems."""

    def __init__(self, direction: Direction, custom_layers: Mapping[type, Any]) -> None:
        self.direction, self.custom = direction, custom_layers
        self.problems: list[str] = []
        self.counterparts: dict[int, Counterpart] = {}
        self.called: list[Counterpart] = []  # inner ones before the models that contain them

    def plan(self, layer: KerasLayer, path: str, call: SourceCall | None = None) -> Counterpart:
        """How to rebuild a layer or a model; what is wrong with it is added to the problems."""
        if id(layer) not in self.counterparts:
            self.counterparts[id(layer)] = self.plan_new(layer, path, call)
        return self.counterparts[id(layer)]

    def plan_new(self, layer: KerasLayer, path: str, call: SourceCall | None) -> Counterpart:
        try:
            if type(layer) not in self.custom and is_wired_model(layer, self.direction):
                return self.plan_model(layer, path, call is not None and call.masked)
            return plan_layer(
                layer,
                path,
                self.direction,
                self.custom,
                lambda part, name: self.plan(part, f"{path}/{name}"),
                call is not None and calls.masks_differ(call),
            )
        except Unbridgeable as reason:
            self.problems.append(f"{path} ({type(layer).__name__}): {reason}")
            return Counterpart(layer, make_nothing, {"name": layer.name}, path)

    def plan_model(self, model: KerasModel, path: str, masked: bool) -> Counterpart:
        """How to rebuild a model, called on masked data or not."""
        graph = read_graph(model, self.direction, masked)
        steps = [
            self.plan_step(call, f"{path}/{call.operation.name}" if path else call.operation.name)
            for call in graph.calls
        ]
        policy = translate_policy(model, self.direction)

        def make() -> KerasModel:
            rebuilt = build_model(graph, steps, model.name, self.direction)
            set_policy(rebuilt, policy)  # whatever the global policy is: it decides on loss scaling
            return rebuilt

        return Counterpart(model, make, {}, path, copies=True)

    def plan_step(self, call: SourceCall, path: str) -> Step:
        """How to repeat a call with the counterpart."""
        if self.direction.forward and not re.fullmatch(NAMES, call.operation.name):
            reason = f"tf_keras does not accept this name, only letters, digits and _ . / > - ({NAMES})"
            self.problems.append(f"{path} ({type(call.operation).__name__}): {reason}: rename it")
        try:
            planned = calls.plan_operation(call, path, self.direction)
            counterpart, args, kwargs = planned or self.plan_layer_call(call, path)
        except Unbridgeable as reason:
            self.problems.append(f"{path} ({type(call.operation).__name__}): {reason}")
            counterpart, args, kwargs = Counterpart(call.operation, make_nothing, {}, path), (), {}
        if counterpart not in self.called:
            self.called.append(counterpart)
        return Step(counterpart, args, kwargs, call.results)

    def plan_layer_call(self, call: SourceCall, path: str) -> calls.PlannedCall:
        """How to repeat the call of a layer or a model."""
        counterpart = self.plan(call.operation, path, call)
        if counterpart.template is None:
            return counterpart, *calls.adapt_arguments(call, counterpart, self.direction)
        slots, template = foreign_operations.number_slots((call.args, calls.without_training(call.kwargs)))
        if counterpart in self.called and template != counterpart.arguments["arguments"]:
            raise Unbridgeable("it is called in two ways")
        counterpart.arguments["arguments"] = template
        return counterpart, calls.as_one_argument(slots), {}


def make_nothing(**arguments: object) -> None:
    """Stands for the class of a layer that cannot be rebuilt; its problem is raised before this is called."""


def is_wired_model(layer: KerasLayer, direction: Direction) -> bool:
    """Whether a layer is a Functional or Sequential model that does not override `call`."""
    kinds: tuple[Any, ...] = (functional_class(direction.source), direction.source.Sequential)
    return isinstance(layer, kinds) and type(layer).call in [kind.call for kind in kinds]


def build_model(graph: SourceGraph, steps: list[Step], name: str, direction: Direction) -> KerasModel:
    """The model for a graph whose layers have counterparts."""
    library = direction.target
    tensors = {index: make_input(entry, direction) for index, entry in graph.entries.items()}
    if graph.sequential and all(len(step.args) == 1 and not step.kwargs for step in steps):
        model = library.Sequential(name=name)
        for layer in [*tensors.values(), *(step.counterpart.build() for step in steps)]:
            model.add(layer)
        return model
    for step in steps:
        args, kwargs = fill_slots((step.args, step.kwargs), tensors)
        layer = step.counterpart.build()
        try:
            outputs = layer(*args, **kwargs)
        except Exception as error:
            error.add_note(f"This was {step.counterpart.path}, while it was called in {direction.name}.")
            raise
        tensors.update(zip(step.results, keras.tree.flatten(to_plain(outputs)), strict=True))
    inputs, outputs = fill_slots((graph.inputs, graph.outputs), tensors)
    return library.Model(inputs=inputs, outputs=outputs, name=name)


def make_input(entry: ModelInput, direction: Direction) -> Tensor:
    """An input of the target's library."""
    kinds = {kind: True for kind in ("sparse", "ragged") if getattr(entry, kind)}
    shape, size = entry.shape[1:], entry.shape[0]
    return direction.target.Input(shape, batch_size=size, name=entry.name, dtype=entry.dtype, **kinds)
