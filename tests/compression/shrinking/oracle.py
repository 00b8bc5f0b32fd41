"""What a shrunk model must compute: the original, whose readers do not read what was removed."""

import keras
import numpy as np
from keras import layers, ops

from keras_kd.compression.shrinking.channels import Role
from keras_kd.compression.shrinking.cutting import Cut
from keras_kd.graphs import graph_of, rebuild

NORMS = layers.LayerNormalization, layers.RMSNormalization, layers.GroupNormalization


class NormOfKept(layers.Layer):
    """A normalization over the channels that are kept; the others become 0."""

    def __init__(self, norm, kept, shape):
        super().__init__()
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
