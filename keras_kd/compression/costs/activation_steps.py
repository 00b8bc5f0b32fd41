"""The steps of activations and normalizations."""

from collections.abc import Callable

from keras_kd.compression.costs.site import Site
from keras_kd.tensors import Tensor

# Activations of Keras that are one step and overwrite nothing are not listed.
_PASSED_ON = ("linear", "identity")
_FUSED = ("relu", "relu6", "re_lu")
_OVER = ("softmax", "hard_sigmoid")


def note_activation(site: Site, read: int, name: str) -> int:
    """Note the steps of an activation; returns its result.

    Args:
        site: The layer.
        read: What it is applied to.
        name: Its name in Keras.
    """
    if name in _PASSED_ON:
        return read
    if name in _FUSED:
        return site.record.fused(read)
    if name in _OVER:
        return site.over(read)
    if name in ("silu", "swish"):
        return site.over(read, site.new(read))
    if name in ("softplus", "mish"):
        logarithm = site.new(site.over(site.new(read)))
        return logarithm if name == "softplus" else site.over(read, site.new(logarithm))
    if name == "selu":
        positive, negative = site.new(read), site.new(read)
        return site.new(site.new(read, size=site.size // 4), positive, negative)
    return site.new(read)


def activation_name(function: Callable[[Tensor], Tensor]) -> str:
    """The name of an activation, which may also be a layer or another object that can be called."""
    return getattr(function, "__name__", type(function).__name__.lower())


def note_normalization(site: Site, read: int, moments: float, scales: float, axes: int = 4) -> int:
    """Note the steps of a normalization over axes of its input; returns its result.

    Args:
        site: The layer.
        read: What it normalizes.
        moments: The size of its means, as a part of the whole.
        scales: The size of means times weights.
        axes: The rank at which it works; above 4, differences are not squared in the same step.
    """
    mean = site.new(read, size=site.part(moments))
    negative = site.new(mean, size=site.part(moments))
    square = site.new(read, mean) if axes <= 4 else site.new(site.new(read, mean))
    variance = site.new(square, size=site.part(moments))
    scale = site.new(site.new(variance, size=site.part(moments)), size=site.part(scales))
    shift = site.new(negative, scale, size=site.part(scales))
    return site.over(site.new(read, scale), shift)
