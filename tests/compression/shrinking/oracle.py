"""What a shrunk model must compute: the original, whose readers do not read what was removed."""

import keras
import numpy as np
from keras import layers, ops

from keras_kd.compression.shrinking.channels import Role
from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.compression.shrinking.groups import groups_of
from keras_kd.graphs import graph_of, open_layers, rebuild
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


def reading_only_what_stays(model: keras.Model, cut: Cut) -> keras.Model:
    """A copy of the original with zeros in the weights that read a removed channel."""
    replaced = {}
    for call in cut.channels.graph.calls:
        if isinstance(call.operation, NORMS) and call.operation.variables:
            found = cut.channels.axes[id(call.operation.variables[0]), 0]
            if not cut.stays(found.labels).all():
                replaced[call.operation] = NormOfKept(
                    call.operation, cut.stays(found.labels), cut.channels.graph.shape(call.reads[0])
                )
    copy = rebuild(graph_of(model), replaced)
    own = [v for v in model.variables if all(v is not w for norm in replaced for w in norm.variables)]
    added = {id(v) for layer in copy.layers if isinstance(layer, NormOfKept) for v in layer.variables}
    rest = [v for v in copy.variables if id(v) not in added]
    twins = dict(zip(map(id, own), rest, strict=True))
    for axis in cut.channels.axes.values():
        if axis.role is Role.READS:
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
