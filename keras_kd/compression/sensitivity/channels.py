"""Fewer channels: what the rest of a model reads of them is set to zero."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np

from keras_kd.compression.selection import Selection
from keras_kd.compression.sensitivity.parts import Change, Dissection, Part
from keras_kd.compression.shrinking.arguments import Arguments
from keras_kd.compression.shrinking.channels import Role
from keras_kd.compression.shrinking.counting import Limits
from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.compression.shrinking.following import OVER_CHANNELS
from keras_kd.compression.shrinking.planning import Plan, plan_shrinking


def channel_parts(model: keras.Model, selection: Selection[float]) -> Dissection:
    """The groups of channels of a model, by the first layer that makes them.

    An amount is the fraction of channels to keep: those that `kd.shrink` keeps, by their l2 norm.

    Raises:
        ValueError: A name that does not exist, or nothing that can be removed.
    """
    names = None if selection.layers is None else list(selection.layers)
    plan = plan_shrinking(model, Arguments(1.0, layers=names, skip=selection.skip))
    numbers: dict[str, list[int]] = {}
    for number, group in enumerate(plan.groups):
        numbers.setdefault(group.layer, []).append(number)
    parts = [
        Part(layer, functools.partial(_shrunk, _only(plan, own)), _tied(plan, own, layer))
        for layer, own in numbers.items()
    ]
    return Dissection(plan.opened, parts)


def _only(plan: Plan, numbers: Sequence[int]) -> Plan:
    return replace(plan, groups=[plan.groups[i] for i in numbers], scores=[plan.scores[i] for i in numbers])


def _tied(plan: Plan, numbers: Sequence[int], layer: str) -> tuple[str, ...]:
    makers = dict.fromkeys(path for i in numbers for path in plan.groups[i].makers)
    return tuple(path for path in makers if path != layer)


def _shrunk(plan: Plan, keep: float) -> Change:
    limits = Limits(multiple_of=1, floor=0.0)
    counts = [limits.count(group, keep * len(group.classes)) for group in plan.groups]
    cut = Cut(plan.channels, replace(plan, counts=counts).removed)
    if _is_mixed(cut):
        return cut.model(plan.opened)
    values: dict[int, tuple[keras.Variable, np.ndarray]] = {}
    for axis in plan.channels.axes.values():
        stays = cut.stays(axis.labels)
        if axis.role is Role.READS and not stays.all():
            variable, value = values.get(id(axis.variable), (axis.variable, np.array(axis.variable)))
            np.moveaxis(value, axis.axis, 0)[~stays] = 0
            values[id(variable)] = variable, value
    return list(values.values())


def _is_mixed(cut: Cut) -> bool:
    """Whether something computes with removed channels and others, so that zeros are not enough."""
    return any(
        type(call.operation).__name__ in OVER_CHANNELS
        and not all(cut.stays(cut.channels.of_slots[slot]).all() for slot in call.reads)
        for call in cut.channels.graph.calls
    )
