"""The range of a model's inputs: of samples, and as the model's first layers imply it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from keras_kd.deployment.input_scales import Scale, input_scales
from keras_kd.deployment.source.serving import Serving
from keras_kd.results import Result
from keras_kd.tensors import Shape, Tensor

# Samples whose range is this fraction of the implied one, or this many times as wide, have another scale.
_TINY, _HUGE = 0.1, 10.0
# Fraction of the values that may lie outside the range that a file was calibrated for.
_CLIPPED = 0.01
# Arithmetic that is no Rescaling, and multiplies by more than this, tells nothing of pixels.
_DOWN = 1 / 32


@dataclass(frozen=True)
class InputRange(Result):
    """The smallest and the largest value of an input.

    Args:
        name: the input.
        low: the smallest value.
        high: the largest value.

    Examples:
        >>> print(InputRange("image", 0.0, 255.0))
        image: 0 to 255
    """

    name: str
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.name}: {self.low:.4g} to {self.high:.4g}"


def ranges_of(samples: Mapping[str, np.ndarray]) -> tuple[InputRange, ...]:
    """The range of each input over the samples, by name."""
    return tuple(
        InputRange(name, float(array.min()), float(array.max()))
        for name, array in samples.items()
        if array.size
    )


def unlike_model(served: Serving, samples: Mapping[str, np.ndarray]) -> list[str]:
    """Sentences about samples on another scale than the model's first layers or its input types imply."""
    scales = input_scales(served)
    found = []
    for tensor in served.inputs:
        values = samples[tensor.name].astype("float64")
        if not values.size:
            continue
        told = [one for one in scales.get(tensor.name, []) if one.is_normalization or _rescaled_from(one)]
        found += next((said for scale in told if (said := _unlike_scale(tensor.name, values, scale))), [])
        if not told and tensor.dtype == "uint8":
            found += _unlike_range(tensor.name, values, 0, 255, "its type, uint8,")
    return found


def _unlike_scale(name: str, values: np.ndarray, scale: Scale) -> list[str]:
    if scale.is_normalization:
        return _unlike_normalization(name, _reshaped(values, scale.shape), scale.layer)
    low, high = _rescaled_from(scale) or (values.min(), values.max())
    if scale.is_part and np.ptp(values) > high - low:
        return []  # other channels may reach further
    layer = getattr(scale.layer, "name", None)
    return _unlike_range(
        name, values, low, high, f"Rescaling {layer!r}" if layer else "the model's arithmetic"
    )


def _rescaled_from(scale: Scale) -> tuple[float, float] | None:
    """What becomes 0 to 1; what an offset below 0 centers, from 0 on; `None` for what does not scale down."""
    factor, offset = scale.factor, scale.offset
    if not 0 < factor < (1 if scale.layer is not None else _DOWN):
        return None
    return (0.0, -2 * offset / factor) if offset < 0 else ((0.0 - offset) / factor, (1.0 - offset) / factor)


def _unlike_range(name: str, values: np.ndarray, low: float, high: float, why: str) -> list[str]:
    width, implied = np.ptp(values), high - low
    if _TINY * implied <= width <= _HUGE * implied:
        return []
    return [
        f"the samples for input {name!r} reach from {values.min():.4g} to {values.max():.4g}, where {why} "
        f"implies about {low:.4g} to {high:.4g}: pass them on the scale that the model takes."
    ]


def _reshaped(values: np.ndarray, shape: Shape) -> np.ndarray:
    """The values in the shape in which a layer reads them, where that is known."""
    sizes = [size for size in shape[1:] if size is not None]
    is_same = len(sizes) == len(shape) - 1 and math.prod(sizes) == values[0].size
    return values.reshape(len(values), *sizes) if is_same else values


def _broadcasts(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(shape) == len(other) and all(a in (1, b) for a, b in zip(shape, other, strict=True))


def _unlike_normalization(name: str, values: np.ndarray, layer: keras.layers.Normalization) -> list[str]:
    if layer.invert or layer.mean is None:
        return []
    mean, variance = np.asarray(layer.mean), np.asarray(layer.variance)
    if mean.size > 1 and not _broadcasts(mean.shape, values.shape):
        # Which value belongs to which of them is not known.
        mean, variance = mean.mean(), variance.mean() + mean.var()
    deviation = np.sqrt(variance).clip(1e-7)
    normalized = (values - mean) / deviation
    if normalized.std() >= _TINY and np.median(np.abs(normalized)) <= 2 * _HUGE:
        return []
    return [
        f"the samples for input {name!r} have a mean of {values.mean():.4g} and a standard deviation of "
        f"{values.std():.4g}, where Normalization {layer.name!r} expects {mean.mean():.4g} and "
        f"{deviation.mean():.4g}: pass them on the scale that the model takes."
    ]


class RangeCheck:
    """Compares the range of data with that which a file was calibrated for, in one pass.

    Args:
        calibrated: the range of each quantized input, by name.
    """

    def __init__(self, calibrated: Mapping[str, tuple[float, float]]) -> None:
        self._calibrated = calibrated
        self._seen: dict[str, tuple[float, float]] = {}
        self._outside = dict.fromkeys(calibrated, 0)
        self._values = dict.fromkeys(calibrated, 0)

    def add(self, arrays: Mapping[str, Tensor]) -> None:
        """Count one batch of inputs, by name."""
        for name in self._calibrated.keys() & arrays.keys():
            values = np.asarray(arrays[name])
            finite = values[np.isfinite(values)]
            if finite.size:
                low, high = self._calibrated[name]
                step = (high - low) / 255
                seen = self._seen.get(name, (np.inf, -np.inf))
                self._seen[name] = min(seen[0], float(finite.min())), max(seen[1], float(finite.max()))
                self._outside[name] += int(((finite < low - step) | (finite > high + step)).sum())
                self._values[name] += finite.size

    def are_cut_off(self) -> bool:
        """Whether a note says that inputs leave the range, which explains outputs that do."""
        return any(self._leaves(name) for name in self._seen)

    def _leaves(self, name: str) -> bool:
        (low, high), (least, most) = self._calibrated[name], self._seen[name]
        outside = self._outside[name] / self._values[name]
        return outside > _CLIPPED or bool(outside and most - least > 2 * (high - low))

    def notes(self) -> list[str]:
        """Sentences about inputs whose data leaves that range, or fills a tiny part of it."""
        return [note for name in self._seen for note in self._notes(name)]

    def _notes(self, name: str) -> list[str]:
        (low, high), (least, most) = self._calibrated[name], self._seen[name]
        outside = self._outside[name] / self._values[name]
        ranges = (
            f"input {name!r} was calibrated for {low:.4g} to {high:.4g}, and the data reaches from "
            f"{least:.4g} to {most:.4g}"
        )
        if self._leaves(name):
            return [f"{ranges}: {outside:.1%} of its values are cut off. Calibrate with data on its scale."]
        if most - least < _TINY * (high - low) and max(-least, most) < _TINY * max(-low, high):
            return [f"{ranges}, which few of the integers stand for. Calibrate with data on its scale."]
        return []
