"""Layers with a number for each channel: normalizations, scales, slopes."""

from keras_kd.compression.shrinking.channels import Role, Step


def along_axis(step: Step) -> None:
    """A layer whose weights are vectors along its axis: BatchNorm, LayerNorm, RMSNorm, LayerScale.

    A LayerNorm or RMSNorm over fewer channels has the mean and variance of those.
    """
    layer = step.operation
    axis = getattr(layer, "axis", -1)
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    for variable in layer.variables:
        shape = variable.shape
        for place, where in enumerate(axes[-len(shape) :]):
            step.axis(variable, place, Role.ALONG, step.along(where, shape[place]))
    step.give(step.given)


def group_norm(step: Step) -> None:
    """`GroupNormalization`: every group keeps as many channels, in the same places."""
    layer = step.operation
    size = step.shapes[0][layer.axis]
    labels = step.along(layer.axis, size)
    if 1 < layer.groups < size:
        by_group = labels.reshape(layer.groups, -1)
        step.ties.tie(by_group, by_group[:1])
    for variable in layer.variables:
        step.axis(variable, 0, Role.ALONG, labels)
    step.give(step.given)


def prelu(step: Step) -> None:
    """`PReLU`: a slope for each element, except along shared axes."""
    alpha = step.operation.alpha
    for axis, size in enumerate(alpha.shape):
        if size > 1 and step.ties.varies(step.given, axis + 1):
            step.axis(alpha, axis, Role.ALONG, step.along(axis + 1, size))
    step.give(step.given)


def unit_norm(step: Step) -> None:
    """`UnitNormalization`, `normalize`: over fewer channels, the norm is that of those."""
    step.give(step.given)
