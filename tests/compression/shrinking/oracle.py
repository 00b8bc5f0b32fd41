"""What a shrunk model must compute: the original, whose readers do not read what was removed."""

import keras
import numpy as np
from keras import layers, ops

from keras_kd.compression.shrinking.channels import Role
from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.compression.shrinking.following import OVER_CHANNELS
from keras_kd.compression.shrinking.groups import groups_of
from keras_kd.graphs import Slot, graph_of, open_layers, rebuild
from tests.graphs.topologies import inputs_for, outputs_of

NORMS = layers.LayerNormalization, layers.RMSNormalization, layers.GroupNormalization


class NormOfKept(layers.Layer):
    """A normalization over the channels that are kept; the others become 0."""

    def __init__(self, norm, kept, shape):
        super().__init__()
        self.supports_masking = True
        self.kept, config = np.flatnonzero(kept), norm.get_config()
        if isinstance(norm, layers.GroupNormalization) and config["groups"] in (-1, len(kept)):
            config["groups"] = len(self.kept)
        self.small = type(norm).from_config(config)
        self.small.build((*shape[:-1], len(self.kept)))
        for new, old in zip(self.small.variables, norm.variables, strict=True):
            new.assign(np.asarray(old)[self.kept])
        self.scattered = np.eye(len(kept), dtype="float32")[self.kept]

    def call(self, x):
        return ops.matmul(self.small(ops.take(x, self.kept, axis=-1)), self.scattered)


class OfKept(layers.Layer):
    """An operation that reads zeros in place of channels that are removed, in each of its calls in turn."""

    def __init__(self, operation, calls, cut):
        super().__init__()
        self.supports_masking = True
        given = [keras.tree.flatten((call.args, call.kwargs)) for call in calls]
        labels = cut.channels.of_slots
        self.stays = [[cut.stays(labels[x]) if isinstance(x, Slot) else None for x in one] for one in given]
        self.operation, self.count = operation, 0

    def call(self, *args, **kwargs):
        stays = iter(self.stays[self.count % len(self.stays)])
        self.count += 1

        def masked(x):
            stay = next(stays)
            return x if stay is None else ops.where(stay, x, ops.zeros_like(x))

        args, kwargs = keras.tree.map_structure(masked, (args, kwargs))
        return self.operation(*args, **kwargs)


def stand_ins(cut: Cut) -> dict[keras.Operation, layers.Layer]:
    """What computes with the channels that are kept alone, in place of what sums over all of them."""
    found = {}
    for call in cut.channels.graph.calls:
        operation, reads = call.operation, [cut.channels.of_slots[slot] for slot in call.reads]
        if all(cut.stays(labels).all() for labels in reads):
            continue
        if isinstance(operation, NORMS) and operation.variables:
            stays = cut.stays(cut.channels.axes[id(operation.variables[0]), 0].labels)
            found[operation] = NormOfKept(operation, stays, cut.channels.graph.shape(call.reads[0]))
        elif type(operation).__name__ in OVER_CHANNELS:
            found[operation] = OfKept(operation, cut.channels.graph.calls_of(operation), cut)
    return found


def reading_only_what_stays(model: keras.Model, cut: Cut) -> keras.Model:
    """A copy of the original with zeros in the weights that read a removed channel."""
    replaced = stand_ins(cut)
    copy = rebuild(graph_of(model), replaced)
    theirs = {id(v) for it in replaced for v in getattr(it, "variables", ())}
    added = {id(v) for layer in replaced.values() for v in layer.variables}
    own = [v for v in model.variables if id(v) not in theirs]
    rest = [v for v in copy.variables if id(v) not in added]
    twins = dict(zip(map(id, own), rest, strict=True))
    for axis in cut.channels.axes.values():
        if axis.role is Role.READS and id(axis.variable) in twins:
            variable = twins[id(axis.variable)]
            value = np.moveaxis(np.array(variable), axis.axis, 0)
            value[~cut.stays(axis.labels)] = 0
            variable.assign(np.moveaxis(value, 0, axis.axis))
    return copy


def with_random_weights(model: keras.Model, seed: int = 1) -> keras.Model:
    """The model with weights of both signs, so that no two channels are alike."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        if "seed" not in variable.path and "float" in str(variable.dtype):
            drawn = random.normal(size=variable.shape) * 0.4
            variable.assign(np.abs(drawn) + 0.1 if "variance" in variable.path else drawn)
    return model


def cut_at_random(model: keras.Model, part: float | None = 0.5, seed: int = 0) -> tuple[keras.Model, Cut]:
    """The model with its layers of layers opened, and what stays without some channels of each group.

    Args:
        model: The model.
        part: The part of each group that is removed; `None`: a random number of each.
        seed: Of the choice.
    """
    opened, random = open_layers(model), np.random.default_rng(seed)
    channels, groups = groups_of(opened)
    parts = random.random(len(groups)) if part is None else [part] * len(groups)
    counts = [min(int(p * len(g.classes)), len(g.classes) - 1) for p, g in zip(parts, groups, strict=True)]
    removed = [random.choice(g.classes, n, replace=False) for g, n in zip(groups, counts, strict=True)]
    return opened.model, Cut(channels, np.concatenate([np.zeros(0, int), *removed]))


def assert_like_the_oracle(model: keras.Model, part: float | None = 0.5, seed: int = 0) -> keras.Model:
    """Cut a random part of the channels and compare with the oracle; returns the cut model."""
    opened, cut = cut_at_random(with_random_weights(model), part, seed)
    return compare_with_oracle(opened, cut)


def compare_with_oracle(opened: keras.Model, cut: Cut) -> keras.Model:
    """Make the cut of an opened model and compare its outputs with the oracle's."""
    small, inputs = cut.model(opened), inputs_for(opened)
    expected = outputs_of(reading_only_what_stays(opened, cut), inputs)
    for a, b in zip(outputs_of(small, inputs), expected, strict=True):
        assert np.abs(a - b).max() <= 1e-5 * max(1e-3, np.abs(b).max())
    return small
